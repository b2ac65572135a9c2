package expr

import (
	"slices"

	"millrace/internal/service/dynamodb/value"
)

// checker finds what is wrong with a program together with the values of a request. It goes through the text in its
// order, operands before their operator, and stops at the first error, as AWS does.
type checker struct {
	*program
	values []value.Value // by slot; of KindNone where the request defines none
}

// check is the first error of the program with these values.
func (p *program) check(values []value.Value) error {
	c := checker{p, values}
	switch p.kind {
	case ProjectionExpression:
		return c.projection()
	case UpdateExpression:
		return c.update()
	default:
		return c.condition(p.root)
	}
}

func (c checker) invalid(format string, args ...any) error { return invalidf(c.kind, format, args...) }

func (c checker) projection() error {
	for i := range c.paths {
		if err := c.defined(&c.paths[i]); err != nil {
			return err
		}
	}
	return c.clash
}

// defined says whether all aliases and values of the operand are.
func (c checker) defined(o *operand) error {
	switch o.kind {
	case operandPath:
		if o.missing != "" {
			return c.invalid(textNoName, o.missing)
		}
	case operandValue:
		if c.values[o.slot].IsNone() {
			return c.invalid(textNoValue, c.program.values[o.slot])
		}
	case operandCall:
		for _, arg := range o.args {
			if err := c.defined(arg); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c checker) condition(n *node) error {
	for _, kid := range n.kids {
		if err := c.condition(kid); err != nil {
			return err
		}
	}
	if len(n.kids) > 0 {
		return nil
	}
	return c.call(n.op, n.args)
}

// call checks an operator or function of a condition with its operands.
func (c checker) call(o op, args []*operand) error {
	for _, arg := range args {
		err := c.defined(arg)
		if err == nil && arg.kind == operandCall {
			err = c.call(arg.op, arg.args)
		}
		if err != nil {
			return err
		}
	}
	if want := operandCounts[o]; want != 0 && len(args) != want {
		return c.invalid(textCount, o, len(args))
	}
	if err := c.distinct(o, args); err != nil {
		return err
	}
	return c.operands(o, args)
}

// operandCounts are how many operands functions take; operators have theirs from the grammar.
var operandCounts = [...]int{
	opNone: 0, opExists: 1, opNotExists: 1, opType: 2, opBeginsWith: 2, opContains: 2, opSize: 1, opIfNotExists: 2, opListAppend: 2,
}

// distinct refuses to compare a path with itself.
func (c checker) distinct(o op, args []*operand) error {
	if args[0].kind != operandPath {
		return nil
	}
	for _, arg := range args[1:] {
		if arg.kind == operandPath && slices.Equal(arg.path, args[0].path) {
			return c.invalid(textDistinct, o, args[0].path)
		}
	}
	return nil
}

// operands checks the types of operands as far as they are known without an item.
func (c checker) operands(o op, args []*operand) error {
	switch o {
	case opExists, opNotExists:
		return c.needPath(o, args[0])
	case opType:
		return c.attributeType(args)
	case opBeginsWith:
		return c.ofKinds(o, args, value.KindS, value.KindB)
	case opSize:
		return c.ofKinds(o, args, value.KindS, value.KindB, value.KindSS, value.KindNS, value.KindBS, value.KindL, value.KindM)
	case opLT, opLE, opGT, opGE:
		return c.ofKinds(o, args, value.KindS, value.KindN, value.KindB)
	case opBetween:
		if err := c.ofKinds(o, args, value.KindS, value.KindN, value.KindB); err != nil {
			return err
		}
		return c.bounds(args[1], args[2])
	case opIn:
		if len(args)-1 > maxIn {
			return c.invalid(textIn, len(args)-1)
		}
	default: // =, <> and contains take all types
	}
	return nil
}

// kindOf is the type of an operand that is known without an item, else KindNone.
func (c checker) kindOf(o *operand) value.Kind {
	switch {
	case o.kind == operandValue:
		return c.values[o.slot].Kind()
	case o.op == opSize, o.op == opPlus, o.op == opMinus:
		return value.KindN
	case o.op == opListAppend:
		return value.KindL
	}
	return value.KindNone
}

func (c checker) needPath(o op, arg *operand) error {
	if arg.kind != operandPath {
		return c.invalid(textNeedsPath, o)
	}
	return nil
}

func (c checker) ofKinds(o op, args []*operand, kinds ...value.Kind) error {
	for _, arg := range args {
		if k := c.kindOf(arg); k != value.KindNone && !slices.Contains(kinds, k) {
			return c.invalid(textType, o, k)
		}
	}
	return nil
}

// attributeType checks attribute_type(path or :value, :type).
func (c checker) attributeType(args []*operand) error {
	if args[1].kind == operandPath {
		return c.invalid(textType, opType, pathTypes)
	}
	if err := c.ofKinds(opType, args[1:], value.KindS); err != nil {
		return err
	}
	if name := c.values[args[1].slot].Str(); value.ParseKind(name) == value.KindNone {
		return c.invalid(textTypeName, name)
	}
	if args[0].kind == operandValue { // the documentation says otherwise (A)
		return nil
	}
	return c.needPath(opType, args[0])
}

// bounds checks those of BETWEEN when both are values.
func (c checker) bounds(low, high *operand) error {
	if low.kind != operandValue || high.kind != operandValue {
		return nil
	}
	l, h := c.values[low.slot], c.values[high.slot]
	if l.Kind() != h.Kind() {
		return c.invalid(textBetweenTypes, shown(l), shown(h))
	}
	if order, _ := value.Compare(l, h); order > 0 {
		return c.invalid(textBetweenOrder, shown(l), shown(h))
	}
	return nil
}

// update checks names and values first, then the paths, the operands of ADD and DELETE, and at last the functions.
func (c checker) update() error {
	for i := range c.actions {
		if err := c.actionDefined(&c.actions[i]); err != nil {
			return err
		}
	}
	if c.clash != nil {
		return c.clash
	}
	for _, a := range c.actions {
		if err := c.actionType(a); err != nil {
			return err
		}
	}
	for _, a := range c.actions {
		if a.operand == nil {
			continue
		}
		if err := c.setCall(a.operand); err != nil {
			return err
		}
	}
	return nil
}

func (c checker) actionDefined(a *action) error {
	if a.missing != "" {
		return c.invalid(textNoName, a.missing)
	}
	if a.operand == nil {
		return nil
	}
	return c.defined(a.operand)
}

// longNames are the types as texts about ADD and DELETE call them.
var longNames = [...]string{
	value.KindS: "STRING", value.KindN: "NUMBER", value.KindB: "BINARY", value.KindBOOL: "BOOLEAN", value.KindNULL: "NULL",
	value.KindM: "MAP", value.KindL: "LIST", value.KindSS: "STRING_SET", value.KindNS: "NUMBER_SET", value.KindBS: "BINARY_SET",
}

// actionType checks the value of an ADD or DELETE.
func (c checker) actionType(a action) error {
	if a.verb != verbAdd && a.verb != verbDelete {
		return nil
	}
	k := c.kindOf(a.operand)
	if isSet(k) || a.verb == verbAdd && k == value.KindN {
		return nil
	}
	return c.invalid(textActionType, a.verb, longNames[k], a.verb)
}

func isSet(k value.Kind) bool {
	return k == value.KindSS || k == value.KindNS || k == value.KindBS
}

// setCall checks a function or sum of a SET.
func (c checker) setCall(o *operand) error {
	if o.kind != operandCall {
		return nil
	}
	for _, arg := range o.args {
		if err := c.setCall(arg); err != nil {
			return err
		}
	}
	if want := operandCounts[o.op]; want != 0 && len(o.args) != want {
		return c.invalid(textCount, o.op, len(o.args))
	}
	switch o.op {
	case opIfNotExists:
		return c.needPath(o.op, o.args[0])
	case opListAppend:
		return c.ofKinds(o.op, o.args, value.KindL)
	default:
		return c.ofKinds(o.op, o.args, value.KindN)
	}
}
