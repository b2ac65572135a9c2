package expr

import (
	"strconv"

	"millrace/internal/service/dynamodb/value"
)

// compileExpected makes the condition of Expected.
func (l *Legacy) compileExpected(plan *Plan) error {
	var b builder
	for _, e := range l.Expected {
		name, values, err := e.comparison()
		if err != nil {
			return err
		}
		if err := b.add(e.Attribute, name, values); err != nil {
			return err
		}
	}
	if len(l.Expected) > 0 {
		plan.Condition = b.condition(ConditionExpression, l.ConditionalOperator)
	}
	return nil
}

// comparison is what the entry demands, in the words of ComparisonOperator.
func (e *Expected) comparison() (name string, values []value.Value, err error) {
	there := !e.Value.IsNone()
	switch {
	case e.Values != nil && there:
		return "", nil, errorf(textExpectBoth, e.Attribute)
	case e.Operator != "":
		return e.withOperator(there)
	case e.Values != nil:
		return "", nil, errorf(textExpectList, e.Attribute)
	case e.Exists != nil && !*e.Exists && there:
		return "", nil, errorf(textExpectAbsent, e.Attribute)
	case e.Exists != nil && !*e.Exists:
		return "NULL", nil, nil
	case !there:
		exists := "null"
		if e.Exists != nil {
			exists = strconv.FormatBool(*e.Exists)
		}
		return "", nil, errorf(textExpectValue, exists, e.Attribute)
	}
	return "EQ", []value.Value{e.Value}, nil
}

func (e *Expected) withOperator(there bool) (string, []value.Value, error) {
	switch {
	case e.Exists != nil:
		return "", nil, errorf(textExpectOperator, e.Attribute)
	case there:
		return e.Operator, []value.Value{e.Value}, nil
	case e.Values == nil && comparisons[e.Operator].least > 0:
		return "", nil, errorf(textExpectOperatorAlone, e.Operator, e.Attribute)
	}
	return e.Operator, e.Values, nil
}

// compileUpdates makes the update of AttributeUpdates.
func (l *Legacy) compileUpdates(plan *Plan) error {
	if l.AttributeUpdates == nil {
		return nil
	}
	p := &program{kind: UpdateExpression, legacy: true}
	var values []value.Value
	for _, u := range l.AttributeUpdates {
		v, err := u.verb()
		if err != nil {
			return err
		}
		a := action{verb: v, path: Path{byName(u.Attribute)}}
		if v != verbRemove {
			a.operand = &operand{kind: operandValue, slot: len(values)}
			values = append(values, u.Value)
		}
		p.actions = append(p.actions, a)
	}
	p.tree, p.clash = mergePaths(p.kind, p.targets())
	plan.Update = Update{p: p, values: values}
	return p.clash
}

// verb is the action in the words of expressions.
func (u *AttributeUpdate) verb() (verb, error) {
	k := u.Value.Kind()
	switch {
	case k == value.KindNone && u.Action != "DELETE":
		return 0, errorf(textNoUpdate)
	case k == value.KindNone:
		return verbRemove, nil
	case u.Action == "DELETE" && !isSet(k):
		return 0, errorf(textUpdateDelete, k)
	case u.Action == "DELETE":
		return verbDelete, nil
	case u.Action != "ADD":
		return verbSet, nil
	case isSet(k), k == value.KindN, k == value.KindL:
		return verbAdd, nil
	}
	return 0, errorf(textUpdateAdd, k)
}

// compileFilter makes the condition of QueryFilter or ScanFilter.
func (l *Legacy) compileFilter(filter []Comparison, plan *Plan) error {
	var b builder
	for _, c := range filter {
		if c.Bad != nil {
			return c.Bad
		}
		if err := b.add(c.Attribute, c.Operator, c.Values); err != nil {
			return err
		}
	}
	if len(filter) > 0 {
		plan.Filter = b.condition(FilterExpression, l.ConditionalOperator)
	}
	return nil
}

// compileKeys makes the key condition of KeyConditions.
func (l *Legacy) compileKeys(plan *Plan) error {
	for _, c := range l.KeyConditions {
		if c.Bad != nil {
			return c.Bad
		}
		operator := comparisons[c.Operator]
		if err := operator.check(c.Operator, c.Values); err != nil {
			return err
		}
		part := keyPart{name: c.Attribute, op: operator.op, legacy: true}
		if len(c.Values) > 0 {
			part.low = c.Values[0]
		}
		if operator.op == opBetween {
			part.high = c.Values[1]
		}
		if err := plan.Key.add(part); err != nil {
			return err
		}
	}
	if l.KeyConditions != nil && len(plan.Key.parts) == 0 {
		return errKeyCount
	}
	return nil
}

// compileProjection makes the projection of AttributesToGet, whose entries are names and no paths.
func (l *Legacy) compileProjection(plan *Plan) error {
	if l.AttributesToGet == nil {
		return nil
	}
	p := &program{kind: ProjectionExpression, legacy: true}
	seen := make(map[string]bool, len(l.AttributesToGet))
	for _, name := range l.AttributesToGet {
		if seen[name] {
			return errorf(textDuplicate, name)
		}
		seen[name] = true
		p.paths = append(p.paths, operand{kind: operandPath, path: Path{byName(name)}})
	}
	p.tree, p.clash = mergePaths(p.kind, p.targets())
	plan.Projection = Projection{p}
	return p.clash
}
