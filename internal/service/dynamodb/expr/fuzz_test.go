package expr

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/quick"

	"millrace/internal/service/dynamodb/value"
)

// FuzzCompile: no text ends the process or gives an error without a text of AWS, and what compiles can be evaluated.
func FuzzCompile(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if _, expression, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && !strings.HasPrefix(line, "error") {
				f.Add(expression)
			}
		}
	}
	for _, text := range []string{strings.Repeat("(", 4000), strings.Repeat("NOT ", 1000), strings.Repeat("size(", 800), strings.Repeat("a[1].", 800)} {
		f.Add(text)
	}
	item := itemOf(f, `{"a":{"S":"x"},"b":{"L":[{"M":{"c":{"N":"1"}}}]},"s":{"SS":["x"]},"n":{"N":"1"}}`)
	names := Names{{"#a", "a"}, {"#b", "b"}}
	values := itemOf(f, `{":a":{"S":"x"},":b":{"N":"1"},":l":{"L":[]},":n":{"N":"1"},":s":{"SS":["x"]},":v":{"S":"a"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		for k := ConditionExpression; k <= UpdateExpression; k++ {
			fuzzOne(t, k, text, names, values, item)
		}
	})
}

func fuzzOne(t *testing.T, k Kind, text string, names Names, values, item value.Item) {
	t.Helper()
	cache := NewCache(1)
	p, err := cache.program(k, text, names)
	if err == nil {
		u := usage{names: make([]bool, len(names)), values: make([]bool, len(values))}
		bound := u.bind(&Request{Names: names, Values: values}, p)
		if err = p.check(bound); err == nil {
			evaluate(t, p, bound, item)
		}
	}
	if err != nil && !strings.HasPrefix(err.Error(), "Invalid "+k.String()+": ") {
		t.Errorf("%s %q: got error %q", k, text, err)
	}
}

func evaluate(t *testing.T, p *program, values []value.Value, item value.Item) {
	t.Helper()
	switch p.kind {
	case ProjectionExpression:
		Projection{p}.Of(item)
	case UpdateExpression:
		u := Update{p, values}
		after, err := u.Apply(item)
		if err == nil && !sortedOnce(after) {
			t.Errorf("update left %s", jsonOf(after))
		}
		u.New(after)
	case KeyConditionExpression:
		var k KeyCondition
		_ = k.collect(p.root, values)
		_, _ = k.Plan(schemaOf("a:S b:N / s:S n:N"))
		fallthrough
	default:
		Condition{p, values}.Holds(item)
	}
}

func sortedOnce(item value.Item) bool {
	for i := 1; i < len(item); i++ {
		if item[i-1].Name >= item[i].Name {
			return false
		}
	}
	return true
}

func TestSizesOfStringsAreUTF16(t *testing.T) {
	same := func(s string) bool {
		got := utf16Len(s)
		units, _ := naiveSize(naive{"S": s})["N"].(string)
		want := value.NumberFromInt(int64(got)).String()
		return units == want
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
}
