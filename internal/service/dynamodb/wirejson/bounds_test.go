package wirejson

import (
	"runtime"
	"strings"
	"testing"

	"millrace/internal/service/dynamodb/value"
)

func TestBodiesTakeNoMultipleOfTheirSize(t *testing.T) {
	for what, elem := range map[string]string{
		`{"a":{"SS":[%]}}`: `""`,
		`{"a":{"NS":[%]}}`: `"1"`,
		`{"a":{"L":[%]}}`:  `{}`,
		`{"a":{"M":{%}}}`:  `"":{}`,
		`{%}`:              `"":{}`,
	} {
		const size = 8 << 20
		body := strings.Replace(what, "%", strings.Repeat(elem+",", size/(len(elem)+1))+elem, 1)
		var d Decoder
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d.Reset([]byte(body))
		d.Item()
		invalid := d.Invalid()
		runtime.ReadMemStats(&after)
		if err := d.End(); err != nil || invalid == nil {
			t.Errorf("%s: %v, %v, want a value to be refused", what, invalid, err)
		}
		// The copy of the body, and a growing slice of elements, of which all together are five times the last.
		if got := after.TotalAlloc - before.TotalAlloc; got > size+100<<20 {
			t.Errorf("%s: %d MiB allocated for a body of %d MiB", what, got>>20, size>>20)
		}
		d.Reset(nil)
		if d.build.Pending() != 0 || cap(d.build.Bytes()) > 1<<20 {
			t.Errorf("%s: %d bytes kept", what, cap(d.build.Bytes()))
		}
	}
}

func TestTextsRepeatLittleOfALargeValue(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	elems := `"` + strings.Repeat(`a","`, 200_000) + `a"`
	var d Decoder
	for _, body := range []string{`{"a":{"N":"` + long + `"}}`, `{"a":{"SS":["` + long + `","` + long + `"]}}`, `{"a":{"SS":[` + elems + `]}}`} {
		_, invalid, err := decode(&d, body)
		if err != nil || invalid == nil {
			t.Errorf("%.60s: %v, %v, want a value to be refused", body, invalid, err)
			continue
		}
		if len(invalid.Error()) > 40<<10 || len(invalid.Older()) > 40<<10 {
			t.Errorf("%.60s: texts of %d and %d bytes", body, len(invalid.Error()), len(invalid.Older()))
		}
	}
}

func TestLargestItemIsRead(t *testing.T) {
	elems := make([]string, 102_000) // of 4 bytes: 408,000
	for i := range elems {
		elems[i] = string([]byte{'a' + byte(i%26), 'a' + byte(i/26%26), 'a' + byte(i/676%26), 'a' + byte(i/17576)})
	}
	body := `{"a":{"SS":["` + strings.Join(elems, `","`) + `"]}}`
	var d Decoder
	item, invalid, err := decode(&d, body)
	if err != nil || invalid != nil {
		t.Fatalf("%v, %v", invalid, err)
	}
	if v, err := value.Open(item); err != nil || v.Size() != 408_001 {
		t.Errorf("size %d, %v, want 408001", v.Size(), err)
	}
	if err := value.Check(item); err != nil {
		t.Error(err)
	}
}
