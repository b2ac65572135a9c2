package expr

import (
	"slices"

	"millrace/internal/service/dynamodb/value"
)

// change is v with the results of the actions below n in place; v stays as it is. A result of KindNone removes.
//
// Errors: ErrPath when v is not what the paths go through.
func (n *pathNode) change(v value.Value, results []value.Value) (value.Value, error) {
	index := len(n.kids) > 0 && n.kids[0].step.IsIndex()
	switch {
	case v.Kind() == value.KindM && !index:
		m, err := n.changeMap(v.Map(), results)
		return value.Map(m), err
	case v.Kind() == value.KindL && index:
		elems, err := n.changeList(v.List(), results)
		return value.List(elems), err
	}
	return value.Value{}, ErrPath
}

// next is the value that takes the place of v at n.
func (n *pathNode) next(v value.Value, results []value.Value) (value.Value, error) {
	if n.end >= 0 {
		return results[n.end], nil
	}
	return n.change(v, results)
}

// changeMap merges the sorted attributes of m with the sorted kids.
func (n *pathNode) changeMap(m value.Item, results []value.Value) (value.Item, error) {
	out := make(value.Item, 0, len(m)+len(n.kids))
	for _, kid := range n.kids {
		i, ok := m.Find(kid.step.Name)
		out, m = append(out, m[:i]...), m[i:]
		var old value.Value
		if ok {
			old, m = m[0].Value, m[1:]
		}
		v, err := kid.next(old, results)
		if err != nil {
			return nil, err
		}
		if !v.IsNone() {
			out = append(out, value.Attr{Name: kid.step.Name, Value: v})
		}
	}
	return append(out, m...), nil
}

// changeList changes elements at their places, appends those that lie behind the end and then closes the holes.
func (n *pathNode) changeList(elems []value.Value, results []value.Value) ([]value.Value, error) {
	out := slices.Clone(elems)
	holes := false
	for _, kid := range n.kids {
		i := kid.step.Index
		var old value.Value
		if i < len(elems) {
			old = elems[i]
		}
		v, err := kid.next(old, results)
		switch {
		case err != nil:
			return nil, err
		case i < len(elems):
			out[i] = v
			holes = holes || v.IsNone()
		case !v.IsNone():
			out = append(out, v)
		}
	}
	if holes {
		out = slices.DeleteFunc(out, value.Value.IsNone)
	}
	return out, nil
}
