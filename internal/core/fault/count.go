package fault

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Op is what an Event of a CountFS is about.
type Op uint8

// The operations that decide what is durable, and notes of the test among them.
const (
	OpNote Op = iota
	OpCreate
	OpWrite
	OpSync
	OpLink
	OpRename
	OpRemove
)

func (o Op) String() string {
	return [...]string{"note", "create", "write", "sync", "link", "rename", "remove"}[o]
}

// Event is one operation, in the order in which they returned.
type Event struct {
	Op   Op
	Path string // as the file was opened; of a link or rename, the new name
	Off  int64  // of a write: where it began, -1 when at the file's own position
	Len  int    // of a write
	Text string // of a note
	Err  error  // a failed operation counts as none
}

func (e Event) String() string {
	switch e.Op {
	case OpNote:
		return "note " + e.Text
	case OpWrite:
		return fmt.Sprintf("write %s [%d +%d]", e.Path, e.Off, e.Len)
	default:
		return e.Op.String() + " " + e.Path
	}
}

// CountFS records every write and sync that goes through it, so that a test can show that a sync stands
// between each write and its answer: it calls Note when it sees the answer and looks at Dirty there, or
// at Events afterwards.
type CountFS struct {
	vfs.FS
	mu     sync.Mutex // guards all below
	events []Event
	dirty  map[string]int // writes since the last sync
}

// NewCount returns a recorder over fs.
func NewCount(fs vfs.FS) *CountFS { return &CountFS{FS: fs, dirty: map[string]int{}} }

// Unwrap implements vfs.FS.
func (fs *CountFS) Unwrap() vfs.FS { return fs.FS }

// Note puts text between the events.
func (fs *CountFS) Note(text string) { fs.record(Event{Op: OpNote, Text: text}) }

// Events is a copy of what was recorded since the last Reset.
func (fs *CountFS) Events() []Event {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.Clone(fs.events)
}

// Reset forgets the events, not which files are dirty.
func (fs *CountFS) Reset() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.events = nil
}

// Count is the number of operations op since the last Reset that succeeded.
func (fs *CountFS) Count(op Op) int {
	n := 0
	for _, e := range fs.Events() {
		if e.Op == op && e.Err == nil {
			n++
		}
	}
	return n
}

// Dirty names the files written since their last sync, in order.
func (fs *CountFS) Dirty() []string {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.Sorted(maps.Keys(fs.dirty))
}

func (fs *CountFS) record(e Event) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.events = append(fs.events, e)
	if e.Err != nil {
		return
	}
	switch e.Op {
	case OpWrite:
		fs.dirty[e.Path]++
	case OpSync, OpRemove, OpCreate:
		delete(fs.dirty, e.Path)
	case OpNote, OpLink, OpRename:
	}
}

// renamed carries what is dirty to the new name.
func (fs *CountFS) renamed(from, to string, err error) {
	fs.record(Event{Op: OpRename, Path: to, Err: err})
	if err != nil {
		return
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.dirty, to)
	if n, ok := fs.dirty[from]; ok {
		fs.dirty[to] = n
		delete(fs.dirty, from)
	}
}

func (fs *CountFS) file(f vfs.File, name string, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &countFile{f, fs, name}, nil
}

// Create implements vfs.FS.
func (fs *CountFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, c)
	fs.record(Event{Op: OpCreate, Path: name, Err: err})
	return fs.file(f, name, err)
}

// Open implements vfs.FS.
func (fs *CountFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.Open(name, opts...)
	return fs.file(f, name, err)
}

// OpenDir implements vfs.FS.
func (fs *CountFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	return fs.file(f, name, err)
}

// OpenReadWrite implements vfs.FS.
func (fs *CountFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.OpenReadWrite(name, c, opts...)
	return fs.file(f, name, err)
}

// ReuseForWrite implements vfs.FS.
func (fs *CountFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(oldname, newname, c)
	fs.renamed(oldname, newname, err)
	return fs.file(f, newname, err)
}

// Link implements vfs.FS.
func (fs *CountFS) Link(oldname, newname string) error {
	err := fs.FS.Link(oldname, newname)
	fs.record(Event{Op: OpLink, Path: newname, Err: err})
	return err
}

// Rename implements vfs.FS.
func (fs *CountFS) Rename(oldname, newname string) error {
	err := fs.FS.Rename(oldname, newname)
	fs.renamed(oldname, newname, err)
	return err
}

// Remove implements vfs.FS.
func (fs *CountFS) Remove(name string) error {
	err := fs.FS.Remove(name)
	fs.record(Event{Op: OpRemove, Path: name, Err: err})
	return err
}

type countFile struct {
	vfs.File
	fs   *CountFS
	name string
}

func (f *countFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.fs.record(Event{Op: OpWrite, Path: f.name, Off: -1, Len: n, Err: err})
	return n, err
}

func (f *countFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	f.fs.record(Event{Op: OpWrite, Path: f.name, Off: off, Len: n, Err: err})
	return n, err
}

func (f *countFile) Sync() error {
	err := f.File.Sync()
	f.fs.record(Event{Op: OpSync, Path: f.name, Err: err})
	return err
}

func (f *countFile) SyncData() error {
	err := f.File.SyncData()
	f.fs.record(Event{Op: OpSync, Path: f.name, Err: err})
	return err
}

func (f *countFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	if full {
		f.fs.record(Event{Op: OpSync, Path: f.name, Err: err})
	}
	return full, err
}
