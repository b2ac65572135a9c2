package fault

import (
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrFS fails chosen calls with EIO. What was written stays with the file system beneath; TornFS.FailSync
// also loses it.
type ErrFS struct {
	vfs.FS
	mu    sync.Mutex // guards rules and their counts
	rules []*errRule
}

type errRule struct {
	op    Op
	match func(path string) bool
	nth   int
	seen  int
}

// NewErr returns fs with no failures yet.
func NewErr(fs vfs.FS) *ErrFS { return &ErrFS{FS: fs} }

// FailNth makes call number nth (from 1, counted from now) of op, OpWrite, OpSync or OpCreate, on paths
// for which match is true (nil: all) fail once.
func (fs *ErrFS) FailNth(op Op, nth int, match func(path string) bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.rules = append(fs.rules, &errRule{op: op, match: match, nth: nth})
}

// check is the error of this call, if it has one.
func (fs *ErrFS) check(op Op, name string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var err error
	for _, r := range fs.rules {
		if r.op != op || r.match != nil && !r.match(name) {
			continue
		}
		if r.seen++; r.seen == r.nth {
			err = pathError(op.String(), name, syscall.EIO)
		}
	}
	return err
}

func (fs *ErrFS) file(f vfs.File, name string, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &errFile{f, fs, name}, nil
}

// Unwrap implements vfs.FS.
func (fs *ErrFS) Unwrap() vfs.FS { return fs.FS }

// Create implements vfs.FS.
func (fs *ErrFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.check(OpCreate, name); err != nil {
		return nil, err
	}
	f, err := fs.FS.Create(name, c)
	return fs.file(f, name, err)
}

// OpenDir implements vfs.FS.
func (fs *ErrFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	return fs.file(f, name, err)
}

// OpenReadWrite implements vfs.FS.
func (fs *ErrFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.OpenReadWrite(name, c, opts...)
	return fs.file(f, name, err)
}

// ReuseForWrite implements vfs.FS.
func (fs *ErrFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(oldname, newname, c)
	return fs.file(f, newname, err)
}

type errFile struct {
	vfs.File
	fs   *ErrFS
	name string
}

func (f *errFile) Write(p []byte) (int, error) {
	if err := f.fs.check(OpWrite, f.name); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *errFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.check(OpWrite, f.name); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *errFile) Sync() error {
	if err := f.fs.check(OpSync, f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *errFile) SyncData() error {
	if err := f.fs.check(OpSync, f.name); err != nil {
		return err
	}
	return f.File.SyncData()
}
