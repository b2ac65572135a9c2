package dynamodb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// TestDataKeysOfTablesAreReplacedByUse counts each value and change that is sealed.
func TestDataKeysOfTablesAreReplacedByUse(t *testing.T) {
	c := start(t)
	in := sealedAs(input(expiring, "h:S", "r:N"), "sealed")
	in.AttributeDefinitions = append(in.AttributeDefinitions, dynamodbapi.AttributeDefinition{AttributeName: "g", AttributeType: "S"})
	in.GlobalSecondaryIndexes = []dynamodbapi.GlobalSecondaryIndex{{
		IndexName: "g", KeySchema: (&modelIndex{hash: []string{"g"}}).keys(),
		Projection: &dynamodbapi.Projection{ProjectionType: new(dynamodbapi.ProjectionTypeAll)},
	}}
	c.withStream(in, dynamodbapi.StreamViewTypeNewImage)
	for i := range 4 { // each an item, a row and a change
		put(c, expiring, fmt.Sprintf(`{"h":{"S":"a"},"r":{"N":"%d"},"g":{"S":"g"}}`, i))
	}
	key := c.record(expiring).dataKey
	for _, x := range []struct {
		most    uint64
		changed bool
	}{{100, false}, {13, false}, {12, true}, {1, false}} { // the first look notes them in the store
		if err := c.svc.replaceKeys(t.Context(), x.most); err != nil {
			t.Fatal(err)
		}
		now := c.record(expiring).dataKey
		if (now != key) != x.changed {
			t.Errorf("12 values of at most %d: data key %d, was %d", x.most, now, key)
		}
		key = now
	}
	c.encrypt(expiring, "")
	put(c, expiring, `{"h":{"S":"a"},"r":{"N":"9"},"g":{"S":"g"}}`)
	if err := c.svc.replaceKeys(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if now := c.record(expiring).dataKey; now != 0 {
		t.Errorf("data key %d of a table that is not encrypted", now)
	}
	if _, ok := c.svc.vault.used.Load(c.record(expiring).num); ok {
		t.Error("the count of a table is left that is not encrypted any more")
	}
}

// refusing is a store that takes no writes for a while.
type refusing struct {
	store.Store
	full atomic.Bool
}

func (s *refusing) Update(ctx context.Context, fn func(store.Tx) error) (store.Commit, error) {
	if s.full.Load() {
		return store.Commit{}, store.ErrFull
	}
	return s.Store.Update(ctx, fn)
}

func TestSealedValuesThatCouldNotBeNotedAreNotedLater(t *testing.T) {
	st := &refusing{Store: storetest.NewModel()}
	c := startOn(t, st, -1)
	if _, err := c.svc.CreateTable(c.ctx(), sealedAs(input("table", "pk:S"), "sealed")); err != nil {
		t.Fatal(err)
	}
	c.await("table", dynamodbapi.TableStatusActive)
	for i := range 3 {
		put(c, "table", fmt.Sprintf(`{"pk":{"S":"%d"}}`, i))
	}
	key := c.record("table").dataKey
	st.full.Store(true)
	if err := c.svc.replaceKeys(t.Context(), 3); !errors.Is(err, store.ErrFull) {
		t.Fatalf("while the store is full: got %v, want %v", err, store.ErrFull)
	}
	st.full.Store(false)
	if err := c.svc.replaceKeys(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if now := c.record("table").dataKey; now == key {
		t.Errorf("3 values of at most 3, noted at the second try: the data key is still %d", now)
	}
}

func TestDataKeysOfTablesAreReplacedEachDayWhenTheyAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storetest.NewModel()
		c := startOn(t, st, -1)
		for _, name := range []string{"used", "idle", "gone"} {
			if _, err := c.svc.CreateTable(c.ctx(), sealedAs(input(name, "pk:S"), "sealed")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		put(c, "used", `{"pk":{"S":"a"}}`)
		used, idle := c.record("used").dataKey, c.record("idle").dataKey
		if _, err := c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "gone"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		if now := c.record("used").dataKey; now != used {
			t.Errorf("after 23 hours: data key %d, was %d", now, used)
		}
		_ = c.svc.Close()
		c = startOn(t, st, -1) // which has sealed nothing itself
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if now := c.record("used").dataKey; now == used {
			t.Errorf("after 25 hours the data key is still %d", now)
		}
		if now := c.record("idle").dataKey; now != idle {
			t.Errorf("of a table without writes: data key %d, was %d", now, idle)
		}
		if n := c.keysIn(sealNoteKey(0), sealNoteKey(100)); n != 2 {
			t.Errorf("%d notes of data keys are left, want those of two tables", n)
		}
		_ = c.svc.Close()
	})
}

func FuzzSealNote(f *testing.F) {
	f.Add((&sealNote{place: place{account: "1", region: "r", table: "t"}, made: 5, sealed: 7}).encode())
	f.Add((&sealNote{place: place{account: "1", region: "r", table: "t"}, next: itemPrefix(3)}).encode())
	f.Add((&sealNote{place: place{account: "1", region: "r", table: "t"}, next: indexPrefix(3, 1)}).encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := decodeSealNote(store.KV{Key: sealNoteKey(3), Value: b})
		if err == nil && (!bytes.Equal(n.encode(), b) || n.num != 3 || len(n.next) > 0 && bytes.Compare(n.next, n.end()) > 0) {
			t.Fatalf("%x is read as %+v, which is written %x", b, n, n.encode())
		}
	})
}

// FuzzVault reads any bytes as what stands at a key: what does not begin as a sealed value is what it was, and nothing else opens that was not
// sealed there.
func FuzzVault(f *testing.F) {
	c := start(f)
	if _, err := c.svc.CreateTable(c.ctx(), sealedAs(input("seed", "pk:S"), "sealed")); err != nil {
		f.Fatal(err)
	}
	c.await("seed", dynamodbapi.TableStatusActive)
	put(c, "seed", `{"pk":{"S":"a"},"v":{"S":"1"}}`)
	at, raw := []byte(nil), []byte(nil)
	err := c.svc.store.View(c.ctx(), func(tx store.ReadTx) error {
		kvs, err := tx.Scan(itemPrefix(1), itemPrefix(2), 1, false)
		at, raw = kvs[0].Key, kvs[0].Value
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(at, raw)
	f.Add(at[1:], raw)
	f.Add(at, binary.BigEndian.AppendUint64([]byte{0xff}, 1))
	f.Fuzz(func(t *testing.T, key, b []byte) {
		var got []byte
		err := c.svc.store.View(context.Background(), func(tx store.ReadTx) (err error) {
			got, err = c.svc.vault.open(tx, key, bytes.Clone(b))
			return err
		})
		switch {
		case !datakey.IsSealed(b) && (err != nil || !bytes.Equal(got, b)):
			t.Fatalf("plain %x: got %x, %v", b, got, err)
		case datakey.IsSealed(b) && err == nil && (!bytes.Equal(key, at) || !bytes.Equal(b, raw)):
			t.Fatalf("%x at %x: got %x", b, key, got)
		}
	})
}
