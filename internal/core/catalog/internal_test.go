package catalog

import (
	"errors"
	"strings"
	"testing"

	"millrace/internal/core/store"
)

func TestTopicOfATableHasANameThatKafkaAllows(t *testing.T) {
	long := strings.Repeat("t", 255)
	for _, c := range []struct {
		account, region, table string
		home                   bool
		want                   string
	}{
		{DefaultAccount, "us-east-1", "orders", true, "ddb.orders"},
		{DefaultAccount, "eu-west-1", "orders", false, "000000000000.eu-west-1.ddb.orders"},
		{"123456789012", "us-east-1", "orders", true, "123456789012.us-east-1.ddb.orders"},
		{DefaultAccount, "us-east-1", long[:245], true, "ddb." + long[:245]},
	} {
		if got := TableTopic(c.account, c.region, c.table, c.home); got != c.want || !OfTable(got) {
			t.Errorf("%+v: got %s, of a table %v", c, got, OfTable(got))
		}
	}
	for _, home := range []bool{true, false} {
		a, b := TableTopic(DefaultAccount, "us-gov-east-1", long, home), TableTopic(DefaultAccount, "us-gov-east-1", long[:254]+"u", home)
		if a == b || len(a) > MaxName || len(b) > MaxName || !OfTable(a) {
			t.Errorf("got %s (%d bytes) and %s", a, len(a), b)
		}
		if home && !strings.HasPrefix(a, "ddb."+long[:200]+".") {
			t.Errorf("got %s, want 200 characters of the name", a)
		}
	}
	for _, other := range []string{"ddb", "orders", "123456789012.us-east-1.orders", "x.ddb.orders"} {
		if OfTable(other) {
			t.Errorf("%s is said to be of a table", other)
		}
	}
}

func TestInternalTopicsHaveNoNameForKinesisAndTheNewestHasThatForKafka(t *testing.T) {
	f := open(t)
	f.fixRegion("us-east-1")
	create := func(id byte) *Topic {
		topic := &Topic{ID: ID{id}, Account: DefaultAccount, Region: "us-east-1", Name: "orders", State: StateActive}
		f.must(func(tx store.Tx) error { return f.c.CreateInternal(tx, topic, []Partition{{}, {}}, store.Retention{}) })
		return topic
	}
	stream := f.mustCreate(DefaultAccount, "us-east-1", "orders", 1)
	first, second := create(1), create(2)
	newest := func(want uint64) {
		t.Helper()
		f.must(func(tx store.Tx) error {
			got, err := f.c.LookupKafka(tx, "ddb.orders")
			if want == 0 && errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil || got.Num != want || got.Origin != OriginTable {
				t.Errorf("got %+v, %v, want topic %d", got, err, want)
			}
			return nil
		})
	}
	newest(second.Num)
	f.must(func(tx store.Tx) error {
		got, err := f.c.Lookup(tx, DefaultAccount, "us-east-1", "orders")
		if err != nil || got.Num != stream.Num {
			t.Errorf("by name: got %+v, %v", got, err)
		}
		listed, _, err := f.c.List(tx, DefaultAccount, "us-east-1", "", 10)
		if err != nil || len(listed) != 1 {
			t.Errorf("listed: got %+v, %v", listed, err)
		}
		return f.c.Remove(tx, first)
	})
	newest(second.Num)
	f.must(func(tx store.Tx) error { return f.c.Remove(tx, second) })
	newest(0)
	f.must(func(tx store.Tx) error {
		if got, err := f.c.Lookup(tx, DefaultAccount, "us-east-1", "orders"); err != nil || got.Num != stream.Num {
			t.Errorf("after the removal: got %+v, %v", got, err)
		}
		return nil
	})
}

func TestStreamWithTheNameOfATablesTopicKeepsIt(t *testing.T) {
	f := open(t)
	f.fixRegion("us-east-1")
	stream := f.mustCreate(DefaultAccount, "eu-west-1", "ddb.orders", 1)
	topic := &Topic{ID: ID{9}, Account: DefaultAccount, Region: "eu-west-1", Name: "orders", State: StateActive}
	f.must(func(tx store.Tx) error { return f.c.CreateInternal(tx, topic, []Partition{{}}, store.Retention{}) })
	if topic.Kafka != stream.Kafka {
		t.Fatalf("got the name %s, want that of the stream, %s", topic.Kafka, stream.Kafka)
	}
	f.must(func(tx store.Tx) error { return f.c.Remove(tx, topic) })
	f.must(func(tx store.Tx) error {
		got, err := f.c.LookupKafka(tx, stream.Kafka)
		if err != nil || got.Num != stream.Num {
			t.Errorf("got %+v, %v, want the stream", got, err)
		}
		return nil
	})
}
