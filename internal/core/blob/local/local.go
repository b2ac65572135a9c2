// Package local keeps objects as files in a folder.
//
// An object is written into the folder ".tmp" first, synced, and then gets its name by a link (only if
// absent: a link never replaces) or a rename, and the folder of that name is synced: after a crash it is
// there whole or not at all. Folders are made when needed and removed when empty. ".tmp" is emptied at
// start; names of objects never begin with a dot.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/blob"
)

const (
	tmpDir = ".tmp"
	// pieceSize is how much is written between two looks at ctx.
	pieceSize = 1 << 20
)

// Store is a blob.Store in a folder. One process uses the folder at a time; its owner locks it.
type Store struct {
	fs   vfs.FS
	dir  string
	temp atomic.Uint64 // names files in .tmp

	// folders guards the folders of names: held for reading while an object gets its name, for writing
	// while empty ones are removed.
	folders sync.RWMutex
	mu      sync.Mutex          // guards durable
	durable map[string]struct{} // folders whose own name is synced
}

var _ blob.Store = (*Store)(nil)

// Open uses dir, which it makes durable if it is not there, and drops what earlier runs left unfinished.
func Open(fs vfs.FS, dir string) (*Store, error) {
	s := &Store{fs: fs, dir: dir, durable: map[string]struct{}{}}
	tmp := fs.PathJoin(dir, tmpDir)
	if err := fs.RemoveAll(tmp); err != nil {
		return nil, fmt.Errorf("open blob folder: %w", err)
	}
	if err := fs.MkdirAll(tmp, 0o755); err != nil {
		return nil, fmt.Errorf("open blob folder: %w", err)
	}
	if err := s.syncDir(fs.PathDir(dir)); err != nil {
		return nil, fmt.Errorf("open blob folder: %w", err)
	}
	return s, nil
}

// Close implements blob.Store.
func (s *Store) Close() error { return nil }

func (s *Store) path(name string) string {
	return s.fs.PathJoin(append([]string{s.dir}, strings.Split(name, "/")...)...)
}

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, name string, data []byte, ifAbsent bool) error {
	if len(data) > blob.MaxPutSize {
		return blob.ErrTooLarge
	}
	u, err := s.newUpload(ctx, name)
	if err != nil {
		return err
	}
	if err := u.write(ctx, data); err != nil {
		return errors.Join(err, u.drop())
	}
	return u.publish(ctx, ifAbsent)
}

// GetRange implements blob.Store.
func (s *Store) GetRange(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	f, err := s.fs.Open(s.path(name))
	if err != nil {
		return nil, s.notFound(name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, s.notFound(name, err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%w: %s", blob.ErrNotFound, name)
	}
	size := info.Size()
	if length == -1 {
		length = size - offset
	}
	if offset < 0 || length < 0 || length > size || offset > size-length {
		return nil, fmt.Errorf("%w: %d at %d of %s, which has %d", blob.ErrRange, length, offset, name, size)
	}
	at := len(dst)
	dst = slices.Grow(dst, int(length))[:at+int(length)]
	if _, err := f.ReadAt(dst[at:], offset); err != nil && (!errors.Is(err, io.EOF) || length > 0) {
		return nil, fmt.Errorf("read blob %s: %w", name, err)
	}
	return dst, nil
}

// Head implements blob.Store.
func (s *Store) Head(ctx context.Context, name string) (blob.Info, error) {
	if err := check(ctx, name); err != nil {
		return blob.Info{}, err
	}
	info, err := s.fs.Stat(s.path(name))
	if err != nil {
		return blob.Info{}, s.notFound(name, err)
	}
	if info.IsDir() {
		return blob.Info{}, fmt.Errorf("%w: %s", blob.ErrNotFound, name)
	}
	return blob.Info{Name: name, Size: info.Size(), Modified: info.ModTime()}, nil
}

// Delete implements blob.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	s.folders.Lock()
	defer s.folders.Unlock()
	path := s.path(name)
	err := s.fs.Remove(path)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete blob %s: %w", name, err)
	}
	return s.prune(s.fs.PathDir(path))
}

// prune removes dir and the folders above it while they are empty, and syncs the one that stays.
func (s *Store) prune(dir string) error {
	for dir != s.dir {
		left, err := s.fs.List(dir)
		if err != nil {
			return fmt.Errorf("prune blob folder: %w", err)
		}
		if len(left) > 0 {
			break
		}
		if err := s.fs.Remove(dir); err != nil {
			return fmt.Errorf("prune blob folder: %w", err)
		}
		s.mu.Lock()
		delete(s.durable, dir)
		s.mu.Unlock()
		dir = s.fs.PathDir(dir)
	}
	return s.syncDir(dir)
}

func check(ctx context.Context, name string) error {
	if err := blob.CheckName(name); err != nil {
		return err
	}
	return ctx.Err()
}

// isNotFound also covers a name below another object, which is as absent as any.
func isNotFound(err error) bool {
	// vfs.MemFS says the last in words only.
	return err != nil && (errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || strings.Contains(err.Error(), "not a directory"))
}

func (s *Store) notFound(name string, err error) error {
	if isNotFound(err) {
		return fmt.Errorf("%w: %s", blob.ErrNotFound, name)
	}
	return fmt.Errorf("open blob %s: %w", name, err)
}

func (s *Store) syncDir(dir string) error {
	d, err := s.fs.OpenDir(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		_ = d.Close() // the sync is what failed
		return err
	}
	return d.Close()
}

// makeDirs makes the folder of name and syncs the name of each new one in its parent.
func (s *Store) makeDirs(name string) (dir string, err error) {
	dir = s.dir
	parts := strings.Split(name, "/")
	for _, part := range parts[:len(parts)-1] {
		parent := dir
		dir = s.fs.PathJoin(dir, part)
		s.mu.Lock()
		_, ok := s.durable[dir]
		s.mu.Unlock()
		if ok {
			continue
		}
		if err := s.fs.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
		if err := s.syncDir(parent); err != nil {
			return "", err
		}
		s.mu.Lock()
		s.durable[dir] = struct{}{}
		s.mu.Unlock()
	}
	return dir, nil
}

// NewUpload implements blob.Store.
func (s *Store) NewUpload(ctx context.Context, name string) (blob.Upload, error) {
	return s.newUpload(ctx, name)
}

func (s *Store) newUpload(ctx context.Context, name string) (*upload, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	tmp := s.fs.PathJoin(s.dir, tmpDir, strconv.FormatUint(s.temp.Add(1), 10))
	f, err := s.fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("write blob %s: %w", name, err)
	}
	return &upload{s: s, name: name, tmp: tmp, file: f}, nil
}

// upload is an object that has no name yet.
type upload struct {
	s     *Store
	name  string
	tmp   string
	file  vfs.File
	parts blob.Parts
}

func (u *upload) Write(ctx context.Context, data []byte) error {
	if err := u.parts.Add(len(data)); err != nil {
		return err
	}
	return u.write(ctx, data)
}

func (u *upload) write(ctx context.Context, data []byte) error {
	for piece := range slices.Chunk(data, pieceSize) {
		if err := ctx.Err(); err != nil {
			return err
		}
		// vfs.File.Write may change what it is given: Pebble's files do so in its own test builds only.
		if _, err := u.file.Write(piece); err != nil {
			return fmt.Errorf("write blob %s: %w", u.name, err)
		}
	}
	return ctx.Err()
}

func (u *upload) Complete(ctx context.Context, ifAbsent bool) error {
	if err := u.parts.End(); err != nil {
		return err
	}
	return u.publish(ctx, ifAbsent)
}

// publish syncs the file and gives it its name; whatever fails, the file in .tmp goes.
func (u *upload) publish(ctx context.Context, ifAbsent bool) error {
	if err := u.file.Sync(); err != nil {
		return errors.Join(fmt.Errorf("sync blob %s: %w", u.name, err), u.drop())
	}
	err := u.file.Close()
	u.file = nil
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = u.rename(ifAbsent)
	}
	if err != nil && !errors.Is(err, blob.ErrExists) {
		err = fmt.Errorf("name blob %s: %w", u.name, err)
	}
	if err != nil {
		return errors.Join(err, u.drop())
	}
	return nil
}

func (u *upload) rename(ifAbsent bool) error {
	s := u.s
	s.folders.RLock()
	defer s.folders.RUnlock()
	dir, err := s.makeDirs(u.name)
	if err != nil {
		return err
	}
	path := s.path(u.name)
	if ifAbsent {
		err = s.fs.Link(u.tmp, path)
		if errors.Is(err, os.ErrExist) {
			return fmt.Errorf("%w: %s", blob.ErrExists, u.name)
		}
		if err == nil {
			err = s.fs.Remove(u.tmp)
		}
	} else {
		err = s.fs.Rename(u.tmp, path)
	}
	if err != nil {
		return err
	}
	return s.syncDir(dir)
}

func (u *upload) Abort(context.Context) error {
	if u.parts.Ended() {
		return nil
	}
	return errors.Join(u.parts.End(), u.drop())
}

// drop removes the unfinished file.
func (u *upload) drop() error {
	if u.file != nil {
		_ = u.file.Close() // it is going away
		u.file = nil
	}
	if err := u.s.fs.Remove(u.tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("drop unfinished blob %s: %w", u.name, err)
	}
	return nil
}
