package expr

import "millrace/internal/service/dynamodb/value"

// Projection is which parts of an item are shown. The zero Projection is none.
type Projection struct{ p *program }

// IsZero says that there is no projection.
func (p Projection) IsZero() bool { return p.p == nil }

// Paths are the paths in the order of the text.
func (p Projection) Paths() []Path {
	if p.p == nil {
		return nil
	}
	return p.p.targets()
}

// Of is what the projection shows of an item: a new item, empty when no path leads anywhere. Elements of a list come in
// the order of their indexes, without holes. The zero Projection gives nil: whoever holds the item shows it as it is.
func (p Projection) Of(item Source) value.Item {
	if p.p == nil {
		return nil
	}
	return p.p.tree.project(item)
}

// project shows the parts of an item that the tree's paths lead to.
func (n *pathNode) project(item Source) value.Item {
	out := make(value.Item, 0, len(n.kids))
	for _, kid := range n.kids {
		v, ok := item.Get(kid.step.Name)
		if !ok {
			continue
		}
		if v = kid.part(v); !v.IsNone() {
			out = append(out, value.Attr{Name: kid.step.Name, Value: v})
		}
	}
	return out
}

// part is what of v lies on paths, of KindNone when nothing does.
func (n *pathNode) part(v value.Value) value.Value {
	switch {
	case n.end >= 0:
		return v
	case v.Kind() == value.KindM && !n.kids[0].step.IsIndex():
		if m := n.project(v.Map()); len(m) > 0 {
			return value.Map(m)
		}
	case v.Kind() == value.KindL && n.kids[0].step.IsIndex():
		return n.elements(v)
	}
	return value.Value{}
}

func (n *pathNode) elements(list value.Value) value.Value {
	var out []value.Value
	for _, kid := range n.kids {
		v := kid.step.into(list)
		if v.IsNone() {
			break // those after it have higher indexes
		}
		if v = kid.part(v); !v.IsNone() {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		return value.Value{}
	}
	return value.List(out)
}
