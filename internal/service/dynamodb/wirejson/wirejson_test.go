package wirejson

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/internal/service/dynamodb/value"
	"millrace/internal/service/dynamodb/value/valuetest"
)

// decode reads a body that is one item, as {"a":{"S":"x"}}.
func decode(d *Decoder, body string) (item []byte, invalid *value.Error, err error) {
	d.Reset([]byte(body))
	item = d.Item()
	if e := d.End(); e != nil {
		return nil, nil, e
	}
	return item, d.Invalid(), nil
}

func TestItemsGoThereAndBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var d Decoder
	for range 3000 {
		item := valuetest.Item(r, 16, 4)
		want := value.AppendItem(nil, item)
		body := AppendItemValue(nil, item)
		if !json.Valid(body) {
			t.Fatalf("no JSON: %s", body)
		}
		got, invalid, err := decode(&d, string(body))
		if err != nil || invalid != nil || string(got) != string(want) {
			t.Fatalf("%s\n is read as %x, %v, %v\nwant       %x", body, got, invalid, err, want)
		}
		again, err := AppendItem(nil, got)
		if err != nil || string(again) != string(body) {
			t.Fatalf("%x is written as %s, %v\nwant %s", got, again, err, body)
		}
	}
}

func TestWhatNeedsNoOrderIsRead(t *testing.T) {
	var d Decoder
	for body, want := range map[string]string{
		` { "b" : { "N" : "1.0" } , "a" : { "S" : "\u00e9\ud83d\ude00\/\"" } } `: `{"a":{"S":"é😀/\""},"b":{"N":"1"}}`,
		`{"a":{"S":"1"},"a":{"S":"2"}}`:                                          `{"a":{"S":"2"}}`,
		`{"a":{"S":"1","S":"2"}}`:                                                `{"a":{"S":"2"}}`,
		`{"a":{"X":[{"y":null},1e5,[]],"S":"1","N":null}}`:                       `{"a":{"S":"1"}}`,
		`{"a":{"NS":["3","1","2.50"]}}`:                                          `{"a":{"NS":["1","2.5","3"]}}`,
		`{"a":{"SS":["b",""]}}`:                                                  `{"a":{"SS":["","b"]}}`,
		`{"a":{"L":[]},"b":{"M":{}},"c":{"S":""},"d":{"B":""}}`:                  `{"a":{"L":[]},"b":{"M":{}},"c":{"S":""},"d":{"B":""}}`,
		`{"a":{"BS":["/w==","AAE="]}}`:                                           `{"a":{"BS":["AAE=","/w=="]}}`,
		`{"\u0061":{"M":{"z\n":{"BOOL":false},"y":{"NULL":true}}}}`:              `{"a":{"M":{"y":{"NULL":true},"z\n":{"BOOL":false}}}}`,
		`{}`: `{}`,
	} {
		item, invalid, err := decode(&d, body)
		if err != nil || invalid != nil {
			t.Errorf("%s: %v, %v", body, invalid, err)
			continue
		}
		if got, _ := AppendItem(nil, item); string(got) != want {
			t.Errorf("%s\n reads as %s\nwant     %s", body, got, want)
		}
		if err := value.Check(item); err != nil {
			t.Errorf("%s: stored as %x: %v", body, item, err)
		}
	}
}

// Source: dynalite, test/helpers.js, assertType.
func TestWrongShapesHaveTheTextsOfTheService(t *testing.T) {
	const (
		dict  = "Start of structure or map found where not expected"
		field = "Unexpected field type"
		in    = "Unexpected value type in payload"
		av    = "com.amazonaws.dynamodb.v20120810.AttributeValue"
		blob  = "only base-64-encoded strings are convertible to bytes"
		last  = "Invalid last non-pad Base64 character dectected"
	)
	texts := map[string][][2]string{
		`{"a":{"S":%}}`: {
			{`true`, "TRUE_VALUE cannot be converted to String"},
			{`false`, "FALSE_VALUE cannot be converted to String"},
			{`23`, "NUMBER_VALUE cannot be converted to String"},
			{`-2147483648`, "NUMBER_VALUE cannot be converted to String"},
			{`34.56`, "DECIMAL_VALUE cannot be converted to String"},
			{`[]`, "Unrecognized collection type class java.lang.String"},
			{`{}`, dict},
		},
		`{"a":{"BOOL":%}}`: {
			{`"23"`, "Unexpected token received from parser"},
			{`23`, "NUMBER_VALUE cannot be converted to Boolean"},
			{`34.56`, "DECIMAL_VALUE cannot be converted to Boolean"},
			{`[]`, "Unrecognized collection type class java.lang.Boolean"},
			{`{}`, dict},
		},
		`{"a":{"B":%}}`: {
			{`true`, blob},
			{`23`, blob},
			{`34.56`, blob},
			{`[]`, "Unrecognized collection type class java.nio.ByteBuffer"},
			{`{}`, dict},
			{`"23456"`, "Base64 encoded length is expected a multiple of 4 bytes but found: 5"},
			{`"=+/="`, last},
			{`"+/+="`, last},
			{`"AB=="`, last},
			{`"AA\n="`, "Invalid Base64 character: '\n'"},
		},
		`{"a":{"SS":%}}`: {{`"23"`, field}, {`true`, field}, {`34.56`, field}, {`{}`, dict}, {`[1]`, "NUMBER_VALUE cannot be converted to String"}},
		`{"a":{"BS":%}}`: {{`[true]`, blob}, {`["23456"]`, "Base64 encoded length is expected a multiple of 4 bytes but found: 5"}},
		`{"a":{"L":%}}`:  {{`"23"`, field}, {`{}`, dict}, {`["23"]`, in}, {`[true]`, in}, {`[[]]`, "Unrecognized collection type class " + av}},
		`{"a":{"M":%}}`: {
			{`"23"`, field},
			{`[]`, "Unrecognized collection type java.util.Map<java.lang.String, " + av + ">"},
			{`{"a":1}`, in},
			{`{"a":[]}`, "Unrecognized collection type class " + av},
		},
		`{"a":%}`: {{`"23"`, in}, {`true`, in}, {`[]`, "Unrecognized collection type class " + av}},
		`%`:       {{`"x"`, field}, {`1`, field}, {`[]`, "Unrecognized collection type java.util.Map<java.lang.String, " + av + ">"}},
	}
	var d Decoder
	for body, cases := range texts {
		for _, c := range cases {
			b := strings.Replace(body, "%", c[0], 1)
			_, _, err := decode(&d, b)
			if err == nil || d.err.Code != "SerializationException" || d.err.Message != c[1] {
				t.Errorf("%s: %v\nwant %s", b, err, c[1])
			}
		}
	}
}

func TestBodiesThatAreNotJSONAreRefusedWithoutAText(t *testing.T) {
	var d Decoder
	for _, body := range []string{
		``, `{`, `{"a"`, `{"a":`, `{"a":{`, `{"a":{"S":"x`, `{"a":{"S":"x"}`, `{"a":{"S":"x"}}}`, `{"a":{"S":"x"},}`, `{,}`, `{"a" {"S":"x"}}`,
		`{"a":{"S":"x" "N":"1"}}`, `{"a":{"S":"x"} "b":{"S":"y"}}`, `{"a":{"L":[,]}}`, `{"a":{"L":[{"S":"x"},]}}`, `{"a":{"S":tru}}`,
		`{"a":{"S":"` + "\x01" + `"}}`, `{"a":{"S":"` + "\xff" + `"}}`, `{"a":{"S":"\x"}}`, `{"a":{"S":"\u12"}}`, `{"a":{"X":1.}}`,
		`{"a":{"X":[1 2]}}`, `{"a":{"X":{"b" 1}}}`, `{"a":{"X":{"b":1,}}}`, `{"a":{"X":[1,]}}`, `{"a":{"X":nul}}`, `{"a":{"X":]}}`, `{1:{"S":"x"}}`,
		`{"a":{"X":` + strings.Repeat("[", 1001) + strings.Repeat("]", 1001) + `}}`, "{\"a\":{\"S\":\"x\"}}\x00",
	} {
		if _, _, err := decode(&d, body); err == nil || d.err.Message != "" {
			t.Errorf("%.60s: %v, want an error without a text", body, err)
		}
	}
}

func TestWhatIsWrongWithValuesIsToldAfterTheBodyWasRead(t *testing.T) {
	deep := func(maps int) string {
		return `{"a":` + strings.Repeat(`{"M":{"n":`, maps) + `{"S":"leaf"}` + strings.Repeat(`}}`, maps) + `}`
	}
	const sets = "One or more parameter values were invalid: "
	var d Decoder
	for body, want := range map[string]string{
		`{"a":{}}`:                            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
		`{"a":null}`:                          "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
		`{"a":{"S":null,"X":1}}`:              "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
		`{"a":{"L":[null]}}`:                  "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
		`{"a":{"S":"a","N":"1"}}`:             "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
		`{"a":{"S":"a","N":"x"}}`:             "The parameter cannot be converted to a numeric value: x",
		`{"a":{"N":"1e126"},"b":{}}`:          "Number overflow. Attempting to store a number with magnitude larger than supported range",
		`{"a":{"M":{"b":{"N":""}}}}`:          "The parameter cannot be converted to a numeric value: ",
		`{"a":{"NULL":false}}`:                sets + "Null attribute value types must have the value of true",
		`{"a":{"SS":[]}}`:                     sets + "An string set  may not be empty",
		`{"a":{"NS":[]}}`:                     sets + "An number set  may not be empty",
		`{"a":{"BS":[]}}`:                     sets + "Binary sets should not be empty",
		`{"a":{"SS":["b","a","b"]}}`:          sets + `Input collection ["a", "b", "b"] contains duplicates.`,
		`{"a":{"NS":["1","1.0"]}}`:            sets + "Input collection contains duplicates.",
		`{"a":{"BS":["/w==","AA==","AA=="]}}`: sets + `Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.`,
		`{"a":{"BS":[null]}}`:                 sets + "Binary sets may not contain null or empty values",
		deep(32):                              "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
		deep(300):                             "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
	} {
		_, invalid, err := decode(&d, body)
		if err != nil || invalid == nil || invalid.Error() != want {
			t.Errorf("%.80s: %v, %v\nwant %s", body, invalid, err, want)
		}
		if again := d.Invalid(); again != nil {
			t.Errorf("%.80s: told twice: %v", body, again)
		}
		// A wrong shape behind it counts more.
		bad := strings.TrimSuffix(body, "}") + `,"z":{"S":1}}`
		if _, _, err := decode(&d, bad); err == nil || d.err.Message != "NUMBER_VALUE cannot be converted to String" {
			t.Errorf("%.80s: %v, want the wrong shape behind it", bad, err)
		}
	}
	if _, invalid, err := decode(&d, deep(31)); err != nil || invalid != nil {
		t.Errorf("31 maps: %v, %v, want them read", invalid, err)
	}
}

func TestStructuresAreWalked(t *testing.T) {
	const body = `{"TableName":"t\n","Limit":12.9,"Big":1e99,"Consistent":true,"Unknown":{"x":[1,{"y":null}]},"Names":["a","b"],
		"Key":{"pk":{"S":"k"}},"Values":{":v":{"N":"5"},":w":{"S":"x"}},"Inner":{"A":"1"},"Nothing":null}`
	var d Decoder
	d.Reset([]byte(body))
	got := map[string]string{}
	for name, ok := d.Body(), false; name || ok; {
		var member string
		if member, ok = d.Member(); !ok {
			break
		}
		name = false
		switch member {
		case "TableName":
			got[member], _ = d.String()
		case "Limit", "Big":
			i, _ := d.Int()
			got[member] = value.NumberFromInt(int64(i)).String()
		case "Consistent":
			if b, ok := d.Bool(); b && ok {
				got[member] = "true"
			}
		case "Names":
			for more := d.OpenList(); more && d.More(); {
				s, _ := d.String()
				got[member] += s
			}
		case "Key":
			b, _ := AppendItem(nil, d.Item())
			got[member] = string(b)
		case "Values":
			if d.OpenMap(attributeValue) {
				for name, ok := d.Member(); ok; name, ok = d.Member() {
					got[name] = string(AppendRaw(nil, d.Elem()))
				}
			}
		case "Inner":
			if d.Open("Inner") {
				for name, ok := d.Member(); ok; name, ok = d.Member() {
					got[member+name], _ = d.String()
				}
			}
		case "Nothing":
			if d.Value() == nil {
				got[member] = "null"
			}
		default:
			d.Skip()
		}
	}
	if err := d.End(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"TableName": "t\n", "Limit": "12", "Big": "2147483647", "Consistent": "true", "Names": "ab", "Key": `{"pk":{"S":"k"}}`,
		":v": `{"N":"5"}`, ":w": `{"S":"x"}`, "InnerA": "1", "Nothing": "null",
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
}

func TestWhatWasReadStaysWhileMoreIsRead(t *testing.T) {
	var d Decoder
	for range 3 {
		d.Reset([]byte(`[{"a":{"S":"first \u00e9"}},{"b":{"S":"` + strings.Repeat("x", 10_000) + `"}},{"c":{"SS":["2","1"]}}]`))
		d.OpenList()
		var items [][]byte
		for d.More() {
			items = append(items, d.Item())
		}
		if err := d.End(); err != nil {
			t.Fatal(err)
		}
		got, _ := AppendItem(nil, items[0])
		if want := `{"a":{"S":"first é"}}`; string(got) != want {
			t.Errorf("first item is now %s, want %s", got, want)
		}
		for i, item := range items {
			if err := value.Check(item); err != nil {
				t.Errorf("item %d: %v", i, err)
			}
		}
	}
}

// typical is an item of 14 attributes whose JSON has 1,156 bytes.
func typical() string {
	body := `{"pk":{"S":"customer#0123456789"},"sk":{"S":"order#2026-11-20T13:18:57Z#000042"},"status":{"S":"SHIPPED"},` +
		`"total":{"N":"1234.56"},"items":{"N":"7"},"created":{"N":"1732104000"},"updated":{"N":"1732190400.25"},"paid":{"BOOL":true},` +
		`"gift":{"BOOL":false},"note":{"NULL":true},"tags":{"SS":["priority","fragile","europe"]},` +
		`"thumb":{"B":"iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAYAAAAf8/9hAAAABHNCSVQICAgIfAhkiA=="},` +
		`"address":{"M":{"street":{"S":"Friedrichstrasse 123"},"city":{"S":"Berlin"},"zip":{"S":"10117"}}},"text":{"S":"`
	return body + strings.Repeat("The quick brown fox jumps over the lazy dog. ", 20)[:1156-len(body)-3] + `"}}`
}

func TestTheTypicalItemNeedsNoAllocation(t *testing.T) {
	body := []byte(typical())
	if len(body) != 1156 || !json.Valid(body) {
		t.Fatalf("the typical item has %d bytes, want 1156 of JSON", len(body))
	}
	var d Decoder
	var item, out []byte
	if n := testing.AllocsPerRun(100, func() {
		d.Reset(body)
		item = d.Item()
		out, _ = AppendItem(out[:0], item)
	}); n != 0 {
		t.Errorf("reading and writing the typical item allocates %v times, want 0", n)
	}
	v, err := value.Open(item)
	if err != nil || v.Len() != 14 {
		t.Errorf("typical item: %d attributes, %v", v.Len(), err)
	}
}

func BenchmarkDecodeItem(b *testing.B) {
	body := []byte(typical())
	var d Decoder
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		d.Reset(body)
		if d.Item() == nil || d.End() != nil {
			b.Fatal(d.Err())
		}
	}
}

func BenchmarkEncodeItem(b *testing.B) {
	var d Decoder
	d.Reset([]byte(typical()))
	item := d.Item()
	var out []byte
	b.SetBytes(1156)
	b.ReportAllocs()
	for b.Loop() {
		out, _ = AppendItem(out[:0], item)
	}
}
