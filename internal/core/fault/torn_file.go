package fault

import (
	"io"
	"os"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// tornFile is an open file or directory of a TornFS.
type tornFile struct {
	fs          *TornFS
	n           *node
	name        string
	pos         int
	read, write bool
	closed      bool
}

func (f *tornFile) check(op string, allowed bool) error {
	switch {
	case f.closed:
		return pathError(op, f.name, os.ErrClosed)
	case f.n.isDir:
		return pathError(op, f.name, errIsDir)
	case !allowed:
		return pathError(op, f.name, errMode)
	}
	return nil
}

func (f *tornFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return pathError("close", f.name, os.ErrClosed)
	}
	f.closed = true
	return nil
}

func (f *tornFile) Read(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.check("read", f.read); err != nil {
		return 0, err
	}
	if f.pos >= len(f.n.data) && len(p) > 0 {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[f.pos:])
	f.pos += n
	return n, nil
}

func (f *tornFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.check("read", f.read); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError("read", f.name, syscall.EINVAL)
	}
	n := 0
	if off < int64(len(f.n.data)) {
		n = copy(p, f.n.data[off:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *tornFile) Write(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	n, err := f.writeAt(p, f.pos)
	f.pos += n
	return n, err
}

func (f *tornFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.writeAt(p, int(off))
}

func (f *tornFile) writeAt(p []byte, off int) (int, error) {
	if err := f.check("write", f.write); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError("write", f.name, syscall.EINVAL)
	}
	f.n.writeAt(p, off)
	f.n.nanos = f.fs.ops
	f.fs.step()
	return len(p), nil
}

func (f *tornFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return pathError("sync", f.name, os.ErrClosed)
	}
	if fail := f.fs.failSync; fail != nil && fail(f.name) {
		f.n.lose()
		return pathError("sync", f.name, syscall.EIO)
	}
	if f.n.isDir {
		f.fs.syncDir(f.n)
	} else {
		f.n.sync()
	}
	f.fs.step()
	return nil
}

// SyncData is Sync: fdatasync also writes a length that grew.
func (f *tornFile) SyncData() error { return f.Sync() }

// SyncTo starts write-back and promises nothing, as sync_file_range does.
func (f *tornFile) SyncTo(int64) (bool, error) { return false, nil }

func (f *tornFile) Stat() (vfs.FileInfo, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.n.info(f.name), nil
}

func (f *tornFile) Preallocate(int64, int64) error { return nil }
func (f *tornFile) Prefetch(int64, int64) error    { return nil }
func (f *tornFile) Fd() uintptr                    { return vfs.InvalidFd }
