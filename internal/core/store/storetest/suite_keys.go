package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"millrace/internal/core/store"
)

var keyTests = []test{
	{"UpdateWritesAllOrNothing", func(e *env) {
		failed := errors.New("fn failed")
		id := e.partition()
		e.refuses(failed, func(tx store.Tx) error {
			if err := tx.Set(key("a"), []byte("1")); err != nil {
				return err
			}
			if _, err := tx.Append(loose(id, "x")); err != nil {
				return err
			}
			return failed
		})
		e.wantGet(key("a"), "-")
		e.update(func(tx store.Tx) error {
			_, err := tx.Append(loose(id, "y"))
			return errors.Join(err, tx.Set(key("a"), []byte("2")), tx.Set(key("b"), []byte("3")))
		})
		e.wantGet(key("a"), "2")
		e.wantGet(key("b"), "3")
		e.wantValues(id, store.ReadUncommitted, "y")
	}},
	{"TransactionIsRefusedWholeWhenOneAppendIsRefused", func(e *env) {
		open, closed := e.partition(), e.partition()
		e.update(func(tx store.Tx) error { return tx.ClosePartition(closed) })
		e.refuses(store.ErrClosed, func(tx store.Tx) error {
			_, err := tx.Append(loose(open, "x"))
			_, err2 := tx.Append(loose(closed, "x"))
			return errors.Join(err, err2, tx.Set(key("a"), nil))
		})
		e.wantGet(key("a"), "-")
		e.wantValues(open, store.ReadUncommitted)
	}},
	{"SetReplacesAndDeleteRemoves", func(e *env) {
		e.set(key("a"), "1")
		e.set(key("a"), "2")
		e.wantGet(key("a"), "2")
		e.update(func(tx store.Tx) error { return tx.Delete(key("a")) })
		e.wantGet(key("a"), "-")
		e.update(func(tx store.Tx) error { return tx.Delete(key("never")) })
	}},
	{"EmptyValueIsAValue", func(e *env) {
		e.update(func(tx store.Tx) error { return errors.Join(tx.Set(key("nil"), nil), tx.Set(key("empty"), []byte{})) })
		e.wantGet(key("nil"), "")
		e.wantGet(key("empty"), "")
		wantEqual(e, "keys with empty values", len(e.scan(key(""), nil)), 2)
	}},
	{"GetManyAnswersInTheOrderOfItsKeys", func(e *env) {
		e.set(key("a"), "1")
		e.set(key("b"), "")
		e.view(func(tx store.ReadTx) error {
			got, err := tx.GetMany([][]byte{key("b"), key("none"), key("a"), key("b")})
			if err != nil {
				return err
			}
			if len(got) != 4 || got[0] == nil || len(got[0]) != 0 || got[1] != nil || string(got[2]) != "1" || got[3] == nil {
				e.Errorf("GetMany: got %q", got)
			}
			return nil
		})
	}},
	{"ScanGoesBothWaysAndEndsAtTheLimit", scanBothWays},
	{"ScanKeepsTheOrderOfBytes", scanByteOrder},
	{"TransactionReadsItsOwnWrites", readsOwnWrites},
	{"ScanShowsOwnWritesInOrderAndInsideTheLimit", scanOwnWrites},
	{"DeleteRangeSaysWhereToGoOn", deleteRange},
	{"LastWriteOfATransactionWins", func(e *env) {
		e.update(func(tx store.Tx) error {
			return errors.Join(tx.Set(key("a"), []byte("1")), tx.Delete(key("a")), tx.Set(key("a"), []byte("2")),
				tx.Set(key("b"), []byte("1")), tx.Delete(key("b")))
		})
		e.wantGet(key("a"), "2")
		e.wantGet(key("b"), "-")
	}},
	{"ValuesBelongToTheirReceiver", func(e *env) {
		k, v := key("a"), []byte("value")
		e.update(func(tx store.Tx) error {
			err := tx.Set(k, v)
			k[1], v[0] = 'x', 'x'
			defer func() { k[1], v[0] = 'a', 'v' }()
			return err
		})
		e.view(func(tx store.ReadTx) error {
			for range 2 {
				got, _, err := tx.Get(key("a"))
				if err != nil || string(got) != "value" {
					e.Errorf("got %q, %v; want value", got, err)
					return nil
				}
				clear(got)
				found, err := tx.Scan(key(""), nil, 10, false)
				if err != nil || len(found) != 1 || string(found[0].Value) != "value" {
					e.Errorf("Scan: got %q, %v; want one pair", found, err)
					return nil
				}
				clear(found[0].Key)
				clear(found[0].Value)
			}
			return nil
		})
	}},
	{"OrderedKeysSortInOrderOfCommits", orderedKeys},
	{"NoReaderSeesALaterOrderedKeyBeforeAnEarlierOne", orderedKeysAppearInOrder},
	{"NextIDNeverGivesANumberTwice", nextID},
	{"CommitsHaveRisingSequencesAndTimes", func(e *env) {
		var last store.Commit
		for i := range 5 {
			c := e.set(key("a"), fmt.Sprint(i))
			if c.Sequence <= last.Sequence || c.Time < last.Time {
				e.Fatalf("commit %d: got %+v after %+v", i, c, last)
			}
			last = c
		}
		c := e.update(func(tx store.Tx) error { _, _, err := tx.Get(key("a")); return err })
		wantEqual(e, "sequence of a transaction that wrote nothing", c.Sequence, 0)
	}},
	{"LongKeysKeepTheirPlace", longKeys},
}

func scanBothWays(e *env) {
	e.update(func(tx store.Tx) error {
		for _, k := range []string{"a", "b", "c", "d", "e"} {
			if err := tx.Set(key("%s", k), []byte(k)); err != nil {
				return err
			}
		}
		return tx.Set([]byte{byte(store.FamilyQuota), 'z'}, []byte("other family"))
	})
	for _, c := range []struct {
		from, to string
		limit    int
		reverse  bool
		want     string
	}{
		{"", "*", 10, false, "abcde"},
		{"", "*", 10, true, "edcba"},
		{"", "*", 2, false, "ab"},
		{"", "*", 2, true, "ed"},
		{"b", "d", 10, false, "bc"},
		{"b", "d", 10, true, "cb"},
		{"b", "d", 1, true, "c"},
		{"bb", "dd", 10, false, "cd"},
		{"d", "b", 10, false, ""},
		{"b", "b", 10, false, ""},
		{"f", "*", 10, true, ""},
	} {
		e.view(func(tx store.ReadTx) error {
			to := key("%s", c.to)
			if c.to == "*" {
				to = nil
			}
			found, err := tx.Scan(key("%s", c.from), to, c.limit, c.reverse)
			if got := joined(found); got != c.want {
				e.Errorf("Scan(%q, %q, %d, %v): got %q, want %q", c.from, c.to, c.limit, c.reverse, got, c.want)
			}
			return err
		})
	}
}

// joined is the values one after the other.
func joined(found []store.KV) string {
	var b strings.Builder
	for _, kv := range found {
		b.Write(kv.Value)
	}
	return b.String()
}

func scanByteOrder(e *env) {
	keys := [][]byte{key("a"), key("a\x00"), key("a\x00\x00"), key("a\x01"), key("aa"), key("b\x7f"), key("b\x80"), key("b\xff"), key("b\xff\x00"), key("c")}
	e.update(func(tx store.Tx) error {
		for i := range keys {
			if err := tx.Set(keys[(i*7)%len(keys)], nil); err != nil {
				return err
			}
		}
		return nil
	})
	for i, kv := range e.scan(key(""), nil) {
		if i >= len(keys) || !bytes.Equal(kv.Key, keys[i]) {
			e.Fatalf("key %d: got %q", i, kv.Key)
		}
	}
}

func readsOwnWrites(e *env) {
	e.set(key("old"), "1")
	e.update(func(tx store.Tx) error {
		if err := errors.Join(tx.Set(key("new"), []byte("2")), tx.Delete(key("old"))); err != nil {
			return err
		}
		v, ok, err := tx.Get(key("new"))
		if string(v) != "2" || !ok || err != nil {
			e.Errorf("Get of a key just set: got %q, %v, %v", v, ok, err)
		}
		if v, ok, err := tx.Get(key("old")); ok || err != nil {
			e.Errorf("Get of a key just deleted: got %q, %v, %v", v, ok, err)
		}
		many, err := tx.GetMany([][]byte{key("old"), key("new")})
		if err != nil || many[0] != nil || string(many[1]) != "2" {
			e.Errorf("GetMany: got %q, %v", many, err)
		}
		first, err := tx.NextID("n")
		if err != nil {
			return err
		}
		if second, err := tx.NextID("n"); err != nil || second != first+1 {
			e.Errorf("second NextID: got %d, %v; want %d", second, err, first+1)
		}
		return nil
	})
}

func scanOwnWrites(e *env) {
	e.update(func(tx store.Tx) error {
		return errors.Join(tx.Set(key("a"), []byte("a")), tx.Set(key("c"), []byte("c")), tx.Set(key("e"), []byte("e")), tx.Set(key("g"), []byte("g")))
	})
	e.update(func(tx store.Tx) error {
		if err := errors.Join(tx.Set(key("b"), []byte("b")), tx.Delete(key("c")), tx.Set(key("e"), []byte("E")), tx.Set(key("z"), []byte("z"))); err != nil {
			return err
		}
		for _, c := range []struct {
			limit   int
			reverse bool
			want    string
		}{{10, false, "abEgz"}, {10, true, "zgEba"}, {2, false, "ab"}, {3, false, "abE"}, {2, true, "zg"}, {4, true, "zgEb"}} {
			found, err := tx.Scan(key(""), nil, c.limit, c.reverse)
			if got := joined(found); err != nil || got != c.want {
				e.Errorf("Scan(limit %d, reverse %v): got %q, %v; want %q", c.limit, c.reverse, got, err, c.want)
			}
		}
		return nil
	})
}

func deleteRange(e *env) {
	e.update(func(tx store.Tx) error {
		for i := range 10 {
			if err := tx.Set(key("k%d", i), nil); err != nil {
				return err
			}
		}
		return nil
	})
	var steps []int
	for from := key("k2"); from != nil; {
		before := len(e.scan(key(""), nil))
		e.update(func(tx store.Tx) (err error) {
			if err := tx.Set(key("k20"), nil); err != nil { // its own writes too
				return err
			}
			next, err := tx.DeleteRange(from, key("k9"), 3)
			from = next
			return err
		})
		steps = append(steps, before-len(e.scan(key(""), nil)))
		if len(steps) > 10 {
			e.Fatalf("DeleteRange does not end: %v", steps)
		}
	}
	var left []string
	for _, kv := range e.scan(key(""), nil) {
		left = append(left, string(kv.Key[1:]))
	}
	if want := []string{"k0", "k1", "k20", "k9"}; !slices.Equal(left, want) {
		e.Fatalf("left after DeleteRange: got %q, want %q", left, want)
	}
}

func orderedKeys(e *env) {
	for i := range 5 {
		e.update(func(tx store.Tx) error {
			return errors.Join(tx.SetOrdered(key("log/"), fmt.Appendf(nil, "%d.0", i)), tx.SetOrdered(key("log/"), fmt.Appendf(nil, "%d.1", i)))
		})
	}
	found := e.scan(key("log/"), key("log0"))
	for i, kv := range found {
		if want := fmt.Sprintf("%d.%d", i/2, i%2); string(kv.Value) != want || len(kv.Key) != len(key("log/"))+store.OrderedSuffixSize {
			e.Errorf("ordered key %d: got %q = %q, want value %q", i, kv.Key, kv.Value, want)
		}
	}
	wantEqual(e, "ordered keys", len(found), 10)
}

func orderedKeysAppearInOrder(e *env) {
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 25 {
				_, err := e.s.Update(e.ctx, func(tx store.Tx) error { return tx.SetOrdered(key("log/"), fmt.Appendf(nil, "%d %d", w, i)) })
				if err != nil {
					e.Errorf("Update: %v", err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	var seen []store.KV
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		now := e.scan(key("log/"), key("log0"))
		for i := range seen {
			if i >= len(now) || !bytes.Equal(now[i].Key, seen[i].Key) {
				e.Fatalf("a later scan of %d keys has another key at %d than an earlier one of %d", len(now), i, len(seen))
			}
		}
		seen = now
	}
	wantEqual(e, "ordered keys", len(seen), 100)
}

func nextID(e *env) {
	const workers, each = 4, 10
	var mu sync.Mutex
	given := map[uint64]int{}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				var id uint64
				_, err := e.retryContention(func(tx store.Tx) (err error) { id, err = tx.NextID("n"); return err })
				if err != nil {
					e.Errorf("Update: %v", err)
					return
				}
				mu.Lock()
				given[id]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id := uint64(1); id <= workers*each; id++ {
		if given[id] != 1 {
			e.Fatalf("id %d was given %d times; all: %v", id, given[id], given)
		}
	}
	var other uint64
	e.update(func(tx store.Tx) (err error) { other, err = tx.NextID("other"); return err })
	wantEqual(e, "first id of another counter", other, 1)
}

// retryContention runs an Update again when it lost too often, as a caller would.
func (e *env) retryContention(fn func(tx store.Tx) error) (store.Commit, error) {
	for {
		c, err := e.s.Update(e.ctx, fn)
		if !errors.Is(err, store.ErrContention) {
			return c, err
		}
	}
}
