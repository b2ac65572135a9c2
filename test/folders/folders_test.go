package folders

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
)

var write = flag.Bool("write", false, "make the folder of the level that this binary writes")

// options make a small folder pass through all of a store's life.
func options(dir string) embedded.Options {
	return embedded.Options{
		Dir: dir, JournalFileBytes: 256 << 10, FirstFileBytes: 64 << 10, MoveAfterBytes: 300 << 10,
		MemtableBytes: 256 << 10, AdoptBatchBytes: 8 << 10, BallastBytes: -1,
	}
}

const (
	parts   = 3 // 1: small records, moved into segments; 2: large ones, adopted; 3: a closed and trimmed one
	rounds  = 400
	trimmed = 7
)

func value(part, i int) []byte {
	size := 200
	if part == 2 && i >= rounds/2 {
		size = 40 << 10
	}
	return bytes.Repeat([]byte{byte(part), byte(i), byte(i >> 8)}, size/3)
}

func key(i int) []byte { return append([]byte{byte(store.FamilyTopic)}, fmt.Sprintf("key-%04d", i)...) }

// fill writes what verify expects.
func fill(t *testing.T, s store.Store) {
	t.Helper()
	update := func(fn func(store.Tx) error) {
		if _, err := s.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx store.Tx) error {
		var errs []error
		for id := store.PartitionID(1); id <= parts; id++ {
			errs = append(errs, tx.CreatePartition(id, 5, store.Retention{Millis: 1 << 50, Bytes: 1 << 50}))
		}
		return errors.Join(append(errs, tx.InitProducer(9, 3))...)
	})
	for i := range rounds {
		for p := 1; p <= parts; p++ {
			if p == 2 && i < rounds/2 || p == 1 && i >= rounds/2 {
				continue
			}
			res, err := s.Append(t.Context(), []store.AppendRequest{{Partition: store.PartitionID(p), Records: []store.Record{{Key: []byte("k"), Value: value(p, i)}}}})
			if err != nil || res[0].Err != nil {
				t.Fatal(err, res)
			}
		}
		update(func(tx store.Tx) error { return tx.Set(key(i), value(1, i)) })
	}
	open := batchOf(9, 3, 0)
	update(func(tx store.Tx) error {
		_, err := tx.Append(store.AppendRequest{Partition: 1, Batch: open})
		return errors.Join(err, tx.Delete(key(0)), tx.ClosePartition(3), tx.TrimPartition(3, trimmed),
			tx.SetOrdered([]byte{byte(store.FamilyTopic), 'o'}, []byte("ordered")))
	})
}

// batchOf is a transactional batch of one record.
func batchOf(producer int64, epoch int16, sequence int32) []byte {
	var b batch.Builder
	b.Start(nil, 1000)
	b.Add(&batch.Record{Key: []byte("tx"), Value: []byte("open"), Timestamp: 1000})
	return b.Finish(batch.Fields{
		FirstTimestamp: 1000, MaxTimestamp: 1000, Attributes: batch.AttrTransactional,
		ProducerID: producer, ProducerEpoch: epoch, BaseSequence: sequence,
	})
}

// verify compares a store with what fill has written.
func verify(t *testing.T, s store.Store) {
	t.Helper()
	wantNext := map[int]store.Offset{1: rounds/2 + 1, 2: rounds / 2, 3: rounds}
	for p := 1; p <= parts; p++ {
		h, err := s.Head(t.Context(), store.PartitionID(p))
		if err != nil || h.Next != wantNext[p] || h.Epoch != 5 || h.Closed != (p == 3) || h.Retention.Millis != 1<<50 {
			t.Fatalf("head of partition %d: got %+v, %v", p, h, err)
		}
		if p == 1 && h.LastStable != rounds/2 || p == 3 && h.Start != trimmed {
			t.Fatalf("head of partition %d: got %+v", p, h)
		}
		verifyRecords(t, s, p, h)
	}
	err := s.View(t.Context(), func(tx store.ReadTx) error {
		for i := range rounds {
			v, ok, err := tx.Get(key(i))
			if err != nil || ok != (i > 0) || ok && !bytes.Equal(v, value(1, i)) {
				return fmt.Errorf("key %d: got %d bytes, %v, %w", i, len(v), ok, err)
			}
		}
		pr, ok, err := tx.Producer(9)
		if err != nil || !ok || pr.Epoch != 3 || len(pr.Open) != 1 || pr.Open[0] != (store.OpenPartition{Partition: 1, First: rounds / 2}) {
			return fmt.Errorf("producer: got %+v, %v, %w", pr, ok, err)
		}
		kvs, err := tx.Scan([]byte{byte(store.FamilyTopic), 'o'}, []byte{byte(store.FamilyTopic), 'p'}, 10, false)
		if err != nil || len(kvs) != 1 || string(kvs[0].Value) != "ordered" {
			return fmt.Errorf("ordered keys: got %v, %w", kvs, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	repeat, err := s.Append(t.Context(), []store.AppendRequest{{Partition: 1, Batch: batchOf(9, 3, 0)}})
	if err != nil || repeat[0].Err != nil || !repeat[0].Repeat || repeat[0].Base != rounds/2 {
		t.Fatalf("the producer's batch again: got %+v, %v", repeat, err)
	}
}

func verifyRecords(t *testing.T, s store.Store, p int, h store.Head) {
	t.Helper()
	next := h.Start
	for next < h.Next {
		res, err := s.Read(t.Context(), store.ReadRequest{Partition: store.PartitionID(p), From: next, MaxBytes: 1 << 20})
		if err != nil || len(res.Batches) == 0 {
			t.Fatalf("read partition %d at %d: %d batches, %v", p, next, len(res.Batches), err)
		}
		for _, b := range res.Batches {
			var c batch.Cursor
			if err := c.Reset(b.Bytes); err != nil {
				t.Fatal(err)
			}
			var r batch.Record
			for c.Next(&r) {
				if r.Offset >= int64(h.Start) && !bytes.Equal(r.Value, want(p, r.Offset)) {
					t.Fatalf("partition %d, offset %d: got %d bytes of another record", p, r.Offset, len(r.Value))
				}
			}
			next = b.Next
		}
		res.Release()
	}
}

func want(p int, offset int64) []byte {
	switch {
	case p == 1 && offset == rounds/2:
		return []byte("open")
	case p == 2:
		return value(2, int(offset)+rounds/2)
	}
	return value(p, int(offset))
}

func TestFoldersOfEveryLevelAreOpened(t *testing.T) {
	if *write {
		makeFolder(t)
	}
	for level := store.Level(1); level <= store.LevelWrite; level++ {
		t.Run(fmt.Sprintf("level %d", level), func(t *testing.T) {
			dir := t.TempDir()
			if err := unpack(archive(level), dir); err != nil {
				t.Fatal(err)
			}
			report, err := embedded.Check(options(dir), func(string) {})
			if err != nil || report.SealedFiles == 0 || report.JournalFiles == 0 {
				t.Fatalf("check: got %+v, %v", report, err)
			}
			for range 2 { // as it was left, and as this binary leaves it
				s, err := embedded.Open(options(dir))
				if err != nil {
					t.Fatal(err)
				}
				verify(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func archive(level store.Level) string {
	return filepath.Join("testdata", fmt.Sprintf("level%d.tar.gz", level))
}

// makeFolder writes the archive of this level: a store that was killed, so that there is something to replay.
func makeFolder(t *testing.T) {
	dir := t.TempDir()
	s, err := embedded.Open(options(dir))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	if err := pack(archive(store.LevelWrite), dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func pack(file, dir string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, Size: int64(len(text))}); err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	})
	if err := errors.Join(err, w.Close(), z.Close()); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

func unpack(file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if !strings.HasPrefix(path, filepath.Clean(dir)+string(filepath.Separator)) {
			return fmt.Errorf("archive: %s leads outside", h.Name)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
}
