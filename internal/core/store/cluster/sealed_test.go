package cluster

import (
	"errors"
	"fmt"
	"testing"

	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

// sealedStore is a store with two batches in partition 1 that are sealed under data key 1.
func sealedStore(t *testing.T, o Options) *Store {
	t.Helper()
	s := mustOpen(t, o)
	_, err := s.Update(t.Context(), func(tx store.Tx) error {
		_, err := datakey.Create(tx, o.RootKey)
		return errors.Join(err, tx.CreatePartition(1, 0, store.Retention{}))
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		res, err := s.Append(t.Context(), []store.AppendRequest{{Partition: 1, Key: 1, Records: []store.Record{{Value: []byte("treasure")}}}})
		if err != nil || res[0].Err != nil {
			t.Fatalf("Append: %+v, %v", res, err)
		}
	}
	return s
}

func TestPlainTextOfSealedRecordsIsInNoRow(t *testing.T) {
	o := options(t)
	dropAfter(t, o)
	s := sealedStore(t, o)
	defer s.Close()
	var rows, plain int
	err := s.pool.QueryRow(t.Context(), "SELECT count(*), count(*) FILTER (WHERE position('treasure'::bytea IN bytes) > 0) FROM store_batches").Scan(&rows, &plain)
	if err != nil || rows != 2 || plain != 0 {
		t.Errorf("%d rows, %d of them plain, %v; want 2 and none", rows, plain, err)
	}
}

func TestChangedSealedRowIsDamage(t *testing.T) {
	for what, change := range map[string]string{
		"a flipped byte": "bytes = set_byte(bytes, 20, get_byte(bytes, 20) # 1)",
		"another nonce":  "nonce = set_byte(nonce, 0, get_byte(nonce, 0) # 1)",
		"no nonce":       "nonce = NULL",
		"another place":  "(bytes, nonce) = (SELECT bytes, nonce FROM %s WHERE base = 0)",
	} {
		t.Run(what, func(t *testing.T) {
			o := options(t)
			dropAfter(t, o)
			s := sealedStore(t, o)
			defer s.Close()
			if what == "another place" {
				change = fmt.Sprintf(change, in(o, "store_batches"))
			}
			exec(t, "UPDATE "+in(o, "store_batches")+" SET "+change+" WHERE base = 1")
			res, err := s.Read(t.Context(), store.ReadRequest{Partition: 1, MaxBytes: 1 << 20})
			if err != nil || len(res.Batches) != 1 {
				t.Errorf("Read of what comes before: %d batches, %v", len(res.Batches), err)
			}
			_, err = s.Read(t.Context(), store.ReadRequest{Partition: 1, From: 1, MaxBytes: 1 << 20})
			if damage, ok := errors.AsType[*store.CorruptError](err); !ok || damage.Offset != 1 {
				t.Errorf("Read: got %v, want damage of the batch at 1", err)
			}
		})
	}
}

func TestSealedRowsNeedTheirRootKey(t *testing.T) {
	o := options(t)
	dropAfter(t, o)
	if err := sealedStore(t, o).Close(); err != nil {
		t.Fatal(err)
	}
	o.RootKey = datakey.NewRoot()
	s := mustOpen(t, o)
	defer s.Close()
	_, err := s.Read(t.Context(), store.ReadRequest{Partition: 1, MaxBytes: 1})
	if _, ok := errors.AsType[*datakey.RootKeyError](err); !ok {
		t.Errorf("Read: got %v, want a RootKeyError", err)
	}
	res, err := s.Append(t.Context(), []store.AppendRequest{{Partition: 1, Key: 1, Records: []store.Record{{}}}, {Partition: 1, Records: []store.Record{{}}}})
	if err != nil || res[1].Err != nil || res[1].Base != 2 {
		t.Fatalf("Append: %+v, %v; want the plain one taken", res, err)
	}
	if _, ok := errors.AsType[*datakey.RootKeyError](res[0].Err); !ok {
		t.Errorf("sealed Append: got %v, want a RootKeyError", res[0].Err)
	}
}

func TestTablesFromBeforeSealingAreExtended(t *testing.T) {
	o := options(t)
	dropAfter(t, o)
	s := mustOpen(t, o)
	_, err := s.Update(t.Context(), func(tx store.Tx) error {
		if err := tx.CreatePartition(1, 0, store.Retention{}); err != nil {
			return err
		}
		_, err := tx.Append(store.AppendRequest{Partition: 1, Records: []store.Record{{Value: []byte("old")}}})
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	exec(t, "ALTER TABLE "+in(o, "store_batches")+" DROP COLUMN key_id, DROP COLUMN nonce")
	s = mustOpen(t, o)
	defer s.Close()
	if _, err := s.Update(t.Context(), func(tx store.Tx) error {
		id, err := datakey.Create(tx, o.RootKey)
		_, err2 := tx.Append(store.AppendRequest{Partition: 1, Key: id, Records: []store.Record{{Value: []byte("new")}}})
		return errors.Join(err, err2)
	}); err != nil {
		t.Fatal(err)
	}
	res, err := s.Read(t.Context(), store.ReadRequest{Partition: 1, MaxBytes: 1 << 20})
	if err != nil || len(res.Batches) != 2 || res.Batches[0].Key != 0 || res.Batches[1].Key != 1 {
		t.Errorf("Read: %+v, %v; want an old plain batch and a new sealed one", res.Batches, err)
	}
}
