package embedded

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/store"
)

// keyGate refuses key changes while Pebble cannot flush, before its memtables are full: then Apply would
// block, and with it the appends of everybody.
//
// A flush that is only slow is waited for here, by the applier and before the last memtable is begun: when it turns out
// to fail, what is in the journal already still fits.
type keyGate struct {
	failing atomic.Bool   // a flush has failed, and none has succeeded since
	full    atomic.Bool   // and two memtables wait
	written atomic.Int64  // bytes since memtables were counted
	ended   chan struct{} // a flush has ended, well or not; room for one signal
	s       *Store
}

// countEvery is how many bytes of key changes may come between two looks at Pebble's memtables while flushes fail;
// memtables start at 256 KiB and double. While they do not it is an eighth of a memtable: a look costs some 10 µs.
const countEvery = 128 << 10

// retryFlush is how long Pebble is held back before it tries a flush again that has failed: by itself it goes on at
// once, with a whole processor, as long as the disk is full.
const retryFlush = 50 * time.Millisecond

// lookAgain is how long a wait for a flush goes on without a look: an event may come before the memtable goes.
const lookAgain = 10 * time.Millisecond

func (k *keyGate) check() error {
	if k.full.Load() {
		return store.ErrFull
	}
	return nil
}

// wrote is told of key changes; the applier calls it.
func (k *keyGate) wrote(db *pebble.DB, bytes int) {
	every := max(k.s.opts.MemtableBytes/8, 1)
	if k.failing.Load() {
		every = min(every, countEvery)
	}
	if k.written.Add(int64(bytes)) < every && (!k.failing.Load() || k.full.Load()) {
		return
	}
	k.written.Store(0)
	m := db.Metrics()
	for !k.failing.Load() && m.MemTable.Size >= uint64(3*k.s.opts.MemtableBytes) { // Pebble stops at four
		select {
		case <-k.ended:
		case <-time.After(lookAgain):
		case <-k.s.broken:
			return
		}
		m = db.Metrics()
	}
	if k.failing.Load() && m.MemTable.Count >= 3 { // one is written to, two wait
		k.full.Store(true)
	}
}

func (k *keyGate) listener(s *Store) *pebble.EventListener {
	k.s, k.ended = s, make(chan struct{}, 1)
	signal := func() {
		select {
		case k.ended <- struct{}{}:
		default:
		}
	}
	return &pebble.EventListener{
		DataCorruption: func(info pebble.DataCorruptionInfo) { // without it Pebble ends the process; the reader gets the error
			s.log.Error("the key store is damaged", "file", info.Path, "error", info.Details)
		},
		BackgroundError: func(err error) {
			if !k.failing.Swap(true) {
				s.log.Warn("the key store cannot write; key changes will be refused if it lasts", "error", err)
			}
			signal()
			s.space.giveBallast()
		},
		FlushEnd: func(info pebble.FlushInfo) {
			if info.Err == nil && k.failing.Swap(false) {
				k.full.Store(false)
				s.log.Info("the key store writes again")
			}
			signal()
		},
	}
}

// pebbleLogger passes on what Pebble cannot live with.
type pebbleLogger struct{ s *Store }

func (pebbleLogger) Infof(string, ...any) {}
func (l pebbleLogger) Errorf(format string, args ...any) {
	l.s.log.Warn(fmt.Sprintf(format, args...), "part", "keys")
}

// Fatalf must not return: Pebble relies on it. When Options.Fatal has not ended the process, the goroutine ends here
// and gives up its locks, so that nobody waits for them.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.s.fail(fmt.Errorf("keys: "+format, args...))
	runtime.Goexit()
}

// syncFS stops the store when a sync of one of Pebble's files fails: Pebble would try again into a new file,
// and nobody could tell what is on disk.
//
// The first sync of a new file also syncs its folder. Pebble makes a manifest, syncs it, and then makes the marker
// that names it: of two new names only a sync of the folder says which one is there after a crash.
type syncFS struct {
	vfs.FS
	fail func(error)
	gate *keyGate
}

type syncFile struct {
	vfs.File
	fs    vfs.FS
	name  string
	fail  func(error)
	named bool // the folder has been synced since the file was made
}

func (f *syncFile) check(err error) error {
	if err != nil {
		f.fail(fmt.Errorf("sync %s: %w", f.name, err))
	}
	return err
}

func (f *syncFile) Sync() error     { return f.check(f.withName(f.File.Sync())) }
func (f *syncFile) SyncData() error { return f.check(f.withName(f.File.SyncData())) }
func (f *syncFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.check(err)
}

// withName makes the file's name durable after its bytes.
func (f *syncFile) withName(err error) error {
	if err != nil || f.named {
		return err
	}
	f.named = true
	return syncDir(f.fs, f.fs.PathDir(f.name))
}

func (s *syncFS) wrap(f vfs.File, name string, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &syncFile{File: f, fs: s.FS, name: name, fail: s.fail, named: true}, nil
}

func (s *syncFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if s.gate.failing.Load() {
		time.Sleep(retryFlush)
	}
	f, err := s.FS.Create(name, c)
	if err != nil {
		return nil, err
	}
	return &syncFile{File: f, fs: s.FS, name: name, fail: s.fail}, nil
}

func (s *syncFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := s.FS.OpenReadWrite(name, c, opts...)
	return s.wrap(f, name, err)
}

func (s *syncFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.ReuseForWrite(oldname, newname, c)
	return s.wrap(f, newname, err)
}

func (s *syncFS) OpenDir(name string) (vfs.File, error) {
	f, err := s.FS.OpenDir(name)
	return s.wrap(f, name, err)
}

// Unwrap implements vfs.FS.
func (s *syncFS) Unwrap() vfs.FS { return s.FS }
