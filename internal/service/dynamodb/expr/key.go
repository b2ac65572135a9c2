package expr

import (
	"slices"

	"millrace/internal/service/dynamodb/value"
)

// KeyCondition is the condition of a Query on the keys of a table or index.
type KeyCondition struct {
	expression Condition // until finish has taken it apart
	parts      []keyPart
}

// keyPart is the condition on one key attribute.
type keyPart struct {
	name      string
	op        op
	low, high value.Value // high only for BETWEEN
	legacy    bool        // out of KeyConditions, where op can be any
}

// finish takes a KeyConditionExpression apart, after everything else of the request was found right.
func (k *KeyCondition) finish(r *Request) error {
	if r.KeyCondition == nil {
		return nil
	}
	e := k.expression
	k.expression = Condition{}
	return k.collect(e.p.root, e.values)
}

// collect goes through the ANDs of an expression in the order of its text.
func (k *KeyCondition) collect(n *node, values []value.Value) error {
	switch n.op {
	case opAnd:
		for _, kid := range n.kids {
			if err := k.collect(kid, values); err != nil {
				return err
			}
		}
		return nil
	case opEQ, opLT, opLE, opGT, opGE, opBetween, opBeginsWith:
		return k.part(n, values)
	default:
		return errorf(textKeyOperator, n.op)
	}
}

// part adds the condition on one attribute.
func (k *KeyCondition) part(n *node, values []value.Value) error {
	first := n.args[0].kind != operandValue
	if (n.op == opBetween || n.op == opBeginsWith) && !first {
		return errorf(textKeyFirst, n.op)
	}
	part := keyPart{op: n.op}
	if !first {
		part.op = reversed(n.op)
	}
	for _, arg := range n.args {
		switch {
		case arg.kind == operandCall:
			return errKeyNested
		case arg.kind == operandValue && part.low.IsNone():
			part.low = values[arg.slot]
		case arg.kind == operandValue:
			part.high = values[arg.slot]
		case part.name != "":
			return errKeyMultiple
		case len(arg.path) > 1:
			return errKeyPath
		default:
			part.name = arg.path.Root()
		}
	}
	if part.name == "" {
		return errKeyNone
	}
	return k.add(part)
}

func (k *KeyCondition) add(part keyPart) error {
	if _, ok := k.find(part.name); ok {
		return errKeyTwice
	}
	k.parts = append(k.parts, part)
	return nil
}

func (k *KeyCondition) find(name string) (keyPart, bool) {
	i := slices.IndexFunc(k.parts, func(p keyPart) bool { return p.name == name })
	if i < 0 {
		return keyPart{}, false
	}
	return k.parts[i], true
}

// reversed is the comparison with its sides changed.
func reversed(o op) op {
	switch o {
	case opLT:
		return opGT
	case opLE:
		return opGE
	case opGT:
		return opLT
	case opGE:
		return opLE
	default:
		return o
	}
}
