package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/journal"
	"millrace/internal/core/store"
)

// journalFile is one file of the journal, unmoved or being prepared.
type journalFile struct {
	name   string // path
	id     uint64 // number in the name, never used again
	file   vfs.File
	direct *os.File // writes past the page cache, synced; nil where there is no such thing
	header journal.FileHeader
	size   int64
	end    int64 // where the next group goes; the sequencer's

	used     atomic.Int64  // end, for others
	firstSeq uint64        // of its groups; 0 when there are none
	lastSeq  atomic.Uint64 // of its groups

	batches, batchBytes atomic.Int64 // what it holds for partitions
	keepOut             atomic.Bool  // it was looked at and is not to be adopted

	refs   atomic.Int32 // the store's own and the readers'
	onFree func(*journalFile)
}

func (f *journalFile) number() uint32 { return uint32(f.header.Seq) }

// left is the bytes behind the groups; room is those without what is kept for requests that free some.
func (f *journalFile) left() int64 { return f.size - f.end }
func (f *journalFile) room() int64 { return f.left() - f.reserve() }

// reserve is kept at the end of each file for trims and deletions when there is no next file: a full disk could not
// be cleaned up otherwise. 256 KiB take thousands of them.
func (f *journalFile) reserve() int64 { return min(256<<10, int64(journal.Pad(int(f.size/16)))) }

// wrote accounts for a group of n bytes at the end.
func (f *journalFile) wrote(g *store.Group, n int) {
	if f.firstSeq == 0 {
		f.firstSeq = g.Seq
	}
	f.lastSeq.Store(g.Seq)
	f.end += int64(n)
	f.used.Store(f.end)
	f.batches.Add(int64(len(g.Appends)))
	for i := range g.Appends {
		f.batchBytes.Add(int64(g.Appends[i].Size))
	}
}

// write writes a sealed group at the end of the file. It is on the disk afterwards, unless unsynced.
//
// Where it can be, it is one call that goes past the page cache: so a bulk load fills none, and a small group costs a
// quarter less CPU than with a sync of its own.
func (f *journalFile) write(group []byte, unsynced bool) error {
	if f.direct != nil && !unsynced {
		_, err := f.direct.WriteAt(group, f.end)
		return err
	}
	if _, err := f.file.WriteAt(group, f.end); err != nil || unsynced {
		return err
	}
	if err := f.file.SyncData(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// openDirect opens the better way to write, where there is one.
func (f *journalFile) openDirect(fs vfs.FS) {
	if fs != vfs.Default {
		return
	}
	if direct, err := journal.OpenDirect(f.name, true); err == nil {
		f.direct = direct
	}
}

func (f *journalFile) close() error {
	err := f.file.Close()
	if f.direct != nil {
		err = errors.Join(err, f.direct.Close())
	}
	return err
}

// hold keeps the file from being used again; false when it is too late.
func (f *journalFile) hold() bool {
	for {
		n := f.refs.Load()
		if n == 0 {
			return false
		}
		if f.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (f *journalFile) release() {
	if f.refs.Add(-1) == 0 && f.onFree != nil {
		f.onFree(f)
	}
}

func journalName(id uint64) string { return fmt.Sprintf("%016x.log", id) }

func parseName(name, suffix string) (uint64, bool) {
	base, ok := strings.CutSuffix(name, suffix)
	if !ok || len(base) != 16 {
		return 0, false
	}
	id, err := strconv.ParseUint(base, 16, 64)
	return id, err == nil
}

// room makes sure that bound bytes fit behind the groups of the active file, and goes on to the next file
// when they do not. Writers wait here while too much of the journal is not moved.
//
// Errors: store.ErrFull when there is no room on the disk.
func (s *Store) room(bound int) error {
	fits := int64(bound) <= s.active.room() && s.active.room() > 0
	if fits && !s.rolls() {
		return nil
	}
	if err := s.mover.wait(); err != nil {
		return err
	}
	next, err := s.space.next(int64(journal.PageSize + bound + bound/8 + journal.PageSize)) // and its reserve
	if s.failure() != nil {
		return store.ErrStopped // nothing of the group was written
	}
	if err != nil && fits {
		return nil // there was no need
	}
	if err != nil {
		return err
	}
	s.waitApplied() // so that the files' order in the list is the order of their groups
	s.mu.Lock()
	s.files = append(s.files, next)
	s.mu.Unlock()
	s.active = next
	s.mover.signal()
	return nil
}

// rolls tells whether compaction waits for what the active file holds.
func (s *Store) rolls() bool {
	return s.active.firstSeq != 0 && s.active.header.Seq <= s.mover.upTo.Load()
}

// roll has the sequencer go on in the next file, unless it already has, and the mover move what is before.
func (s *Store) roll(ctx context.Context) error {
	s.mu.RLock()
	active := s.files[len(s.files)-1].header.Seq
	s.mu.RUnlock()
	s.mover.upTo.Store(active)
	r := newRequest(ctx)
	defer r.free()
	r.fn = func(store.Tx) error { return nil }
	r.setTx(&store.Request{})
	if err := s.submit(r); err != nil {
		return err
	}
	s.mover.signal()
	return r.err
}
