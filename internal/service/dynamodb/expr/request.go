package expr

import (
	"errors"
	"strings"

	"millrace/internal/service/dynamodb/value"
)

// Op says which parameters an operation has and in which order AWS names and checks them.
type Op uint8

// The operations, as far as they differ here.
const (
	OpGet            Op = iota // GetItem, BatchGetItem, TransactGetItems
	OpPut                      // PutItem, DeleteItem; Put, Delete and ConditionCheck in a transaction
	OpUpdate                   // UpdateItem
	OpTransactUpdate           // Update in a transaction
	OpQuery
	OpScan
)

// Request is what a request says with expressions, or with the parameters that came before them. Nil pointers and slices
// are parameters that it does not have. Compile keeps nothing of it but values.
type Request struct {
	Op Op

	Names  Names
	Values value.Item // sorted by name, with the colon
	// BadValue is what is wrong with the value named BadKey, if the decoder of Values found something; it is reported where
	// AWS does, behind errors of names.
	BadValue error
	BadKey   string
	// Other is what is wrong with parameters that this package does not know: ExclusiveStartKey, Segment. It is reported behind
	// errors of filters and AttributesToGet (D).
	Other error
	// Older takes the texts of the layer that batches, transactions and Scan are checked by.
	Older bool

	Condition    *string
	Update       *string
	KeyCondition *string
	Filter       *string
	Projection   *string

	Legacy Legacy
}

// Plan is what a request means, whichever parameters said it.
type Plan struct {
	Condition  Condition // ConditionExpression, Expected
	Update     Update    // UpdateExpression, AttributeUpdates
	Key        KeyCondition
	Filter     Condition // FilterExpression, QueryFilter, ScanFilter
	Projection Projection
}

// operations are the parameters of each Op in the order of AWS's texts, and the order in which the expressions are
// parsed. UpdateItem looks at its condition first, a transaction at the update (C, as texts.go has it).
var operations = [...]struct {
	named, parsed []Kind
	values        string // of the text that values are there but no expression that can have some
}{
	OpGet:            {[]Kind{ProjectionExpression}, []Kind{ProjectionExpression}, ""},
	OpPut:            {[]Kind{ConditionExpression}, []Kind{ConditionExpression}, "ConditionExpression is null"},
	OpUpdate:         {[]Kind{UpdateExpression, ConditionExpression}, []Kind{ConditionExpression, UpdateExpression}, "UpdateExpression and ConditionExpression are null"},
	OpTransactUpdate: {[]Kind{UpdateExpression, ConditionExpression}, []Kind{UpdateExpression, ConditionExpression}, "UpdateExpression and ConditionExpression are null"},
	OpQuery: {
		[]Kind{ProjectionExpression, FilterExpression, KeyConditionExpression},
		[]Kind{KeyConditionExpression, FilterExpression, ProjectionExpression},
		"FilterExpression and KeyConditionExpression are null",
	},
	OpScan: {[]Kind{ProjectionExpression, FilterExpression}, []Kind{FilterExpression, ProjectionExpression}, "FilterExpression is null"},
}

// text is the expression of a kind.
func (r *Request) text(k Kind) *string {
	switch k {
	case ConditionExpression:
		return r.Condition
	case FilterExpression:
		return r.Filter
	case KeyConditionExpression:
		return r.KeyCondition
	case ProjectionExpression:
		return r.Projection
	default:
		return r.Update
	}
}

// Compile checks all that can be checked without a table, in AWS's order, and makes the plan.
//
// Errors: [value.Error] with AWS's text. What depends on the table is checked by the methods of the plan's parts:
// [Plan.CheckScalars], [Update.CheckKeys], [Condition.CheckFilterKeys], [KeyCondition.Plan].
func (c *Cache) Compile(r *Request) (Plan, error) {
	if err := r.checkParameters(); err != nil {
		return Plan{}, err
	}
	var plan Plan
	if err := r.Legacy.compile(r.Op, r.Other, &plan); err != nil {
		return Plan{}, err
	}
	if r.Op == OpQuery && r.KeyCondition == nil && r.Legacy.KeyConditions == nil {
		return Plan{}, errKeyAbsent
	}
	if err := r.checkMaps(); err != nil {
		return Plan{}, err
	}
	u := usage{names: make([]bool, len(r.Names)), values: make([]bool, len(r.Values))}
	for _, k := range operations[r.Op].parsed {
		text := r.text(k)
		if text == nil {
			continue
		}
		if r.Older && k != UpdateExpression && len(*text) > maxText {
			return Plan{}, invalidf(k, textSize+" expression size: %d", len(*text))
		}
		p, err := c.program(k, *text, r.Names)
		if err != nil {
			return Plan{}, err
		}
		values := u.bind(r, p)
		if err := p.check(values); err != nil {
			return Plan{}, err
		}
		plan.set(p, values)
	}
	if err := u.unused(r); err != nil {
		return Plan{}, err
	}
	return plan, plan.Key.finish(r)
}

// set puts a checked expression where it belongs.
func (plan *Plan) set(p *program, values []value.Value) {
	switch p.kind {
	case ConditionExpression:
		plan.Condition = Condition{p: p, values: values}
	case FilterExpression:
		plan.Filter = Condition{p: p, values: values}
	case KeyConditionExpression:
		plan.Key.expression = Condition{p: p, values: values}
	case ProjectionExpression:
		plan.Projection = Projection{p}
	case UpdateExpression:
		plan.Update = Update{p: p, values: values}
	}
}

// checkParameters refuses combinations of parameters.
func (r *Request) checkParameters() error {
	var with []string
	for _, k := range operations[r.Op].named {
		if r.text(k) != nil {
			with = append(with, k.String())
		}
	}
	if len(with) > 0 {
		if without := r.Legacy.parameters(r.Op, r.KeyCondition != nil); len(without) > 0 {
			return errorf(textMixed, strings.Join(without, ", "), strings.Join(with, ", "))
		}
	}
	if r.Names != nil && len(with) == 0 {
		return errorf(textNamesAlone)
	}
	if r.Values != nil && r.Condition == nil && r.Update == nil && r.KeyCondition == nil && r.Filter == nil {
		if !r.Older && (r.Op == OpPut || r.Op == OpUpdate) {
			return errorf(textValuesBare)
		}
		return errorf(textValuesAlone, operations[r.Op].values)
	}
	if err := r.Legacy.checkOperator(); err != nil {
		return err
	}
	return nil
}

// checkMaps checks ExpressionAttributeNames and ExpressionAttributeValues by themselves.
func (r *Request) checkMaps() error {
	if r.Names != nil {
		if err := r.Names.check(); err != nil {
			return err
		}
	}
	if r.Values == nil && r.BadValue == nil {
		return nil
	}
	if len(r.Values) == 0 && r.BadValue == nil {
		return errorf(textEmptyMap, "ExpressionAttributeValues")
	}
	for _, a := range r.Values {
		if err := checkReference("ExpressionAttributeValues", a.Name, ':'); err != nil {
			return err
		}
	}
	if r.BadValue != nil {
		return errorf(textValuesValue, olderText(r.BadValue), r.BadKey)
	}
	return nil
}

// olderText is what the layer says that checks ExpressionAttributeValues.
func olderText(err error) string {
	if e, ok := errors.AsType[*value.Error](err); ok {
		return e.Older()
	}
	return err.Error()
}

// usage notes which names and values of a request its expressions use.
type usage struct{ names, values []bool }

// bind finds the values of a program among those of the request, and notes what the program uses.
func (u *usage) bind(r *Request, p *program) []value.Value {
	for _, alias := range p.aliases {
		if i, ok := r.Names.position(alias); ok {
			u.names[i] = true
		}
	}
	if len(p.values) == 0 {
		return nil
	}
	values := make([]value.Value, len(p.values))
	for slot, name := range p.values {
		if i, ok := r.Values.Find(name); ok {
			u.values[i] = true
			values[slot] = r.Values[i].Value
		}
	}
	return values
}

// unused refuses names and values that no expression uses.
func (u *usage) unused(r *Request) error {
	var keys []string
	for i, used := range u.names {
		if !used {
			keys = append(keys, r.Names[i].Alias)
		}
	}
	if len(keys) > 0 {
		return errorf(textUnused, "ExpressionAttributeNames", keySet(keys))
	}
	for i, used := range u.values {
		if !used {
			keys = append(keys, r.Values[i].Name)
		}
	}
	if len(keys) > 0 {
		return errorf(textUnused, "ExpressionAttributeValues", keySet(keys))
	}
	return nil
}

// CheckScalars refuses paths that go into one of the key attributes of the table or, with index, of one of its indexes: keys
// are scalars.
func (plan *Plan) CheckScalars(index bool, keys ...string) error {
	label := "Key"
	if index {
		label = "IndexKey"
	}
	var nested map[string]bool
	note := func(p Path) bool {
		if len(p) > 1 {
			if nested == nil {
				nested = make(map[string]bool)
			}
			nested[p.Root()] = true
		}
		return true
	}
	plan.Condition.Reads(note)
	plan.Filter.Reads(note)
	plan.Update.Reads(note)
	for _, p := range plan.Update.Touched() {
		note(p)
	}
	for _, p := range plan.Projection.Paths() {
		note(p)
	}
	for _, key := range keys {
		if nested[key] {
			return errorf(textKeyScalar, label, key)
		}
	}
	return nil
}

// CheckFilterKeys refuses a filter of Query that reads one of the key attributes of what is queried.
func (c Condition) CheckFilterKeys(keys ...string) error {
	text := textFilterKey
	if c.p != nil && c.p.legacy {
		text = textQueryFilter
	}
	for _, key := range keys {
		found := false
		c.Reads(func(p Path) bool {
			found = p.Root() == key
			return !found
		})
		if found {
			return errorf(text, key)
		}
	}
	return nil
}
