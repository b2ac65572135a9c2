package expr

import (
	"fmt"
	"sync"
	"testing"

	"millrace/internal/service/dynamodb/value"
)

func TestCacheTellsNamesApart(t *testing.T) {
	cache := NewCache(0)
	text := "attribute_exists(#a)"
	for _, name := range []string{"p", "q", "p"} {
		plan, err := cache.Compile(&Request{Op: OpScan, Filter: &text, Names: Names{{"#a", name}}})
		if err != nil {
			t.Fatal(err)
		}
		item := value.Item{{Name: "p", Value: value.Null()}}
		if got := plan.Filter.Holds(item); got != (name == "p") {
			t.Errorf("%s with #a = %s on %s: got %v", text, name, jsonOf(item), got)
		}
	}
	if got := cache.Len(); got != 2 {
		t.Errorf("got %d entries, want 2", got)
	}
}

func TestCacheIsBoundedAndKeepsNothingRefused(t *testing.T) {
	cache := NewCache(64)
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 500 {
				text := fmt.Sprintf("a%d = b%d", i, g)
				if _, err := cache.Compile(&Request{Op: OpScan, Filter: &text}); err != nil {
					t.Error(err)
				}
				text = fmt.Sprintf("a%d = = b", i)
				if _, err := cache.Compile(&Request{Op: OpScan, Filter: &text}); err == nil {
					t.Errorf("%s: no error", text)
				}
				text = fmt.Sprintf("#a%d = b", i)
				if _, err := cache.Compile(&Request{Op: OpScan, Filter: &text}); err == nil {
					t.Errorf("%s: no error", text)
				}
			}
		})
	}
	group.Wait()
	if got := cache.Len(); got == 0 || got > 64 {
		t.Errorf("got %d entries, want 1 to 64", got)
	}
}

func TestCachedExpressionDoesNotAliasItsRequest(t *testing.T) {
	cache := NewCache(0)
	buffer := []byte("attribute_exists(name_in_buffer)")
	compile := func() Plan {
		t.Helper()
		text := value.Binary(buffer).Str() // aliases, as a decoder's strings do
		plan, err := cache.Compile(&Request{Op: OpScan, Filter: &text})
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	plan := compile()
	clear(buffer)
	item := value.Item{{Name: "name_in_buffer", Value: value.Null()}}
	if !plan.Filter.Holds(item) {
		t.Errorf("attribute_exists(name_in_buffer) does not hold of %s", jsonOf(item))
	}
}

func TestStoredItemIsReadAsOneInMemory(t *testing.T) {
	item := itemOf(t, `{"a":{"S":"x"},"m":{"M":{"l":{"L":[{"N":"1"},{"N":"2"}]}}},"z":{"BOOL":true}}`)
	view, err := value.Open(value.AppendItem(nil, item))
	if err != nil {
		t.Fatal(err)
	}
	filter, projection := "m.l[1] = :two AND a = :x AND attribute_not_exists(q)", "m.l[1], a, q.r"
	plan, err := NewCache(0).Compile(&Request{Op: OpScan, Filter: &filter, Projection: &projection, Values: itemOf(t, `{":two":{"N":"2"},":x":{"S":"x"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	stored := NewStored(view)
	if !plan.Filter.Holds(stored) || !plan.Filter.Holds(item) {
		t.Errorf("%s does not hold", filter)
	}
	if got, want := jsonOf(plan.Projection.Of(stored)), jsonOf(plan.Projection.Of(item)); got != want || stored.Err() != nil {
		t.Errorf("got %s, %v, want %s", got, stored.Err(), want)
	}
}
