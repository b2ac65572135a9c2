package dynamodb

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"millrace/internal/api"
	"millrace/internal/service/dynamodb/wirejson"
	"millrace/internal/wire/aws/codec"
	"millrace/internal/wire/aws/hot"
)

// scripted are the lines of all scripts that are operations, as name and body.
func scripted(tb testing.TB) [][2]string {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no scripts: %v", err)
	}
	var lines [][2]string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if name, body, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "> "), " "); ok && strings.HasPrefix(line, "> ") {
				lines = append(lines, [2]string{name, body})
			}
		}
	}
	return lines
}

// jsons calls see for each value of two inputs of one type that stays JSON.
func jsons(a, b reflect.Value, see func(a, b api.JSON)) {
	if a.Type() == reflect.TypeFor[api.JSON]() {
		see(a.Interface().(api.JSON), b.Interface().(api.JSON))
		return
	}
	switch a.Kind() {
	case reflect.Pointer:
		if !a.IsNil() && !b.IsNil() {
			jsons(a.Elem(), b.Elem(), see)
		}
	case reflect.Struct:
		for i := range a.NumField() {
			jsons(a.Field(i), b.Field(i), see)
		}
	case reflect.Slice:
		for i := range min(a.Len(), b.Len()) {
			jsons(a.Index(i), b.Index(i), see)
		}
	case reflect.Map:
		for _, key := range a.MapKeys() {
			if v := b.MapIndex(key); v.IsValid() {
				jsons(a.MapIndex(key), v, see)
			}
		}
	default:
	}
}

// FuzzForms: a body that a codec by hand takes is taken by the general codec and has nothing that the checks of an input refuse, which are
// left out then. Each of its values is in the stored form that the service reads of the text, or is the text.
func FuzzForms(f *testing.F) {
	for _, line := range scripted(f) {
		f.Add(line[0], []byte(line[1]))
	}
	for _, item := range []string{
		`{"a":{"X":1,"S":"x"}}`, `{"a":{"S":"x","N":"1"}}`, `{"":{"S":"x"}}`, `{"a":{"N":"1e999"}}`, `{"a":{"NULL":false}}`, `{"a":{"SS":["a","a"]}}`, `{"a":{"B":"AA"}}`, `{"a":null}`,
		`{"a":{"BOOL":"no"},"a":{"S":"\ud83d\ude00"}}`, `{"a":{"L":[{"M":{"b":{"BS":["AA=="]}}}]}}`, `{"a":{"S":"x"}},"Item":{}`, `{"a":{"S":"x"}`, `[]`, `""`,
	} {
		f.Add("PutItem", []byte(`{"TableName":"tab","Item":`+item+`}`))
	}
	binding := Bind(start(f).svc)
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		op, byHand := binding.Operations[name], hot.For(binding, name)
		if op == nil || byHand == nil {
			return
		}
		s := hot.Get()
		defer s.Put()
		got := byHand.Decode(bytes.Clone(body), s)
		if got == nil {
			return
		}
		want := op.New()
		if err := codec.DecodeDynamoDB(body, op.Input, want); err != nil {
			t.Fatalf("%s %q: the general codec says %v", name, body, err)
		}
		if err := check(op.Input, want); err != nil {
			t.Fatalf("%s %q: the input is refused: %v", name, body, err)
		}
		jsons(reflect.ValueOf(got), reflect.ValueOf(want), func(got, want api.JSON) {
			var r reader
			if stored := r.stored(want); got.IsForm() && (r.err != nil || !bytes.Equal(got, stored)) {
				t.Errorf("%s %q: %q is read as %x, want %x, %v", name, body, want, got, stored, r.err)
			}
			if !got.IsForm() && !bytes.Equal(got, want) {
				t.Errorf("%s %q: value %q, want %q", name, body, got, want)
			}
		})
	})
}

// frontCall is one operation as the front runs it where it has a codec by hand; known is false where it has none, or that does not know the body.
func (c *caller) frontCall(name, body string) (answer string, known bool, err error) {
	binding := Bind(c.svc)
	codec := hot.For(binding, name)
	if codec == nil {
		return "", false, nil
	}
	s := hot.Get()
	defer s.Put()
	in := codec.Decode([]byte(body), s)
	if in == nil {
		return "", false, nil
	}
	ctx := c.ctx()
	call := api.CallFrom(ctx)
	call.Form, call.Checked = true, true
	out, err := binding.Operations[name].Invoke(ctx, in)
	if err != nil {
		return "", true, err
	}
	return string(codec.Append(nil, out)), true, nil
}

func TestWholeItemsAreAnsweredFromTheirStoredForm(t *testing.T) {
	c := start(t)
	c.create("tab", "pk:S")
	put(c, "tab", `{"pk":{"S":"a"},"n":{"N":"1.50"},"b":{"BOOL":true}}`)
	for body, want := range map[string]string{
		`{"TableName":"tab","Key":{"pk":{"S":"a"}}}`:                                  `{"Item":{"b":{"BOOL":true},"n":{"N":"1.5"},"pk":{"S":"a"}}}`,
		`{"TableName":"tab","Key":{"pk":{"S":"a"}},"ProjectionExpression":"n"}`:       `{"Item":{"n":{"N":"1.5"}}}`,
		`{"TableName":"tab","Key":{"pk":{"S":"none"}}}`:                               `{}`,
		`{"TableName":"tab","Key":{"pk":{"S":"a"}},"ProjectionExpression":"nothing"}`: `{"Item":{}}`,
	} {
		got, ok, err := c.frontCall("GetItem", body)
		if got != want || err != nil || !ok {
			t.Errorf("%s\n got %s, %v, %t\nwant %s", body, got, err, ok, want)
		}
	}
	if n := wirejson.Form.Size(api.JSON{1, 0, 0}); n < len("{}") {
		t.Errorf("an empty item: room for %d bytes, want 2", n)
	}
}
