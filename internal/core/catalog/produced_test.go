package catalog

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"millrace/internal/core/store"
)

func TestKafkaProducedIsWrittenOnceAnHour(t *testing.T) {
	f := open(t)
	topic := f.mustCreate("123456789012", "eu-west-1", "orders", 1)
	const hour, start = int64(3_600_000), int64(1_760_000_000_000)
	since := func(at int64) (found bool) {
		t.Helper()
		f.must(func(tx store.Tx) (err error) {
			found, err = KafkaProducedSince(tx, topic.Num, at)
			return err
		})
		return found
	}
	if since(0) {
		t.Fatal("a new topic was produced to")
	}
	writes := 0
	for minute := range int64(181) {
		f.must(func(tx store.Tx) error {
			before, _, err := lastProduced(tx, topic.Num)
			if err != nil {
				return err
			}
			if err := KafkaProduced(tx, topic.Num, start+minute*60_000); err != nil {
				return err
			}
			if after, _, err := lastProduced(tx, topic.Num); err != nil || after == before {
				return err
			}
			writes++
			return nil
		})
	}
	if writes != 4 {
		t.Errorf("%d writes in three hours, want 4", writes)
	}
	end := start + 3*hour
	for _, c := range []struct {
		at   int64
		want bool
	}{{end - 1, true}, {end + hour, true}, {end + hour + 1, false}} {
		if got := since(c.at); got != c.want {
			t.Errorf("produced since %d ms after the last: got %v, want %v", c.at-end, got, c.want)
		}
	}
}

func TestKafkaProducedGoesWithItsTopic(t *testing.T) {
	f := open(t)
	topic := f.mustCreate("123456789012", "eu-west-1", "orders", 1)
	f.must(func(tx store.Tx) error { return KafkaProduced(tx, topic.Num, 1) })
	f.must(func(tx store.Tx) error {
		found, err := f.c.Get(tx, topic.Num)
		if err != nil {
			return err
		}
		return f.c.Remove(tx, found)
	})
	f.must(func(tx store.Tx) error {
		if _, ok, err := lastProduced(tx, topic.Num); ok || err != nil {
			t.Errorf("after Remove: found %v, %v", ok, err)
		}
		return nil
	})
	if err := f.update(func(tx store.Tx) error { return KafkaProduced(tx, topic.Num, 2) }); !errors.Is(err, ErrNotFound) {
		t.Errorf("a topic that is gone: got %v, want ErrNotFound", err)
	}
}

func TestAllListsTopicsOfAllPlacesInPages(t *testing.T) {
	f := open(t)
	var want []uint64
	for i := range 7 {
		want = append(want, f.mustCreate(fmt.Sprintf("%012d", i%3+1), "eu-west-1", fmt.Sprint("t", i), i+1).Num)
	}
	for limit := 1; limit <= 8; limit++ {
		var got []uint64
		after, more := uint64(0), true
		for more {
			f.must(func(tx store.Tx) error {
				topics, left, err := f.c.All(tx, after, limit)
				for _, found := range topics {
					got, after = append(got, found.Num), found.Num
				}
				more = left
				return err
			})
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: got %v, want %v", limit, got, want)
		}
	}
}
