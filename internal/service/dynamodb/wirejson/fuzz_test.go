package wirejson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"millrace/internal/service/dynamodb/value"
	"millrace/internal/service/dynamodb/value/valuetest"
)

// FuzzItem holds the decoder against encoding/json: both take the same bodies and read the same items, apart from names
// that come twice and bytes that are not UTF-8, which encoding/json sees otherwise.
func FuzzItem(f *testing.F) {
	f.Add([]byte(typical()))
	for _, s := range []string{
		`{"a":{"S":"x"},"b":{"N":"1e5"}}`, `{"a":{"X":[1,{}]},"b":{}}`, `{"a":{"S":"a","N":"1"}}`, `{"a":{"B":"AA=="}}`, `{"a":{"BS":["AA=="]}}`, `null`, `{"a":null}`,
		`{"a":{"L":[{"NULL":true},{"BOOL":false}]}}`, `{"a":{"S":"\ud83d\ude00\ud83d"}}`, `{"a":{"SS":["b","a"]}}`, `{"a":{"NS":["1","2"]}}`,
	} {
		f.Add([]byte(s))
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 10 {
		f.Add(AppendItemValue(nil, valuetest.Item(r, 6, 3)))
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, body []byte) {
		d.Reset(body)
		item := d.Item()
		accepted := d.End() == nil && d.Invalid() == nil && item != nil
		if accepted {
			if err := value.Check(item); err != nil {
				t.Fatalf("%q is stored as %x: %v", body, item, err)
			}
			if out, err := AppendItem(nil, item); err != nil || !json.Valid(out) {
				t.Fatalf("%q is written as %q, %v", body, out, err)
			}
		}
		if !utf8.Valid(body) || hasTwins(json.NewDecoder(bytes.NewReader(body))) {
			return
		}
		want, ok := naive(body)
		if ok && value.Map(want).Depth() > value.MaxDepth+1 {
			ok = false
		}
		if ok != accepted {
			t.Fatalf("%q: accepted %t (%v), by encoding/json %t", body, accepted, d.err, ok)
		}
		if ok && !bytes.Equal(item, value.AppendItem(nil, want)) {
			t.Fatalf("%q is stored as %x, by way of encoding/json as %x", body, item, value.AppendItem(nil, want))
		}
	})
}

// FuzzSkip holds what is passed over against encoding/json.
func FuzzSkip(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":null}],"c":{}}`, `[]`, `[[],{}]`, `"x"`, `-1.5e+3`, `{"a" : true , "b":false}`, `[1 ,`, `{"a":}`} {
		f.Add([]byte(s))
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, body []byte) {
		if !utf8.Valid(body) || bytes.Count(body, []byte{'['})+bytes.Count(body, []byte{'{'}) > maxNesting {
			return
		}
		d.Reset(body)
		d.Skip()
		if got, want := d.End() == nil, json.Valid(body); got != want {
			t.Fatalf("%q: passed over %t (%v), valid %t", body, got, d.err, want)
		}
	})
}

// hasTwins says whether some map of the JSON has a name twice.
func hasTwins(d *json.Decoder) bool {
	type level struct {
		names map[string]bool // nil in a list
		value bool            // a name was read
	}
	var open []level
	for {
		tok, err := d.Token()
		if err != nil {
			return false
		}
		top := len(open) - 1
		if top >= 0 && open[top].names != nil {
			if name, ok := tok.(string); ok && !open[top].value {
				if open[top].names[name] {
					return true
				}
				open[top].names[name], open[top].value = true, true
				continue
			}
			open[top].value = false
		}
		switch tok {
		case json.Delim('{'):
			open = append(open, level{names: map[string]bool{}})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
		}
	}
}

// naive reads an item with encoding/json; ok is false when the service would refuse it.
func naive(body []byte) (item value.Item, ok bool) {
	var m map[string]map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil || m == nil {
		return nil, false
	}
	var attrs []value.Attr
	for name, av := range m {
		v, ok := naiveValue(av)
		if !ok || name == "" {
			return nil, false
		}
		attrs = append(attrs, value.Attr{Name: name, Value: v})
	}
	return value.NewItem(attrs), true
}

// naiveValue wants one member that is a type and not null.
func naiveValue(av map[string]json.RawMessage) (v value.Value, ok bool) {
	for kind, raw := range av {
		if kind == "" || value.ParseKind(kind) == value.KindNone || string(raw) == "null" {
			continue
		}
		if !v.IsNone() {
			return v, false
		}
		if v, ok = naiveContent(kind, raw); !ok {
			return v, false
		}
	}
	return v, !v.IsNone()
}

func naiveContent(kind string, raw json.RawMessage) (value.Value, bool) {
	var s string
	var b bool
	switch kind {
	case "S", "N", "B":
		ok := json.Unmarshal(raw, &s) == nil
		v, valid := naiveText(kind, s)
		return v, ok && valid
	case "BOOL":
		ok := json.Unmarshal(raw, &b) == nil
		return value.Bool(b), ok
	case "NULL":
		ok := json.Unmarshal(raw, &b) == nil
		return value.Null(), ok && b
	case "M":
		m, ok := naive(raw)
		return value.Map(m), ok
	case "L":
		return naiveElems(raw)
	default:
		return naiveSet(kind, raw)
	}
}

func naiveText(kind, s string) (value.Value, bool) {
	switch kind {
	case "S":
		return value.String(s), true
	case "N":
		n, err := value.ParseNumber(s)
		return value.Num(n), err == nil
	default:
		data, err := base64.StdEncoding.Strict().DecodeString(s)
		return value.Binary(data), err == nil && !strings.ContainsAny(s, "\r\n")
	}
}

func naiveElems(raw json.RawMessage) (value.Value, bool) {
	var list []map[string]json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return value.Value{}, false
	}
	elems := make([]value.Value, len(list))
	for i, av := range list {
		v, ok := naiveValue(av)
		if !ok {
			return value.Value{}, false
		}
		elems[i] = v
	}
	return value.List(elems), true
}

func naiveSet(kind string, raw json.RawMessage) (v value.Value, ok bool) {
	var list []*string
	if json.Unmarshal(raw, &list) != nil {
		return v, false
	}
	var texts []string
	var numbers []value.Number
	for _, s := range list {
		if s == nil {
			return v, false
		}
		e, ok := naiveText(kind[:1], *s)
		if !ok {
			return v, false
		}
		texts, numbers = append(texts, e.Str()), append(numbers, e.Number())
	}
	var err error
	switch kind {
	case "SS":
		v, err = value.StringSet(texts)
	case "NS":
		v, err = value.NumberSet(numbers)
	default:
		v, err = value.BinarySet(texts)
	}
	return v, err == nil
}
