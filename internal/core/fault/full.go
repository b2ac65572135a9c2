package fault

import (
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FullFS is a disk with so many bytes and no more: a write beyond them writes what fits and fails with
// ENOSPC, as does a reservation (Preallocate). Removing or replacing a file gives its bytes back once its
// last name is gone.
type FullFS struct {
	vfs.FS
	mu    sync.Mutex // guards all below
	limit int64
	used  int64
	files map[string]*allocated
}

// allocated is the room one file takes, under all of its names.
type allocated struct {
	bytes int64
	names int
}

// NewFull returns a disk of limit bytes over fs. Files that are there already count from when they are
// first opened.
func NewFull(fs vfs.FS, limit int64) *FullFS {
	return &FullFS{FS: fs, limit: limit, files: map[string]*allocated{}}
}

// SetLimit changes the size of the disk; below Used, nothing more fits.
func (fs *FullFS) SetLimit(limit int64) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.limit = limit
}

// Used is the number of bytes that files take.
func (fs *FullFS) Used() int64 {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.used
}

// Unwrap implements vfs.FS.
func (fs *FullFS) Unwrap() vfs.FS { return fs.FS }

// GetDiskUsage implements vfs.FS.
func (fs *FullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return vfs.DiskUsage{
		AvailBytes: uint64(max(0, fs.limit-fs.used)),
		TotalBytes: uint64(fs.limit),
		UsedBytes:  uint64(fs.used),
	}, nil
}

// extend makes room in a for a file that reaches end, and returns how far it may reach.
func (fs *FullFS) extend(a *allocated, end int64) int64 {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	more := min(end-a.bytes, max(0, fs.limit-fs.used))
	if more > 0 {
		a.bytes += more
		fs.used += more
	}
	return min(end, a.bytes)
}

// drop takes name from its file; fs.mu is held.
func (fs *FullFS) drop(name string) {
	a := fs.files[name]
	if a == nil {
		return
	}
	delete(fs.files, name)
	if a.names--; a.names == 0 {
		fs.used -= a.bytes
	}
}

// open wraps f; fresh says that it replaces what had its name.
func (fs *FullFS) open(f vfs.File, name string, fresh bool, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fresh {
		fs.drop(name)
	}
	a := fs.files[name]
	if a == nil {
		a = &allocated{names: 1}
		if !info.IsDir() {
			a.bytes = info.Size()
		}
		fs.files[name] = a
		fs.used += a.bytes
	}
	return &fullFile{File: f, fs: fs, a: a, name: name}, nil
}

// Create implements vfs.FS.
func (fs *FullFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, c)
	return fs.open(f, name, true, err)
}

// OpenReadWrite implements vfs.FS.
func (fs *FullFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.OpenReadWrite(name, c, opts...)
	return fs.open(f, name, false, err)
}

// ReuseForWrite implements vfs.FS.
func (fs *FullFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.ReuseForWrite(oldname, newname, c)
	if err == nil {
		fs.moved(oldname, newname)
	}
	return fs.open(f, newname, false, err)
}

// Rename implements vfs.FS.
func (fs *FullFS) Rename(oldname, newname string) error {
	err := fs.FS.Rename(oldname, newname)
	if err == nil {
		fs.moved(oldname, newname)
	}
	return err
}

func (fs *FullFS) moved(oldname, newname string) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if oldname == newname {
		return
	}
	fs.drop(newname)
	if a := fs.files[oldname]; a != nil {
		fs.files[newname] = a
		delete(fs.files, oldname)
	}
}

// Link implements vfs.FS.
func (fs *FullFS) Link(oldname, newname string) error {
	err := fs.FS.Link(oldname, newname)
	if err != nil {
		return err
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if a := fs.files[oldname]; a != nil {
		fs.files[newname] = a
		a.names++
	}
	return nil
}

// Remove implements vfs.FS.
func (fs *FullFS) Remove(name string) error {
	err := fs.FS.Remove(name)
	if err == nil {
		fs.mu.Lock()
		defer fs.mu.Unlock()
		fs.drop(name)
	}
	return err
}

type fullFile struct {
	vfs.File
	fs   *FullFS
	a    *allocated
	name string
	pos  int64 // where Write goes on
}

func (f *fullFile) Write(p []byte) (int, error) {
	fit := f.fit(f.pos, len(p))
	n, err := f.File.Write(p[:fit])
	f.pos += int64(n)
	return n, f.full(err, fit < len(p))
}

func (f *fullFile) WriteAt(p []byte, off int64) (int, error) {
	fit := f.fit(off, len(p))
	n, err := f.File.WriteAt(p[:fit], off)
	return n, f.full(err, fit < len(p))
}

func (f *fullFile) Preallocate(off, length int64) error {
	if f.fs.extend(f.a, off+length) < off+length {
		return f.full(nil, true)
	}
	return f.File.Preallocate(off, length)
}

// fit is how many of n bytes at off there is room for.
func (f *fullFile) fit(off int64, n int) int {
	return int(max(0, f.fs.extend(f.a, off+int64(n))-off))
}

func (f *fullFile) full(err error, full bool) error {
	if err != nil || !full {
		return err
	}
	return pathError("write", f.name, syscall.ENOSPC)
}
