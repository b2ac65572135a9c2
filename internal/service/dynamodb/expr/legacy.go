package expr

import (
	"errors"
	"slices"

	"millrace/internal/service/dynamodb/value"
)

// Legacy are the parameters of the API that came before expressions. Nil slices and pointers are parameters that
// the request does not have; an empty one that is not nil counts as there.
type Legacy struct {
	Expected            []Expected
	AttributeUpdates    []AttributeUpdate
	KeyConditions       []Comparison
	QueryFilter         []Comparison
	ScanFilter          []Comparison
	AttributesToGet     []string
	ConditionalOperator string // "AND", "OR"; "" when the request has none
}

// Comparison is an entry of KeyConditions, QueryFilter or ScanFilter.
type Comparison struct {
	Attribute string
	Operator  string // ComparisonOperator: "EQ", "NOT_CONTAINS", …
	Values    []value.Value
	Bad       error // what is wrong with one of Values, reported in its turn
}

// Expected is an entry of Expected.
type Expected struct {
	Attribute string
	Exists    *bool
	Value     value.Value // of KindNone when there is none
	Operator  string      // "" when there is none
	Values    []value.Value
}

// AttributeUpdate is an entry of AttributeUpdates.
type AttributeUpdate struct {
	Attribute string
	Action    string      // "PUT", also when empty, "DELETE" or "ADD"
	Value     value.Value // of KindNone when there is none
}

// parameters are those that the request has, in the order of AWS's texts. KeyConditions goes with a filter or
// projection expression, and is named only where keys has both.
func (l *Legacy) parameters(o Op, keys bool) []string {
	var names []string
	add := func(there bool, name string) {
		if there {
			names = append(names, name)
		}
	}
	add(l.AttributesToGet != nil, "AttributesToGet")
	add(l.QueryFilter != nil, "QueryFilter")
	add(l.ScanFilter != nil, "ScanFilter")
	add(l.AttributeUpdates != nil, "AttributeUpdates")
	add(l.Expected != nil, "Expected")
	add(l.ConditionalOperator != "", "ConditionalOperator")
	add(o == OpQuery && keys && l.KeyConditions != nil, "KeyConditions")
	return names
}

// checkOperator sees that ConditionalOperator has something to join.
func (l *Legacy) checkOperator() error {
	if l.ConditionalOperator == "" {
		return nil
	}
	switch max(len(l.Expected), len(l.QueryFilter), len(l.ScanFilter)) {
	case 0:
		return errOperatorAlone
	case 1:
		if len(l.ScanFilter) == 1 && errors.Is(l.ScanFilter[0].Bad, value.ErrNesting) { // in us-east-2 and eu-west-1; in eu-west-2 it comes behind
			return value.ErrNesting
		}
		return errOperatorOne
	default:
		return nil
	}
}

// compile checks the parameters and puts what they mean into plan. Between a filter and KeyConditions it is the turn of other, as
// Request has it.
func (l *Legacy) compile(o Op, other error, plan *Plan) error {
	if err := l.compileExpected(plan); err != nil {
		return err
	}
	if err := l.compileUpdates(plan); err != nil {
		return err
	}
	if o == OpScan {
		if err := l.compileProjection(plan); err != nil {
			return err
		}
		if err := l.compileFilter(l.ScanFilter, plan); err != nil {
			return err
		}
		return other
	}
	if err := l.compileFilter(l.QueryFilter, plan); err != nil {
		return err
	}
	if err := l.compileProjection(plan); err != nil {
		return err
	}
	if other != nil {
		return other
	}
	return l.compileKeys(plan)
}

// builder makes the program of a condition out of comparisons.
type builder struct {
	nodes  []*node
	values []value.Value
}

// comparison is a ComparisonOperator as operators of expressions say it.
type comparison struct {
	op    op
	not   bool
	least int // values it takes
	most  int
	kinds []value.Kind // of those values; nil for all
}

var scalars = []value.Kind{value.KindS, value.KindN, value.KindB}

// comparisons are the ComparisonOperators. Which types each takes was recorded by dynalite.
var comparisons = map[string]comparison{
	"EQ":           {op: opEQ, least: 1, most: 1},
	"NE":           {op: opNE, least: 1, most: 1},
	"LE":           {op: opLE, least: 1, most: 1, kinds: scalars},
	"LT":           {op: opLT, least: 1, most: 1, kinds: scalars},
	"GE":           {op: opGE, least: 1, most: 1, kinds: scalars},
	"GT":           {op: opGT, least: 1, most: 1, kinds: scalars},
	"NOT_NULL":     {op: opExists},
	"NULL":         {op: opNotExists},
	"CONTAINS":     {op: opContains, least: 1, most: 1, kinds: append(scalars, value.KindBOOL, value.KindNULL)},
	"NOT_CONTAINS": {op: opContains, not: true, least: 1, most: 1, kinds: append(scalars, value.KindBOOL, value.KindNULL)},
	"BEGINS_WITH":  {op: opBeginsWith, least: 1, most: 1, kinds: []value.Kind{value.KindS, value.KindB}},
	"IN":           {op: opIn, least: 1, most: maxLegacyIn, kinds: scalars},
	"BETWEEN":      {op: opBetween, least: 2, most: 2, kinds: scalars},
}

// maxLegacyIn bounds the values of an IN as the request's size does; AWS documents no bound here.
const maxLegacyIn = 1 << 20

// check is what is wrong with a comparison.
func (c comparison) check(name string, values []value.Value) error {
	if c.op == opNone {
		return errorf(textLegacyUnknown, name)
	}
	if len(values) < c.least || len(values) > c.most {
		return errorf(textLegacyCount, name)
	}
	for _, v := range values {
		if c.kinds != nil && !slices.Contains(c.kinds, v.Kind()) {
			return errorf(textLegacyType, name, v.Kind())
		}
	}
	for _, v := range values {
		if v.Kind() != values[0].Kind() {
			return errLegacyMixed
		}
	}
	if c.op == opBetween {
		if order, _ := value.Compare(values[0], values[1]); order > 0 {
			return errLegacyBetween
		}
	}
	return nil
}

// add joins a comparison to the condition.
func (b *builder) add(attribute, name string, values []value.Value) error {
	c := comparisons[name]
	if err := c.check(name, values); err != nil {
		return err
	}
	args := []*operand{{kind: operandPath, path: Path{byName(attribute)}}}
	for _, v := range values {
		args = append(args, &operand{kind: operandValue, slot: len(b.values)})
		b.values = append(b.values, v)
	}
	n := &node{op: c.op, args: args}
	if c.not { // false of an attribute that is missing, unlike NE (Alternator's tests, which ran against the service)
		n = &node{op: opAnd, kids: []*node{{op: opExists, args: args[:1]}, {op: opNot, kids: []*node{n}}}}
	}
	b.nodes = append(b.nodes, n)
	return nil
}

// condition joins what was added with AND or OR.
func (b *builder) condition(k Kind, operator string) Condition {
	if len(b.nodes) == 0 {
		return Condition{}
	}
	root := &node{op: opAnd, kids: b.nodes}
	if operator == "OR" {
		root.op = opOr
	}
	return Condition{p: &program{kind: k, root: root, legacy: true}, values: b.values}
}
