package expr

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"millrace/internal/service/dynamodb/value"
)

// valueOf reads an attribute value as DynamoDB's JSON writes it.
func valueOf(tb testing.TB, raw json.RawMessage) value.Value {
	tb.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil || len(m) != 1 {
		tb.Fatalf("attribute value %s: %v", raw, err)
	}
	for name, raw := range m {
		v, err := valueOfKind(tb, value.ParseKind(name), raw)
		if err != nil {
			tb.Fatalf("attribute value %s: %v", raw, err)
		}
		return v
	}
	return value.Value{}
}

func valueOfKind(tb testing.TB, k value.Kind, raw json.RawMessage) (value.Value, error) {
	tb.Helper()
	switch k {
	case value.KindS:
		return value.String(decoded[string](tb, raw)), nil
	case value.KindN:
		n, err := value.ParseNumber(decoded[string](tb, raw))
		return value.Num(n), err
	case value.KindB:
		return value.Binary(decoded[[]byte](tb, raw)), nil
	case value.KindBOOL:
		return value.Bool(decoded[bool](tb, raw)), nil
	case value.KindNULL:
		return value.Null(), nil
	case value.KindM:
		return value.Map(itemOf(tb, string(raw))), nil
	case value.KindL:
		elems := []value.Value{}
		for _, e := range decoded[[]json.RawMessage](tb, raw) {
			elems = append(elems, valueOf(tb, e))
		}
		return value.List(elems), nil
	case value.KindSS:
		return value.StringSet(decoded[[]string](tb, raw))
	case value.KindBS:
		var elems []string
		for _, b := range decoded[[][]byte](tb, raw) {
			elems = append(elems, string(b))
		}
		return value.BinarySet(elems)
	case value.KindNS:
		var elems []value.Number
		for _, s := range decoded[[]string](tb, raw) {
			n, err := value.ParseNumber(s)
			if err != nil {
				return value.Value{}, err
			}
			elems = append(elems, n)
		}
		return value.NumberSet(elems)
	default:
		return value.Value{}, fmt.Errorf("kind %v", k)
	}
}

func decoded[T any](tb testing.TB, raw json.RawMessage) (v T) {
	tb.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		tb.Fatalf("%s: %v", raw, err)
	}
	return v
}

// itemOf reads an item, or ExpressionAttributeValues.
func itemOf(tb testing.TB, text string) value.Item {
	tb.Helper()
	attrs := []value.Attr{}
	for name, raw := range decoded[map[string]json.RawMessage](tb, json.RawMessage(text)) {
		attrs = append(attrs, value.Attr{Name: name, Value: valueOf(tb, raw)})
	}
	return value.NewItem(attrs)
}

func namesOf(tb testing.TB, text string) Names {
	tb.Helper()
	names := []Name{}
	for alias, name := range decoded[map[string]string](tb, json.RawMessage(text)) {
		names = append(names, Name{alias, name})
	}
	return NewNames(names)
}

// jsonOf writes an item as itemOf reads it, names sorted.
func jsonOf(item value.Item) string {
	fields := make([]string, 0, len(item))
	for _, a := range item {
		fields = append(fields, quoted(a.Name)+":"+jsonOfValue(a.Value))
	}
	return "{" + strings.Join(fields, ",") + "}"
}

func jsonOfValue(v value.Value) string {
	var content string
	switch v.Kind() {
	case value.KindS:
		content = quoted(v.Str())
	case value.KindN:
		content = quoted(v.Number().String())
	case value.KindB:
		content = quoted(base64.StdEncoding.EncodeToString(v.Bytes()))
	case value.KindBOOL:
		content = fmt.Sprint(v.Bool())
	case value.KindM:
		content = jsonOf(v.Map())
	case value.KindL:
		content = jsonList(v.List(), jsonOfValue)
	case value.KindSS:
		content = jsonList(v.Strings(), quoted)
	case value.KindBS:
		content = jsonList(v.Strings(), func(s string) string { return quoted(base64.StdEncoding.EncodeToString([]byte(s))) })
	case value.KindNS:
		content = jsonList(v.Numbers(), func(n value.Number) string { return quoted(n.String()) })
	default:
		content = "true"
	}
	return fmt.Sprintf("{%q:%s}", v.Kind(), content)
}

func jsonList[E any](elems []E, show func(E) string) string {
	parts := make([]string, len(elems))
	for i, e := range elems {
		parts[i] = show(e)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func quoted(s string) string {
	b, _ := json.Marshal(s) //nolint:errchkjson // a string always can
	return string(b)
}
