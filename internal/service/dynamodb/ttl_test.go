package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// expiring is the table of these tests.
const expiring = "expiring"

// limping is a store whose transactions fail once so many have committed, as if the process had ended there.
type limping struct {
	store.Store
	left atomic.Int64
}

var errLimp = errors.New("no more")

func (l *limping) Update(ctx context.Context, fn func(store.Tx) error) (store.Commit, error) {
	if l.left.Add(-1) < 0 {
		return store.Commit{}, errLimp
	}
	return l.Store.Update(ctx, fn)
}

// rows counts the expiry rows of the first table.
func rows(tb testing.TB, st store.Store) (n int) {
	tb.Helper()
	if err := st.View(tb.Context(), func(tx store.ReadTx) error {
		kvs, err := tx.Scan(expiryPrefix(1), expiryPrefix(2), store.MaxScanKeys, false)
		n = len(kvs)
		return err
	}); err != nil {
		tb.Fatal(err)
	}
	return n
}

func (c *caller) setTTL(enabled bool) {
	c.t.Helper()
	if _, err := c.svc.UpdateTimeToLive(c.ctx(), &dynamodbapi.UpdateTimeToLiveInput{
		TableName: expiring, TimeToLiveSpecification: &dynamodbapi.TimeToLiveSpecification{Enabled: enabled, AttributeName: "ttl"},
	}); err != nil {
		c.t.Fatalf("UpdateTimeToLive %v: %v", enabled, err)
	}
}

func (c *caller) ttlStatus() dynamodbapi.TimeToLiveStatus {
	c.t.Helper()
	out, err := c.svc.DescribeTimeToLive(c.ctx(), &dynamodbapi.DescribeTimeToLiveInput{TableName: expiring})
	if err != nil {
		c.t.Fatal(err)
	}
	return *out.TimeToLiveDescription.TimeToLiveStatus
}

func (c *caller) countItems() int {
	c.t.Helper()
	n, in := 0, &dynamodbapi.ScanInput{TableName: expiring, Select: new(dynamodbapi.SelectCount)}
	for {
		out, err := c.svc.Scan(c.ctx(), in)
		if err != nil {
			c.t.Fatal(err)
		}
		n += int(*out.Count)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return n
		}
	}
}

// fill puts n items that expire in a second.
func (c *caller) fill(n int, in time.Duration) {
	c.t.Helper()
	for i := range n {
		put(c, expiring, fmt.Sprintf(`{"pk":{"S":"%d"},"ttl":{"N":"%d"}}`, i, time.Now().Add(in).Unix()))
	}
}

func TestBackfillAndSweepGoOnAfterRestartsWhereverTheyEnded(t *testing.T) {
	const items = 3*backfillSlice + 7
	for commits := range 12 {
		synctest.Test(t, func(t *testing.T) {
			st := storetest.NewModel()
			c := startOn(t, st, -1)
			c.create(expiring, "pk:S")
			c.fill(items, time.Hour)
			_ = c.svc.Close()

			limp := &limping{Store: st}
			limp.left.Store(int64(commits) + 3) // the key of iterators, the region and the change itself
			c = startOn(t, limp, -1)
			c.setTTL(true)
			time.Sleep(2 * time.Hour)
			_ = c.svc.Close()
			if left := c.countItems(); commits < 3 && left != items {
				t.Errorf("after %d commits %d items are left, want all %d", commits, left, items)
			}

			c = startOn(t, st, -1)
			defer c.svc.Close()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if got, n := c.ttlStatus(), c.countItems(); got != dynamodbapi.TimeToLiveStatusEnabled || n != 0 {
				t.Errorf("ended after %d commits and started again: %s with %d items, want ENABLED with none", commits, got, n)
			}
			if n := rows(t, st); n != 0 {
				t.Errorf("%d expiry rows are left, want none", n)
			}
		})
	}
}

func TestDisabledTimeToLiveRemovesItsRowsAlsoOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storetest.NewModel()
		c := startOn(t, st, -1)
		c.create(expiring, "pk:S")
		c.setTTL(true)
		c.fill(2*purgeSlice+1, 24*time.Hour)
		time.Sleep(time.Hour)
		_ = c.svc.Close()
		if n := rows(t, st); n != 2*purgeSlice+1 {
			t.Fatalf("%d expiry rows, want one for each of %d items", n, 2*purgeSlice+1)
		}
		limp := &limping{Store: st}
		limp.left.Store(3) // the region, the change itself, one slice
		c = startOn(t, limp, -1)
		c.setTTL(false)
		time.Sleep(time.Minute)
		_ = c.svc.Close()
		if got := c.ttlStatus(); got != dynamodbapi.TimeToLiveStatusDisabling {
			t.Errorf("status %s in the middle, want DISABLING", got)
		}
		c = startOn(t, st, -1)
		defer c.svc.Close()
		time.Sleep(25 * time.Hour)
		if got, n, left := c.ttlStatus(), rows(t, st), c.countItems(); got != dynamodbapi.TimeToLiveStatusDisabled || n != 0 || left != 2*purgeSlice+1 {
			t.Errorf("%s with %d rows and %d items, want DISABLED with no rows and all items", got, n, left)
		}
	})
}

func TestExpiredItemsCanBeReadUntilTheLagIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc, err := New(Options{Store: storetest.NewModel(), StateDelay: -1, TimeToLiveLag: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer svc.Close()
		c := &caller{t: t, account: "000000000000", region: "us-east-2", svc: svc}
		c.create(expiring, "pk:S")
		c.setTTL(true)
		c.fill(1, 10*time.Second)
		time.Sleep(69 * time.Second)
		if n := c.countItems(); n != 1 {
			t.Errorf("%d items within the lag, want 1", n)
		}
		time.Sleep(2 * time.Second)
		if n := c.countItems(); n != 0 {
			t.Errorf("%d items after the lag, want none", n)
		}
	})
}

func TestDroppedTableLeavesNoExpiryRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storetest.NewModel()
		c := startOn(t, st, -1)
		defer c.svc.Close()
		c.create(expiring, "pk:S")
		c.setTTL(true)
		c.fill(10, time.Hour)
		if _, err := c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: expiring}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		c.create(expiring, "pk:S")
		if got, n := c.ttlStatus(), rows(t, st); got != dynamodbapi.TimeToLiveStatusDisabled || n != 0 {
			t.Errorf("a new table is %s, %d rows of the old one are left; want DISABLED and none", got, n)
		}
	})
}

// A client that writes items anew at the moment of their expiry finds each as it wrote it, or deleted after its last write expired.
func TestSweepNeverDeletesWhatAClientHasJustWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const seed = 11
		rnd := rand.New(rand.NewPCG(seed, seed))
		st := storetest.NewModel()
		c := startOn(t, st, -1)
		defer c.svc.Close()
		c.create(expiring, "pk:S")
		c.setTTL(true)
		until := map[int]int64{} // of an item to the second of its last write; 0: never
		for step := range 3000 {
			i, expires := rnd.IntN(20), int64(0)
			item := fmt.Sprintf(`{"pk":{"S":"%d"}}`, i)
			switch rnd.IntN(4) {
			case 0, 1:
				expires = time.Now().Unix() + int64(rnd.IntN(5))
				item = fmt.Sprintf(`{"pk":{"S":"%d"},"ttl":{"N":"%d"}}`, i, expires)
				fallthrough
			case 2:
				put(c, expiring, item)
				until[i] = expires
			case 3:
				if _, err := c.svc.DeleteItem(c.ctx(), &dynamodbapi.DeleteItemInput{TableName: expiring, Key: api.JSON(item)}); err != nil {
					t.Fatal(err)
				}
				delete(until, i)
			}
			time.Sleep(time.Duration(rnd.IntN(400)) * time.Millisecond)
			synctest.Wait()
			for i, second := range until {
				out, err := c.svc.GetItem(c.ctx(), &dynamodbapi.GetItemInput{TableName: expiring, Key: fmt.Appendf(nil, `{"pk":{"S":"%d"}}`, i)})
				if err != nil {
					t.Fatal(err)
				}
				now := time.Now().Unix()
				switch {
				case out.Item == nil && (second == 0 || second > now):
					t.Fatalf("seed %d, step %d: item %d is gone at %d, it expires at %d", seed, step, i, now, second)
				case out.Item != nil && second != 0 && now > second+1:
					t.Fatalf("seed %d, step %d: item %d is there at %d, it expired at %d", seed, step, i, now, second)
				case out.Item == nil:
					delete(until, i)
				}
			}
		}
	})
}

func TestNoteOfTimeToLiveIsReadBackAsItWasWritten(t *testing.T) {
	want := ttlNote{num: 7, place: place{account: "000000000000", region: "us-east-2", table: "orders", named: "orders"}, next: []byte{0, 1, 0, 2}}
	got, err := decodeTTLNote(store.KV{Key: ttlNoteKey(7), Value: want.encode()})
	if err != nil || got.place != want.place || string(got.next) != string(want.next) || got.num != 7 {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if text := fmt.Sprintf("%x", want.encode()); text != "01"+fmt.Sprintf("%x", "000000000000\x00us-east-2\x00orders\x00")+"00010002" {
		t.Errorf("written as %s", text)
	}
}

func FuzzTTLNote(f *testing.F) {
	f.Add([]byte("\x01a\x00b\x00c\x00d"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := decodeTTLNote(store.KV{Key: ttlNoteKey(1), Value: b})
		if err == nil && string(n.encode()) != string(b) {
			t.Errorf("%x is read as %+v and written as %x", b, n, n.encode())
		}
	})
}
