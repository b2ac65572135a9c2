package expr

import (
	"slices"
	"strings"
	"unicode/utf8"

	"millrace/internal/service/dynamodb/value"
)

// Condition is a condition or filter with the values of a request. It is immutable; the zero Condition holds always.
type Condition struct {
	p      *program
	values []value.Value
}

// IsZero says that there is no condition.
func (c Condition) IsZero() bool { return c.p == nil }

// Holds says whether the condition is true of the item.
//
// An attribute that is missing, or of a type that an operator does not compare, makes its comparison false;
// only <> is true then. NOT turns around what that gives. It never fails: what can be wrong was found when the
// condition was made.
func (c Condition) Holds(item Source) bool {
	return c.p == nil || evaluation{item, c.values}.node(c.p.root)
}

// evaluation is one condition on one item.
type evaluation struct {
	item   Source
	values []value.Value
}

func (e evaluation) node(n *node) bool {
	switch n.op {
	case opAnd:
		for _, kid := range n.kids {
			if !e.node(kid) {
				return false
			}
		}
		return true
	case opOr:
		return slices.ContainsFunc(n.kids, e.node)
	case opNot:
		return !e.node(n.kids[0])
	default:
		return e.predicate(n.op, n.args)
	}
}

func (e evaluation) predicate(o op, args []*operand) bool {
	v := e.operand(args[0])
	switch o {
	case opExists:
		return !v.IsNone()
	case opNotExists:
		return v.IsNone()
	case opIn:
		for _, arg := range args[1:] {
			if equal(v, e.operand(arg)) {
				return true
			}
		}
		return false
	case opBetween:
		return ordered(opGE, v, e.operand(args[1])) && ordered(opLE, v, e.operand(args[2]))
	default:
		return compare(o, v, e.operand(args[1]))
	}
}

// compare is an operator or function of two operands.
func compare(o op, a, b value.Value) bool {
	switch o {
	case opEQ:
		return equal(a, b)
	case opNE:
		return !equal(a, b)
	case opType:
		return !a.IsNone() && a.Kind().String() == b.Str()
	case opBeginsWith:
		return a.Kind() == b.Kind() && isText(a) && strings.HasPrefix(a.Str(), b.Str())
	case opContains:
		return contains(a, b)
	default:
		return ordered(o, a, b)
	}
}

func equal(a, b value.Value) bool { return !a.IsNone() && value.Equal(a, b) }

func ordered(o op, a, b value.Value) bool {
	c, ok := value.Compare(a, b)
	if !ok {
		return false
	}
	switch o {
	case opLT:
		return c < 0
	case opLE:
		return c <= 0
	case opGT:
		return c > 0
	default: // opGE
		return c >= 0
	}
}

func isText(v value.Value) bool { return v.Kind() == value.KindS || v.Kind() == value.KindB }

// contains looks for b in a string, binary, set or list.
func contains(a, b value.Value) bool {
	if isText(a) {
		return a.Kind() == b.Kind() && strings.Contains(a.Str(), b.Str())
	}
	return value.Contains(a, b)
}

// operand is the value of an operand, of KindNone when it has none.
func (e evaluation) operand(o *operand) value.Value {
	switch o.kind {
	case operandPath:
		return o.path.lookup(e.item)
	case operandValue:
		return e.values[o.slot]
	default: // the only function that is an operand of conditions
		return size(e.operand(o.args[0]))
	}
}

// size is the function of that name: bytes of a binary, elements of a set, list or map, and for a string its length in
// UTF-16 units: "é𝄞" has 3 (recorded 2026-05).
func size(v value.Value) value.Value {
	switch v.Kind() {
	case value.KindS:
		return value.Num(value.NumberFromInt(int64(utf16Len(v.Str()))))
	case value.KindB, value.KindM, value.KindL, value.KindSS, value.KindNS, value.KindBS:
		return value.Num(value.NumberFromInt(int64(v.Len())))
	default:
		return value.Value{}
	}
}

func utf16Len(s string) int {
	n := utf8.RuneCountInString(s)
	for i := range len(s) {
		if s[i] >= 0xF0 { // begins a sequence of four bytes: two units
			n++
		}
	}
	return n
}

// Reads calls f for each path that the condition reads, in the order of the text, as long as f is true.
func (c Condition) Reads(f func(Path) bool) {
	if c.p != nil {
		c.p.root.reads(f)
	}
}

func (n *node) reads(f func(Path) bool) bool {
	for _, kid := range n.kids {
		if !kid.reads(f) {
			return false
		}
	}
	return readsAll(n.args, f)
}

func readsAll(args []*operand, f func(Path) bool) bool {
	for _, o := range args {
		if o.kind == operandPath && !f(o.path) || !readsAll(o.args, f) {
			return false
		}
	}
	return true
}
