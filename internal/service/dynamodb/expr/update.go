package expr

import (
	"slices"

	"millrace/internal/service/dynamodb/value"
)

// Update is a change of an item with the values of a request. The zero Update changes nothing.
type Update struct {
	p      *program
	values []value.Value
}

// IsZero says that there is no update.
func (u Update) IsZero() bool { return u.p == nil }

// OnlyRemoves says that there is an update and that it has no action but REMOVE and DELETE: it makes no item where there is none (A).
func (u Update) OnlyRemoves() bool {
	return u.p != nil && len(u.p.actions) > 0 && !slices.ContainsFunc(u.p.actions, func(a action) bool { return a.verb != verbRemove && a.verb != verbDelete })
}

// CheckKeys refuses an update that touches one of the key attributes, named in the order of the key schema.
func (u Update) CheckKeys(keys ...string) error {
	if u.p == nil {
		return nil
	}
	for _, key := range keys {
		if slices.ContainsFunc(u.p.actions, func(a action) bool { return a.path.Root() == key }) {
			return errorf(textKeyUpdated, key)
		}
	}
	return nil
}

// Apply is the item after the update. item itself stays as it is; the new one shares what did not change, and names and
// values with the request.
//
// All operands are read from item as it was, and indexes mean its elements: a SET behind the end of a list appends,
// several in the order of their indexes, and elements that are removed leave no hole. Arithmetic is
// exact; what needs more than 38 digits is refused.
//
// Errors: ErrNoAttribute, ErrUpdateType, ErrLegacyType, ErrPath, those of [value.Number.Add].
func (u Update) Apply(item value.Item) (value.Item, error) {
	if u.p == nil {
		return item, nil
	}
	results := make([]value.Value, len(u.p.actions))
	for i := range u.p.actions {
		a := &u.p.actions[i]
		if a.verb == verbRemove {
			continue
		}
		v, err := u.result(item, a)
		if err != nil {
			return nil, err
		}
		results[i] = v
	}
	out, err := u.p.tree.change(value.Map(item), results)
	if err != nil {
		return nil, err
	}
	return out.Map(), nil
}

// result is the value that the action leaves at its path, of KindNone when it leaves none.
func (u Update) result(item value.Item, a *action) (value.Value, error) {
	if a.verb == verbSet {
		return u.set(item, a.operand)
	}
	old, operand := a.path.lookup(item), u.values[a.operand.slot]
	if old.IsNone() {
		if a.verb == verbDelete {
			return value.Value{}, nil
		}
		return operand, nil
	}
	return u.combine(a.verb, old, operand)
}

// combine is ADD or DELETE on a value that is there. Those of AttributeUpdates also add to lists, and have another text for
// types that do not fit.
func (u Update) combine(v verb, old, operand value.Value) (value.Value, error) {
	switch {
	case v == verbDelete:
		if d, ok := value.Difference(old, operand); ok {
			if d.Len() == 0 {
				return value.Value{}, nil
			}
			return d, nil
		}
	case old.Kind() == value.KindN && operand.Kind() == value.KindN:
		sum, err := old.Number().Add(operand.Number())
		return value.Num(sum), err
	case u.p.legacy && old.Kind() == value.KindL && operand.Kind() == value.KindL:
		return value.List(slices.Concat(old.List(), operand.List())), nil
	default:
		if s, ok := value.Union(old, operand); ok {
			return s, nil
		}
	}
	if u.p.legacy {
		return value.Value{}, ErrLegacyType
	}
	return value.Value{}, ErrUpdateType
}

// set is the value of a SET.
func (u Update) set(item value.Item, o *operand) (value.Value, error) {
	switch {
	case o.kind == operandValue:
		return u.values[o.slot], nil
	case o.kind == operandPath:
		v := o.path.lookup(item)
		if v.IsNone() {
			return v, ErrNoAttribute
		}
		return v, nil
	case o.op == opIfNotExists:
		if v := o.args[0].path.lookup(item); !v.IsNone() {
			return v, nil
		}
		return u.set(item, o.args[1])
	}
	a, err := u.set(item, o.args[0])
	if err != nil {
		return value.Value{}, err
	}
	b, err := u.set(item, o.args[1])
	if err != nil {
		return value.Value{}, err
	}
	return calculate(o.op, a, b)
}

// calculate is +, − or list_append.
func calculate(o op, a, b value.Value) (value.Value, error) {
	if o == opListAppend {
		if a.Kind() != value.KindL || b.Kind() != value.KindL {
			return value.Value{}, ErrUpdateType
		}
		return value.List(slices.Concat(a.List(), b.List())), nil
	}
	if a.Kind() != value.KindN || b.Kind() != value.KindN {
		return value.Value{}, ErrUpdateType
	}
	n, m := a.Number(), b.Number()
	if o == opMinus {
		m = m.Neg()
	}
	sum, err := n.Add(m)
	return value.Num(sum), err
}

// Old and New are the parts of the item before or after the update that it touched, as ReturnValues UPDATED_OLD and
// UPDATED_NEW show them: by the paths of the update, so that of an index behind the end of a list, and of one that
// a REMOVE moved, New shows what is there now.
func (u Update) Old(item value.Item) value.Item { return u.touched(item) }

// New is what [Update.Old] says, of the item after the update.
func (u Update) New(item value.Item) value.Item { return u.touched(item) }

func (u Update) touched(item value.Item) value.Item {
	if u.p == nil {
		return nil
	}
	return u.p.tree.project(item)
}

// Touched are the paths that the update writes, in the order of the text.
func (u Update) Touched() []Path {
	if u.p == nil {
		return nil
	}
	return u.p.targets()
}

// Reads calls f for each path that the update reads in its operands, in the order of the text, as long as f is true.
func (u Update) Reads(f func(Path) bool) {
	if u.p == nil {
		return
	}
	for _, a := range u.p.actions {
		if a.operand != nil && !readsAll([]*operand{a.operand}, f) {
			return
		}
	}
}
