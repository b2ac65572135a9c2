package dynamodb

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// wantCounts compares ItemCount and TableSizeBytes.
func (c *caller) wantCounts(when, name string, items, size int64) {
	c.t.Helper()
	if d := c.describe(name); *d.ItemCount != items || *d.TableSizeBytes != size {
		c.t.Errorf("%s: got %d items of %d bytes, want %d of %d", when, *d.ItemCount, *d.TableSizeBytes, items, size)
	}
}

func TestSmallTablesAreCountedExactlyAtOnce(t *testing.T) {
	c := start(t)
	c.create("small", "pk:S")
	c.wantCounts("new", "small", 0, 0)
	for i := range countItems - 1 {
		put(c, "small", fmt.Sprintf(`{"pk":{"S":"%04d"}}`, i))
	}
	c.wantCounts("after puts", "small", countItems-1, 6*(countItems-1))
	put(c, "small", `{"pk":{"S":"0000"},"more":{"S":"12345"}}`)
	c.wantCounts("after a change", "small", countItems-1, 6*(countItems-1)+9)
	if _, err := c.svc.DeleteItem(c.ctx(), &dynamodbapi.DeleteItemInput{TableName: "small", Key: api.JSON(`{"pk":{"S":"0000"}}`)}); err != nil {
		t.Fatal(err)
	}
	c.wantCounts("after a delete", "small", countItems-2, 6*(countItems-2))
	c.create("heavy", "pk:S")
	for i := range 2 {
		put(c, "heavy", fmt.Sprintf(`{"pk":{"S":"%d"},"x":{"S":"%s"}}`, i, strings.Repeat("x", 100_000)))
	}
	c.wantCounts("of large items", "heavy", 2, 2*100_004)
}

func TestLargeTablesAreCountedInTheBackgroundAndTheCountIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const items = 2*countItems + 500
		st := storetest.NewModel()
		c := startOn(t, st, -1)
		c.create("large", "pk:S")
		for i := range items {
			put(c, "large", fmt.Sprintf(`{"pk":{"S":"%04d"}}`, i))
		}
		c.wantCounts("before the first count", "large", countItems, 6*countItems)
		time.Sleep(time.Second)
		synctest.Wait()
		c.wantCounts("after it", "large", items, 6*items)

		put(c, "large", `{"pk":{"S":"more"}}`)
		c.wantCounts("while the count is fresh", "large", items, 6*items)
		time.Sleep(countFresh)
		c.describe("large")
		time.Sleep(time.Second)
		synctest.Wait()
		c.wantCounts("after the next", "large", items+1, 6*(items+1))

		_ = c.svc.Close()
		c = startOn(t, st, -1)
		defer c.svc.Close()
		c.wantCounts("after a restart", "large", items+1, 6*(items+1))

		if _, err := c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "large"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := st.View(t.Context(), func(tx store.ReadTx) error {
			_, there, err := tx.Get(countKey(itemPrefix(1)))
			if there {
				t.Error("the count of a dropped table is left")
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCountIsReadBackAsItWasWritten(t *testing.T) {
	want := &count{tally{300, 1 << 40}, 5, 6}
	got, err := decodeCount(want.encode())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got := fmt.Sprintf("%x", want.encode()); got != "01ac028080808080200506" {
		t.Errorf("written as %s", got)
	}
}

func FuzzCount(f *testing.F) {
	f.Add((&count{tally{300, 4}, 5, 6}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeCount(b)
		if err != nil {
			return
		}
		if again, err := decodeCount(got.encode()); err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("got %+v, %v after writing %+v", again, err, got)
		}
	})
}
