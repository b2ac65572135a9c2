package catalog

import (
	"fmt"
	"maps"
	"testing"

	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// named makes a topic of one partition; the region may be empty.
func named(t *testing.T, c *Catalog, s store.Store, account, region, name string) {
	t.Helper()
	_, err := s.Update(t.Context(), func(tx store.Tx) error {
		id := ID{}
		copy(id[:], fmt.Sprintf("%.5s%.5s%.6s", account[7:], region, name))
		topic := &Topic{ID: id, Account: account, Region: region, Name: name, Origin: OriginKafka, State: StateActive}
		return c.Create(tx, topic, make([]Partition, 1), store.Retention{})
	})
	if err != nil {
		t.Fatalf("%s %s %s: %v", account, region, name, err)
	}
}

func TestTopicsAreListedByTheirKafkaNames(t *testing.T) {
	s, c := storetest.NewModel(), &Catalog{}
	named(t, c, s, "000000000000", "", "b")
	named(t, c, s, "111111111111", "eu-west-1", "x")
	named(t, c, s, "000000000000", "", "a")
	list := func(from string, limit int) (got []string, more bool) {
		if err := s.View(t.Context(), func(tx store.ReadTx) error {
			topics, m, err := c.ListKafka(tx, from, limit)
			for _, topic := range topics {
				got = append(got, topic.Kafka)
			}
			more = m
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return got, more
	}
	for _, test := range []struct {
		from  string
		limit int
		want  string
	}{
		{"", 10, "[111111111111.eu-west-1.x a b] false"},
		{"", 2, "[111111111111.eu-west-1.x a] true"},
		{"a", 1, "[a] true"},
		{"aa", 1, "[b] false"},
		{"c", 1, "[] false"},
	} {
		got, more := list(test.from, test.limit)
		if text := fmt.Sprint(got, more); text != test.want {
			t.Errorf("from %q, %d: got %s, want %s", test.from, test.limit, text, test.want)
		}
	}
}

func TestTopicElsewhereIsFoundByName(t *testing.T) {
	s, c := storetest.NewModel(), &Catalog{}
	named(t, c, s, "000000000000", "", "home")
	named(t, c, s, "111111111111", "eu-west-1", "one")
	named(t, c, s, "111111111111", "us-east-1", "two")
	named(t, c, s, "222222222222", "us-east-1", "three")
	want := map[string]string{
		"one": "111111111111.eu-west-1.one", "two": "111111111111.us-east-1.two", "three": "222222222222.us-east-1.three",
	}
	got := map[string]string{}
	if err := s.View(t.Context(), func(tx store.ReadTx) error {
		found, err := c.Elsewhere(tx, []string{"home", "none", "one", "two", "three"})
		for name, topic := range found {
			got[name] = topic.Kafka
		}
		return err
	}); err != nil || !maps.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
