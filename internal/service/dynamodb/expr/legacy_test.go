package expr

import (
	"errors"
	"strings"
	"testing"

	"millrace/internal/service/dynamodb/value"
)

// sampleOf is a value of each kind.
func sampleOf(k value.Kind) value.Value {
	switch k {
	case value.KindS:
		return value.String("a")
	case value.KindN:
		return value.Num(value.NumberFromInt(1))
	case value.KindB:
		return value.BinaryString("a")
	case value.KindBOOL:
		return value.Bool(true)
	case value.KindM:
		return value.Map(nil)
	case value.KindL:
		return value.List(nil)
	case value.KindSS:
		v, _ := value.StringSet([]string{"a"})
		return v
	case value.KindBS:
		v, _ := value.BinarySet([]string{"a"})
		return v
	case value.KindNS:
		v, _ := value.NumberSet([]value.Number{value.NumberFromInt(1)})
		return v
	default:
		return value.Null()
	}
}

func scanFilter(operator string, values ...value.Value) *Request {
	return &Request{Op: OpScan, Legacy: Legacy{ScanFilter: []Comparison{{"a", operator, values, nil}}}}
}

func wantError(t *testing.T, r *Request, want string) {
	t.Helper()
	_, err := NewCache(0).Compile(r)
	if got := errorText(err); got != want {
		t.Errorf("%+v: got %q, want %q", r.Legacy, got, want)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestComparisonsTakeTheirNumberOfValues(t *testing.T) {
	s := sampleOf(value.KindS)
	for operator, c := range comparisons {
		text := invalidValues + "Invalid number of argument(s) for the " + operator + " ComparisonOperator"
		if c.least > 0 {
			wantError(t, scanFilter(operator), text)
		}
		if c.most < 3 {
			wantError(t, scanFilter(operator, s, s, s), text)
		}
	}
}

func TestComparisonsRefuseTypesTheyDoNotCompare(t *testing.T) {
	for operators, kinds := range map[string]string{
		"LT LE GT GE IN BETWEEN": "BOOL NULL SS NS BS M L",
		"CONTAINS NOT_CONTAINS":  "SS NS BS M L",
		"BEGINS_WITH":            "N BOOL NULL SS NS BS M L",
	} {
		for operator := range strings.FieldsSeq(operators) {
			for kind := range strings.FieldsSeq(kinds) {
				values := []value.Value{sampleOf(value.ParseKind(kind))}
				if operator == "BETWEEN" {
					values = append(values, values[0])
				}
				wantError(t, scanFilter(operator, values...),
					invalidValues+"ComparisonOperator "+operator+" is not valid for "+kind+" AttributeValue type")
			}
		}
	}
	wantError(t, scanFilter("EQ", sampleOf(value.KindM)), "")
	wantError(t, scanFilter("IN", sampleOf(value.KindS), sampleOf(value.KindN)),
		"One or more parameter values were invalid: AttributeValues inside AttributeValueList must be of same type")
	wantError(t, scanFilter("BETWEEN", value.String("b"), value.String("a")),
		"The BETWEEN condition was provided a range where the lower bound is greater than the upper bound")
}

func TestExpectedRefusesCombinationsThatSayNothing(t *testing.T) {
	yes, no := true, false
	a := value.String("a")
	for _, c := range []struct {
		e    Expected
		want string
	}{
		{Expected{}, "Value must be provided when Exists is null for Attribute: a"},
		{Expected{Exists: &yes}, "Value must be provided when Exists is true for Attribute: a"},
		{Expected{Exists: &no, Value: a}, "Value cannot be used when Exists is false for Attribute: a"},
		{Expected{Operator: "LT"}, "Value or AttributeValueList must be used with ComparisonOperator: LT for Attribute: a"},
		{Expected{Operator: "LT", Exists: &yes}, "Exists and ComparisonOperator cannot be used together for Attribute: a"},
		{Expected{Values: []value.Value{}}, "AttributeValueList can only be used with a ComparisonOperator for Attribute: a"},
		{Expected{Exists: &yes, Values: []value.Value{}}, "AttributeValueList can only be used with a ComparisonOperator for Attribute: a"},
		{Expected{Value: a, Values: []value.Value{}}, "Value and AttributeValueList cannot be used together for Attribute: a"},
		{Expected{Value: a, Operator: "LT", Values: []value.Value{a}}, "Value and AttributeValueList cannot be used together for Attribute: a"},
		{Expected{Value: a, Operator: "BETWEEN"}, "Invalid number of argument(s) for the BETWEEN ComparisonOperator"},
		{Expected{Value: a, Operator: "NULL"}, "Invalid number of argument(s) for the NULL ComparisonOperator"},
		{Expected{Operator: "EQ", Values: []value.Value{}}, "Invalid number of argument(s) for the EQ ComparisonOperator"},
	} {
		c.e.Attribute = "a"
		wantError(t, &Request{Op: OpPut, Legacy: Legacy{Expected: []Expected{c.e}}}, invalidValues+c.want)
	}
}

func TestExpectedHoldsAsItsEntriesSay(t *testing.T) {
	no := false
	item := itemOf(t, `{"s":{"S":"abc"},"n":{"N":"5"},"l":{"L":[{"S":"x"}]}}`)
	five, s := value.Num(value.NumberFromInt(5)), value.String("abc")
	for _, c := range []struct {
		operator string
		entries  []Expected
		want     bool
	}{
		{"", []Expected{{Attribute: "s", Value: s}, {Attribute: "n", Value: five}}, true},
		{"", []Expected{{Attribute: "s", Value: s}, {Attribute: "n", Value: s}}, false},
		{"OR", []Expected{{Attribute: "s", Value: s}, {Attribute: "n", Value: s}}, true},
		{"", []Expected{{Attribute: "x", Exists: &no}}, true},
		{"", []Expected{{Attribute: "s", Exists: &no}}, false},
		{"", []Expected{{Attribute: "s", Operator: "NOT_NULL"}}, true},
		{"", []Expected{{Attribute: "s", Operator: "BEGINS_WITH", Value: value.String("ab")}}, true},
		{"", []Expected{{Attribute: "s", Operator: "NOT_CONTAINS", Value: value.String("b")}}, false},
		{"", []Expected{{Attribute: "s", Operator: "NOT_CONTAINS", Value: five}}, true},
		{"", []Expected{{Attribute: "x", Operator: "NOT_CONTAINS", Value: five}}, false},
		{"", []Expected{{Attribute: "x", Operator: "NE", Value: five}}, true},
		{"", []Expected{{Attribute: "l", Operator: "CONTAINS", Value: value.String("x")}}, true},
		{"", []Expected{{Attribute: "n", Operator: "BETWEEN", Values: []value.Value{five, five}}}, true},
		{"", []Expected{{Attribute: "n", Operator: "IN", Values: []value.Value{value.Num(value.NumberFromInt(1)), five}}}, true},
		{"", []Expected{{Attribute: "n", Operator: "NE", Value: s}}, true},
		{"", []Expected{{Attribute: "n", Operator: "GT", Value: s}}, false},
	} {
		r := &Request{Op: OpPut, Legacy: Legacy{Expected: c.entries, ConditionalOperator: c.operator}}
		plan, err := NewCache(0).Compile(r)
		if err != nil || plan.Condition.Holds(item) != c.want {
			t.Errorf("%s %+v: got %v, %v, want %v", c.operator, c.entries, !c.want, err, c.want)
		}
	}
}

func TestAttributeUpdatesRefuseValuesTheyCannotUse(t *testing.T) {
	update := func(action string, v value.Value) *Request {
		return &Request{Op: OpUpdate, Legacy: Legacy{AttributeUpdates: []AttributeUpdate{{"a", action, v}}}}
	}
	wantError(t, update("", value.Value{}), invalidValues+"Only DELETE action is allowed when no attribute value is specified")
	for kind := range strings.FieldsSeq("S N B NULL BOOL M L") {
		wantError(t, update("DELETE", sampleOf(value.ParseKind(kind))), invalidValues+"DELETE action with value is not supported for the type "+kind)
	}
	for kind := range strings.FieldsSeq("S B NULL BOOL M") {
		wantError(t, update("ADD", sampleOf(value.ParseKind(kind))), invalidValues+"ADD action is not supported for the type "+kind)
	}
}

func TestAttributeUpdatesChangeAsTheirActionsSay(t *testing.T) {
	one := value.Num(value.NumberFromInt(1))
	list := value.List([]value.Value{one})
	set, _ := value.StringSet([]string{"a", "b"})
	updates := []AttributeUpdate{
		{"put", "", one},
		{"put2", "PUT", one},
		{"gone", "DELETE", value.Value{}},
		{"set", "DELETE", set},
		{"count", "ADD", one},
		{"fresh", "ADD", one},
		{"list", "ADD", list},
		{"dotted.name", "PUT", one},
	}
	r := &Request{Op: OpUpdate, Legacy: Legacy{AttributeUpdates: updates}}
	plan, err := NewCache(0).Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	item := itemOf(t, `{"gone":{"S":""},"set":{"SS":["a","c"]},"count":{"N":"1"},"list":{"L":[{"S":"x"}]}}`)
	after, err := plan.Update.Apply(item)
	want := jsonOf(itemOf(t, `{"put":{"N":"1"},"put2":{"N":"1"},"set":{"SS":["c"]},"count":{"N":"2"},"fresh":{"N":"1"},
		"list":{"L":[{"S":"x"},{"N":"1"}]},"dotted.name":{"N":"1"}}`))
	if got := jsonOf(after); got != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if _, err := plan.Update.Apply(itemOf(t, `{"count":{"S":"x"}}`)); !errors.Is(err, ErrLegacyType) {
		t.Errorf("ADD of a number to a string: got %v, want %v", err, ErrLegacyType)
	}
}

func TestKeyConditionsArePlannedAsExpressionsAre(t *testing.T) {
	a, n := value.String("a"), value.Num(value.NumberFromInt(1))
	schema := schemaOf("h:S / r:N")
	for _, c := range []struct {
		conditions []Comparison
		want       string
	}{
		{[]Comparison{{"h", "EQ", []value.Value{a}, nil}}, `[{"S":"a"}] [] all`},
		{[]Comparison{{"r", "GE", []value.Value{n}, nil}, {"h", "EQ", []value.Value{a}, nil}}, `[{"S":"a"}] [] at least {"N":"1"}`},
		{[]Comparison{{"h", "EQ", []value.Value{a}, nil}, {"r", "BETWEEN", []value.Value{n, n}, nil}}, `[{"S":"a"}] [] between {"N":"1"} {"N":"1"}`},
		{[]Comparison{}, "Conditions can be of length 1 or 2 only"},
		{[]Comparison{{"h", "NULL", nil, nil}, {"r", "NULL", nil, nil}, {"x", "NULL", nil, nil}}, "Conditions can be of length 1 or 2 only"},
		{[]Comparison{{"x", "NULL", nil, nil}}, "Query condition missed key schema element: h"},
		{[]Comparison{{"h", "EQ", []value.Value{a}, nil}, {"x", "NULL", nil, nil}}, "Query condition missed key schema element: r"},
		{[]Comparison{{"h", "EQ", []value.Value{a}, nil}, {"r", "NULL", nil, nil}}, "Attempted conditional constraint is not an indexable operation"},
		{[]Comparison{{"h", "NE", []value.Value{a}, nil}}, "Attempted conditional constraint is not an indexable operation"},
		{[]Comparison{{"h", "CONTAINS", []value.Value{a}, nil}}, "Attempted conditional constraint is not an indexable operation"},
		{[]Comparison{{"h", "LE", []value.Value{a}, nil}}, "Query key condition not supported"},
	} {
		plan, err := NewCache(0).Compile(&Request{Op: OpQuery, Legacy: Legacy{KeyConditions: c.conditions}})
		got := ""
		if err == nil {
			got, err = planned(plan, schema)
		}
		if got += errorText(err); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.conditions, got, c.want)
		}
	}
}

func TestAttributesToGetShowWholeAttributes(t *testing.T) {
	r := &Request{Op: OpGet, Legacy: Legacy{AttributesToGet: []string{"m", "a.b", "gone"}}}
	plan, err := NewCache(0).Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	item := itemOf(t, `{"m":{"M":{"x":{"S":"1"}}},"a.b":{"S":"2"},"a":{"M":{"b":{"S":"3"}}}}`)
	if got, want := jsonOf(plan.Projection.Of(item)), `{"a.b":{"S":"2"},"m":{"M":{"x":{"S":"1"}}}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	wantError(t, &Request{Op: OpGet, Legacy: Legacy{AttributesToGet: []string{"a", "a"}}},
		"One or more parameter values were invalid: Duplicate value in attribute name: a")
}
