package fault

import (
	"errors"
	"io"
	iofs "io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	errNotDir   = syscall.ENOTDIR
	errIsDir    = syscall.EISDIR
	errNotEmpty = syscall.ENOTEMPTY
	errMode     = syscall.EBADF // not open for this
)

func pathError(op, name string, err error) error {
	return &iofs.PathError{Op: op, Path: name, Err: err}
}

// parent walks to the directory that holds name; base is "" for the root itself.
func (fs *TornFS) parent(op, name string) (dir *node, base string, err error) {
	clean := strings.TrimPrefix(path.Clean("/"+name), "/")
	dir = fs.root
	for {
		head, rest, more := strings.Cut(clean, "/")
		if !more {
			return dir, head, nil
		}
		next := dir.children[head]
		switch {
		case next == nil:
			return nil, "", pathError(op, name, os.ErrNotExist)
		case !next.isDir:
			return nil, "", pathError(op, name, errNotDir)
		}
		dir, clean = next, rest
	}
}

func (fs *TornFS) find(op, name string) (*node, error) {
	dir, base, err := fs.parent(op, name)
	if err != nil {
		return nil, err
	}
	if base == "" {
		return dir, nil
	}
	if n := dir.children[base]; n != nil {
		return n, nil
	}
	return nil, pathError(op, name, os.ErrNotExist)
}

// Create implements vfs.FS.
func (fs *TornFS) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.create(name)
}

func (fs *TornFS) create(name string) (vfs.File, error) {
	dir, base, err := fs.parent("create", name)
	if err != nil {
		return nil, err
	}
	if old := dir.children[base]; base == "" || old != nil && old.isDir {
		return nil, pathError("create", name, errIsDir)
	}
	n := &node{nanos: fs.ops}
	fs.change(dirChange{dir, base, n})
	return &tornFile{fs: fs, n: n, name: name, read: true, write: true}, nil
}

// Open implements vfs.FS.
func (fs *TornFS) Open(name string, _ ...vfs.OpenOption) (vfs.File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	n, err := fs.find("open", name)
	if err != nil {
		return nil, err
	}
	return &tornFile{fs: fs, n: n, name: name, read: true}, nil
}

// OpenDir implements vfs.FS.
func (fs *TornFS) OpenDir(name string) (vfs.File, error) { return fs.Open(name) }

// OpenReadWrite implements vfs.FS.
func (fs *TornFS) OpenReadWrite(name string, _ vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	n, err := fs.find("open", name)
	if errors.Is(err, os.ErrNotExist) {
		return fs.create(name)
	}
	if err != nil {
		return nil, err
	}
	if n.isDir {
		return nil, pathError("open", name, errIsDir)
	}
	return &tornFile{fs: fs, n: n, name: name, read: true, write: true}, nil
}

// ReuseForWrite implements vfs.FS: the old bytes stay until they are written over.
func (fs *TornFS) ReuseForWrite(oldname, newname string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if err := fs.rename(oldname, newname); err != nil {
		return nil, err
	}
	n, err := fs.find("open", newname)
	if err != nil {
		return nil, err
	}
	return &tornFile{fs: fs, n: n, name: newname, read: true, write: true}, nil
}

// Link implements vfs.FS.
func (fs *TornFS) Link(oldname, newname string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	n, err := fs.find("link", oldname)
	if err != nil {
		return err
	}
	dir, base, err := fs.parent("link", newname)
	if err != nil {
		return err
	}
	if dir.children[base] != nil {
		return pathError("link", newname, os.ErrExist)
	}
	fs.change(dirChange{dir, base, n})
	return nil
}

// Rename implements vfs.FS.
func (fs *TornFS) Rename(oldname, newname string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.rename(oldname, newname)
}

func (fs *TornFS) rename(oldname, newname string) error {
	from, oldBase, err := fs.parent("rename", oldname)
	if err != nil {
		return err
	}
	to, newBase, err := fs.parent("rename", newname)
	if err != nil {
		return err
	}
	n := from.children[oldBase]
	if n == nil {
		return pathError("rename", oldname, os.ErrNotExist)
	}
	if old := to.children[newBase]; newBase == "" || old != nil && old.isDir != n.isDir {
		return pathError("rename", newname, os.ErrExist)
	}
	if from == to && oldBase == newBase {
		return nil
	}
	fs.change(dirChange{from, oldBase, nil}, dirChange{to, newBase, n})
	return nil
}

// Remove implements vfs.FS.
func (fs *TornFS) Remove(name string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	dir, base, err := fs.parent("remove", name)
	if err != nil {
		return err
	}
	n := dir.children[base]
	if n == nil {
		return pathError("remove", name, os.ErrNotExist)
	}
	if len(n.children) > 0 {
		return pathError("remove", name, errNotEmpty)
	}
	fs.change(dirChange{dir, base, nil})
	return nil
}

// RemoveAll implements vfs.FS.
func (fs *TornFS) RemoveAll(name string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	dir, base, err := fs.parent("remove", name)
	if errors.Is(err, os.ErrNotExist) || err == nil && dir.children[base] == nil {
		return nil
	}
	if err != nil {
		return err
	}
	fs.change(dirChange{dir, base, nil})
	return nil
}

// MkdirAll implements vfs.FS.
func (fs *TornFS) MkdirAll(name string, _ os.FileMode) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	dir := fs.root
	for part := range strings.SplitSeq(strings.TrimPrefix(path.Clean("/"+name), "/"), "/") {
		if part == "" {
			continue
		}
		next := dir.children[part]
		if next == nil {
			next = newDir()
			fs.change(dirChange{dir, part, next})
		}
		if !next.isDir {
			return pathError("mkdir", name, errNotDir)
		}
		dir = next
	}
	return nil
}

// Lock implements vfs.FS. A disk after a crash has no locks.
func (fs *TornFS) Lock(name string) (io.Closer, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.locked[name] {
		return nil, pathError("lock", name, syscall.EAGAIN)
	}
	if _, err := fs.create(name); err != nil {
		return nil, err
	}
	fs.locked[name] = true
	return &tornLock{fs, name}, nil
}

type tornLock struct {
	fs   *TornFS
	name string
}

func (l *tornLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locked, l.name)
	return nil
}

// List implements vfs.FS.
func (fs *TornFS) List(name string) ([]string, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	n, err := fs.find("list", name)
	if err != nil {
		return nil, err
	}
	if !n.isDir {
		return nil, pathError("list", name, errNotDir)
	}
	names := make([]string, 0, len(n.children))
	for c := range n.children {
		names = append(names, c)
	}
	return names, nil
}

// Stat implements vfs.FS.
func (fs *TornFS) Stat(name string) (vfs.FileInfo, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	n, err := fs.find("stat", name)
	if err != nil {
		return nil, err
	}
	return n.info(name), nil
}

// PathBase implements vfs.FS.
func (*TornFS) PathBase(name string) string { return path.Base(name) }

// PathJoin implements vfs.FS.
func (*TornFS) PathJoin(elem ...string) string { return path.Join(elem...) }

// PathDir implements vfs.FS.
func (*TornFS) PathDir(name string) string { return path.Dir(name) }

// GetDiskUsage implements vfs.FS; a disk in memory has none.
func (*TornFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{}, vfs.ErrUnsupported
}

// Unwrap implements vfs.FS.
func (*TornFS) Unwrap() vfs.FS { return nil }

type tornInfo struct {
	name  string
	size  int64
	isDir bool
	nanos int64
}

func (n *node) info(name string) vfs.FileInfo {
	return tornInfo{path.Base(name), int64(len(n.data)), n.isDir, n.nanos}
}

func (i tornInfo) Name() string           { return i.name }
func (i tornInfo) Size() int64            { return i.size }
func (i tornInfo) ModTime() time.Time     { return time.Unix(0, i.nanos) }
func (i tornInfo) IsDir() bool            { return i.isDir }
func (i tornInfo) Sys() any               { return nil }
func (i tornInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }

func (i tornInfo) Mode() os.FileMode {
	if i.isDir {
		return os.ModeDir | 0o755
	}
	return 0o644
}
