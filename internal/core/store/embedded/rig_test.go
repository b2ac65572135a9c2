package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/batch"
	"millrace/internal/core/datakey"
	"millrace/internal/core/fault"
	"millrace/internal/core/store"
)

// rig is a store and calls of it that have to succeed.
type rig struct {
	testing.TB
	*Store
	sealed map[store.PartitionID]uint64 // data keys of partitions that append seals
}

func openRig(tb testing.TB, o Options) *rig {
	tb.Helper()
	r := &rig{TB: tb, Store: mustOpen(tb, o), sealed: map[store.PartitionID]uint64{}}
	tb.Cleanup(func() { _ = r.Close() }) // tests that expect a clean stop close it themselves
	return r
}

func (r *rig) stop() {
	r.Helper()
	if err := r.Close(); err != nil {
		r.Fatalf("Close: %v", err)
	}
}

func (r *rig) update(fn func(tx store.Tx) error) store.Commit {
	r.Helper()
	c, err := r.Update(context.Background(), fn)
	if err != nil {
		r.Fatalf("Update: %v", err)
	}
	return c
}

func (r *rig) set(k string, v []byte) {
	r.Helper()
	r.update(func(tx store.Tx) error { return tx.Set(topicKey(k), v) })
}

func topicKey(k string) []byte { return append([]byte{byte(store.FamilyTopic)}, k...) }

func (r *rig) get(k string) []byte {
	r.Helper()
	var got []byte
	if err := r.View(context.Background(), func(tx store.ReadTx) (err error) {
		got, _, err = tx.Get(topicKey(k))
		return err
	}); err != nil {
		r.Fatalf("View: %v", err)
	}
	return got
}

func (r *rig) create(keep store.Retention) store.PartitionID {
	r.Helper()
	var id uint64
	r.update(func(tx store.Tx) (err error) {
		if id, err = tx.NextID("partition"); err != nil {
			return err
		}
		return tx.CreatePartition(store.PartitionID(id), 0, keep)
	})
	return store.PartitionID(id)
}

// seal has a partition sealed under a new data key from now on.
func (r *rig) seal(id store.PartitionID) (key uint64) {
	r.Helper()
	r.update(func(tx store.Tx) (err error) {
		key, err = datakey.Create(tx, r.opts.RootKey)
		return err
	})
	r.sealed[id] = key
	return key
}

func one(id store.PartitionID, v []byte) []store.AppendRequest {
	return []store.AppendRequest{{Partition: id, Records: []store.Record{{Value: v}}}}
}

func (r *rig) append(id store.PartitionID, v []byte) {
	r.Helper()
	req := one(id, v)
	req[0].Key = r.sealed[id]
	res, err := r.Append(context.Background(), req)
	if err != nil || res[0].Err != nil {
		r.Fatalf("Append of %d bytes to partition %d: %+v, %v", len(v), id, res, err)
	}
}

// fill appends n records of size bytes, each of which says its offset.
func (r *rig) fill(id store.PartitionID, n, size int) {
	r.Helper()
	next := r.head(id).Next
	for i := range n {
		r.append(id, numbered(id, next+store.Offset(i), size))
	}
}

func numbered(id store.PartitionID, at store.Offset, size int) []byte {
	v := fmt.Appendf(nil, "%d/%d ", id, at)
	for len(v) < size {
		v = append(v, byte(len(v)*int(at+7)))
	}
	return v
}

func (r *rig) head(id store.PartitionID) store.Head {
	r.Helper()
	h, err := r.Head(context.Background(), id)
	if err != nil {
		r.Fatalf("Head of %d: %v", id, err)
	}
	return h
}

// readNumbered reads up to the end and compares each record with what fill has written.
func (s *Store) readNumbered(id store.PartitionID, from store.Offset) error {
	h, err := s.Head(context.Background(), id)
	if err != nil {
		return err
	}
	for from < h.Next {
		res, err := s.Read(context.Background(), store.ReadRequest{Partition: id, From: from, MaxBytes: 64 << 10})
		if err != nil {
			return fmt.Errorf("read of %d from %d: %w", id, from, err)
		}
		for _, b := range res.Batches {
			if _, err := batch.Verify(b.Bytes); err != nil {
				return fmt.Errorf("batch of %d at %d: %w", id, b.Base, err)
			}
			for rec, err := range batch.Records(b.Bytes, batch.Limits{}) {
				if err != nil {
					return err
				}
				if want := numbered(id, store.Offset(rec.Offset), len(rec.Value)); !slices.Equal(rec.Value, want) {
					return fmt.Errorf("record of %d at %d: got %.30q, want %.30q", id, rec.Offset, rec.Value, want)
				}
			}
			from = b.Next
		}
		if len(res.Batches) == 0 {
			return fmt.Errorf("read of %d from %d of %d: nothing", id, from, h.Next)
		}
		res.Release()
	}
	return nil
}

// awaited is how long a test waits for a condition before it gives up: far longer than any takes.
const awaited = 20 * time.Second

func await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(awaited); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("waited for %v: %s", awaited, what)
		}
	}
}

func (r *rig) files(dir, suffix string) []string {
	r.Helper()
	names, err := r.opts.FS.List(r.path(dir))
	if err != nil {
		r.Fatal(err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, suffix) })
	slices.Sort(names)
	return names
}

// ruleFS asks a rule before each call that makes or writes a file. A rule may wait.
type ruleFS struct {
	vfs.FS
	rule atomic.Pointer[func(op fault.Op, path string) error]
}

func (f *ruleFS) set(rule func(op fault.Op, path string) error) {
	if rule == nil {
		f.rule.Store(nil)
		return
	}
	f.rule.Store(&rule)
}

func (f *ruleFS) check(op fault.Op, path string) error {
	if rule := f.rule.Load(); rule != nil {
		return (*rule)(op, path)
	}
	return nil
}

type ruleFile struct {
	vfs.File
	fs   *ruleFS
	name string
}

func (f *ruleFS) file(file vfs.File, name string, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &ruleFile{file, f, name}, nil
}

func (f *ruleFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.check(fault.OpCreate, name); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, c)
	return f.file(file, name, err)
}

func (f *ruleFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, c, opts...)
	return f.file(file, name, err)
}

func (f *ruleFile) Write(b []byte) (int, error) {
	if err := f.fs.check(fault.OpWrite, f.name); err != nil {
		return 0, err
	}
	return f.File.Write(b)
}

func (f *ruleFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.fs.check(fault.OpWrite, f.name); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, at)
}

func (f *ruleFile) Sync() error {
	if err := f.fs.check(fault.OpSync, f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *ruleFile) SyncData() error {
	if err := f.fs.check(fault.OpSync, f.name); err != nil {
		return err
	}
	return f.File.SyncData()
}

var errNoRoom = errors.New("no space left on device")
