package expr

import (
	"errors"
	"strings"
	"testing"

	"millrace/internal/service/dynamodb/value"
)

func TestParametersThatExcludeEachOtherAreNamed(t *testing.T) {
	text, empty := "a = :v", ""
	two := []Comparison{{"a", "NULL", nil, nil}, {"b", "NULL", nil, nil}}
	values := itemOf(t, `{":v":{"S":"x"}}`)
	const mixed = "Can not use both expression and non-expression parameters in the same request: "
	for _, c := range []struct {
		r    Request
		want string
	}{
		{
			Request{Op: OpUpdate, Condition: &empty, Update: &empty, Names: Names{}, Values: value.Item{}, Legacy: Legacy{Expected: []Expected{}, AttributeUpdates: []AttributeUpdate{}}},
			mixed + "Non-expression parameters: {AttributeUpdates, Expected} Expression parameters: {UpdateExpression, ConditionExpression}",
		},
		{
			Request{Op: OpScan, Filter: &text, Projection: &text, Legacy: Legacy{AttributesToGet: []string{"a"}, ScanFilter: two, ConditionalOperator: "AND"}},
			mixed + "Non-expression parameters: {AttributesToGet, ScanFilter, ConditionalOperator} Expression parameters: {ProjectionExpression, FilterExpression}",
		},
		{
			Request{Op: OpQuery, Filter: &text, Projection: &text, KeyCondition: &text, Legacy: Legacy{KeyConditions: two, QueryFilter: two, ConditionalOperator: "AND"}},
			mixed + "Non-expression parameters: {QueryFilter, ConditionalOperator, KeyConditions} Expression parameters: {ProjectionExpression, FilterExpression, KeyConditionExpression}",
		},
		{Request{Op: OpQuery, Filter: &text, Values: values, Legacy: Legacy{KeyConditions: two}}, ""},
		{
			Request{Op: OpPut, Condition: &text, Values: values, Legacy: Legacy{ConditionalOperator: "OR"}},
			mixed + "Non-expression parameters: {ConditionalOperator} Expression parameters: {ConditionExpression}",
		},
		{Request{Op: OpScan, Legacy: Legacy{ConditionalOperator: "AND", ScanFilter: []Comparison{}}}, "ConditionalOperator cannot be used without Filter or Expected"},
		{Request{Op: OpScan, Legacy: Legacy{ConditionalOperator: "AND", ScanFilter: two[:1]}}, "ConditionalOperator can only be used when Filter or Expected has two or more elements"},
		{Request{Op: OpQuery, Legacy: Legacy{ConditionalOperator: "AND"}}, "ConditionalOperator cannot be used without Filter or Expected"},
		{Request{Op: OpUpdate, Names: Names{}, Values: value.Item{}}, "ExpressionAttributeNames can only be specified when using expressions"},
		{Request{Op: OpUpdate, Values: value.Item{}}, "ExpressionAttributeValues can only be specified when using expressions"},
		{Request{Op: OpTransactUpdate, Older: true, Values: value.Item{}}, "ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and ConditionExpression are null"},
		{Request{Op: OpPut, Values: value.Item{}}, "ExpressionAttributeValues can only be specified when using expressions"},
		{Request{Op: OpPut, Older: true, Values: value.Item{}}, "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null"},
		{Request{Op: OpPut, Condition: &empty, Names: Names{}, Values: value.Item{}}, "ExpressionAttributeNames must not be empty"},
		{Request{Op: OpPut, Condition: &empty, Values: value.Item{}}, "ExpressionAttributeValues must not be empty"},
		{Request{Op: OpPut, Condition: &empty, Names: Names{{"a", "a"}}}, `ExpressionAttributeNames contains invalid key: Syntax error; key: "a"`},
		{Request{Op: OpPut, Condition: &empty, Names: Names{{"#a-b", "a"}}}, `ExpressionAttributeNames contains invalid key: Syntax error; key: "#a-b"`},
		{Request{Op: OpPut, Condition: &empty, Names: Names{{"#" + strings.Repeat("a", 255), "a"}}}, "The expression attribute map contains a key that is too long; key: #" + strings.Repeat("a", 255)},
		{Request{Op: OpPut, Condition: &empty, Names: Names{{"#a", strings.Repeat("a", 65536)}}}, "ExpressionAttributeNames contains invalid value: Attribute name is too large, must be less than 65536 bytes for key #a"},
		{Request{Op: OpPut, Condition: &empty, Names: Names{{"#a", ""}}}, `ExpressionAttributeNames contains invalid value: Empty attribute name for key #a`},
		{
			Request{Op: OpPut, Condition: &empty, Values: itemOf(t, `{"b":{"S":"a"}}`), BadValue: errors.New("x"), BadKey: ":a"},
			`ExpressionAttributeValues contains invalid key: Syntax error; key: "b"`,
		},
		{
			Request{Op: OpPut, Condition: &empty, BadValue: value.ErrDuplicateNumbers, BadKey: ":b"},
			"ExpressionAttributeValues contains invalid value: Input collection contains duplicates for key :b",
		},
	} {
		_, err := NewCache(0).Compile(&c.r)
		if got := errorText(err); got != c.want {
			t.Errorf("got %q, want %q of %+v", got, c.want, c.r)
		}
	}
}

func TestNamesAndValuesThatNothingUsesAreRefused(t *testing.T) {
	condition, update := "a = :b", "remove a set b = list_append(b, if_not_exists(a, :a))"
	r := Request{Op: OpUpdate, Condition: &condition, Names: namesOf(t, `{"#b":"b","#a":"a"}`), Values: itemOf(t, `{":b":{"S":"a"}}`)}
	wantError(t, &r, "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #b}")
	r.Names, r.Values = nil, itemOf(t, `{":a":{"L":[]},":b":{"S":"a"},":c":{"S":"a"},":d":{"S":"a"}}`)
	wantError(t, &r, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:a, :c, :d}")
	r.Update = &update
	r.Values = itemOf(t, `{":a":{"L":[]},":b":{"S":"a"}}`)
	wantError(t, &r, "")
}

func TestLimitsOfExpressionsAreTheServices(t *testing.T) {
	chain := func(n int) string { return "a = :v" + strings.Repeat(" AND a=:v", n-1) }
	values := itemOf(t, `{":v":{"S":"x"}}`)
	padded := func(n int) string { return "a = :v" + strings.Repeat(" ", n-6) }
	in := func(n int) string { return "a IN (:v" + strings.Repeat(",:v", n-1) + ")" }
	for _, c := range []struct{ text, want string }{
		{padded(4096), ""},
		{padded(4097), "Invalid FilterExpression: Expression size has exceeded the maximum allowed size;"},
		{chain(150), ""}, // 150 comparisons and 149 ANDs
		{chain(151), "Invalid FilterExpression: The expression contains too many operators; operator count: 301"},
		{in(100), ""},
		{in(101), "Invalid FilterExpression: The IN operator is provided with too many operands; number of operands: 101"},
		{strings.Repeat("NOT ", 299) + "a = :v", ""},
		{strings.Repeat("NOT ", 1000) + "a = :v", "Invalid FilterExpression: The expression contains too many operators; operator count: 601"},
		{strings.Repeat("(", 2000) + "a = :v" + strings.Repeat(")", 2000), "Invalid FilterExpression: The expression has redundant parentheses;"},
	} {
		_, err := NewCache(0).Compile(&Request{Op: OpScan, Filter: &c.text, Values: values})
		if got := errorText(err); got != c.want {
			t.Errorf("%.60s… of %d bytes: got %q, want %q", c.text, len(c.text), got, c.want)
		}
	}
}

func TestReservedWordsAreTheGuides(t *testing.T) {
	if len(reserved) != 573 {
		t.Errorf("got %d reserved words, want 573", len(reserved))
	}
	for word := range reserved {
		text := strings.ToLower(word)
		_, err := NewCache(0).Compile(&Request{Op: OpGet, Projection: &text})
		if want := "Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: " + text; errorText(err) != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for _, name := range []string{"id", "pk", "LOCALTIMESTAMPS", "a_very_long_name_that_is_none", "z_"} {
		if _, err := NewCache(0).Compile(&Request{Op: OpGet, Projection: &name}); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestKeysAreNeitherUpdatedNorEntered(t *testing.T) {
	compile := func(r Request) Plan {
		t.Helper()
		plan, err := NewCache(0).Compile(&r)
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	update, filter, projection := "SET d[1] = x REMOVE b.c", "a.b = c AND k = c", "p.q, r"
	plan := compile(Request{Op: OpUpdate, Update: &update})
	for keys, want := range map[string]string{
		"a b": "One or more parameter values were invalid: Cannot update attribute b. This attribute is part of the key",
		"d b": "One or more parameter values were invalid: Cannot update attribute d. This attribute is part of the key",
		"x c": "",
	} {
		if err := plan.Update.CheckKeys(strings.Fields(keys)...); errorText(err) != want {
			t.Errorf("keys %s: got %v, want %q", keys, err, want)
		}
	}
	plan = compile(Request{Op: OpScan, Filter: &filter, Projection: &projection})
	const scalar = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
	if err := plan.CheckScalars(false, "k", "a"); errorText(err) != scalar+"Key: a" {
		t.Errorf("got %v", err)
	}
	if err := plan.CheckScalars(true, "r", "p"); errorText(err) != scalar+"IndexKey: p" {
		t.Errorf("got %v", err)
	}
	if err := plan.CheckScalars(true, "r", "k", "c"); err != nil {
		t.Errorf("got %v", err)
	}
	want := "Filter Expression can only contain non-primary key attributes: Primary key attribute: k"
	if err := plan.Filter.CheckFilterKeys("x", "k"); errorText(err) != want {
		t.Errorf("got %v, want %q", err, want)
	}
	plan = compile(Request{Op: OpQuery, Legacy: Legacy{KeyConditions: []Comparison{{"h", "NULL", nil, nil}}, QueryFilter: []Comparison{{"k", "NULL", nil, nil}}}})
	want = "QueryFilter can only contain non-primary key attributes: Primary key attribute: k"
	if err := plan.Filter.CheckFilterKeys("k"); errorText(err) != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestPlanOfARequestWithoutParametersHoldsAndChangesNothing(t *testing.T) {
	plan, err := NewCache(0).Compile(&Request{Op: OpUpdate})
	if err != nil {
		t.Fatal(err)
	}
	item := itemOf(t, `{"a":{"S":"x"}}`)
	after, err := plan.Update.Apply(item)
	if !plan.Condition.IsZero() || !plan.Update.IsZero() || !plan.Projection.IsZero() || !plan.Filter.Holds(item) || !after.Equal(item) || err != nil {
		t.Errorf("got %+v, which makes %s of %s, %v", plan, jsonOf(after), jsonOf(item), err)
	}
	if plan.Update.Touched() != nil || plan.Update.Old(item) != nil || plan.Projection.Paths() != nil || plan.Projection.Of(item) != nil {
		t.Errorf("got paths of %+v", plan)
	}
	if err := plan.Update.CheckKeys("a"); err != nil {
		t.Errorf("got %v", err)
	}
	plan, err = NewCache(0).Compile(&Request{Op: OpUpdate, Legacy: Legacy{AttributeUpdates: []AttributeUpdate{}}})
	if err != nil {
		t.Fatal(err)
	}
	if after, err := plan.Update.Apply(item); !after.Equal(item) || err != nil {
		t.Errorf("empty AttributeUpdates made %s of %s, %v", jsonOf(after), jsonOf(item), err)
	}
}

func TestPathsOfAnUpdateAreTold(t *testing.T) {
	text := "SET a.b = if_not_exists(c[1], d) + e REMOVE f"
	plan, err := NewCache(0).Compile(&Request{Op: OpUpdate, Update: &text})
	if err != nil {
		t.Fatal(err)
	}
	var read strings.Builder
	plan.Update.Reads(func(p Path) bool {
		read.WriteString(p.String())
		return p.Root() != "d"
	})
	if got, want := read.String(), "[c, [1]][d]"; got != want {
		t.Errorf("%s reads up to d: got %s, want %s", text, got, want)
	}
	var touched strings.Builder
	for _, p := range plan.Update.Touched() {
		touched.WriteString(p.String())
	}
	if got, want := touched.String(), "[a, b][f]"; got != want {
		t.Errorf("%s touches: got %s, want %s", text, got, want)
	}
}
