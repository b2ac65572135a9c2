package embedded

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/segment"
	"millrace/internal/core/store"
)

// sealed is an open file with runs: a segment, a shared file, or a journal file with its sidecar.
type sealed struct {
	id     fileID
	path   string // of the data
	seg    *segment.Reader
	shared *segment.Shared
	side   *segment.Sidecar
	data   vfs.File // of a journal file

	users  int  // readers that have it
	doomed bool // to be deleted when the last reader is done
	lru    *list.Element
}

// index looks up the run of a partition that begins at base.
func (f *sealed) index(id store.PartitionID, base store.Offset) (*segment.Index, bool) {
	switch {
	case f.seg != nil:
		return &f.seg.Index, f.seg.Info().Partition == uint64(id)
	case f.shared != nil:
		return f.shared.Run(uint64(id), int64(base))
	}
	return f.side.Partition(uint64(id))
}

// lacks is the damage of a file that has no index of a run.
func (f *sealed) lacks() error {
	return &store.CorruptError{File: f.path, Reason: "its index has nothing of a partition that it should hold"}
}

func (f *sealed) reader() io.ReaderAt {
	switch {
	case f.seg != nil:
		return f.seg
	case f.shared != nil:
		return f.shared
	}
	return f.data
}

func (f *sealed) close() error {
	switch {
	case f.seg != nil:
		return f.seg.Close()
	case f.shared != nil:
		return f.shared.Close()
	}
	return errors.Join(f.side.Close(), f.data.Close())
}

// fileCache keeps sealed files open, the ones used last, and deletes those that nobody needs.
type fileCache struct {
	s     *Store
	limit int

	mu   sync.Mutex
	open map[fileID]*sealed
	lru  *list.List // of *sealed; least lately used first
}

func newFileCache(s *Store, limit int) *fileCache {
	return &fileCache{s: s, limit: max(limit/2, 8), open: map[fileID]*sealed{}, lru: list.New()}
}

func (s *Store) segmentPath(id uint64) string {
	return s.path(segmentsDir, fmt.Sprintf("%016x.seg", id))
}

func (s *Store) sidecarPath(id uint64) string {
	return s.path(journalDir, fmt.Sprintf("%016x.idx", id))
}

func (s *Store) sealedPath(id fileID) string {
	if id.kind == fileJournal {
		return s.path(journalDir, journalName(id.id))
	}
	return s.segmentPath(id.id)
}

// get returns an open file; release gives it back.
func (c *fileCache) get(id fileID) (*sealed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.open[id]
	if f == nil {
		var err error
		if f, err = c.openFile(id); err != nil {
			return nil, corrupt(err)
		}
		c.open[id] = f
		f.lru = c.lru.PushBack(f)
		c.shrink()
	}
	f.users++
	c.lru.MoveToBack(f.lru)
	return f, nil
}

func (c *fileCache) openFile(id fileID) (*sealed, error) {
	fs := c.s.opts.FS
	switch id.kind {
	case fileSegment:
		path := c.s.segmentPath(id.id)
		r, err := segment.Open(fs, path, segment.ReaderOptions{})
		return &sealed{id: id, path: path, seg: r}, err
	case fileShared:
		path := c.s.segmentPath(id.id)
		r, err := segment.OpenShared(fs, path, segment.ReaderOptions{})
		return &sealed{id: id, path: path, shared: r}, err
	case fileJournal:
		side, err := segment.OpenSidecar(fs, c.s.sidecarPath(id.id), segment.ReaderOptions{})
		if err != nil {
			return nil, err
		}
		path := c.s.path(journalDir, journalName(id.id))
		data, err := fs.Open(path)
		if err != nil {
			return nil, errors.Join(err, side.Close())
		}
		return &sealed{id: id, path: path, side: side, data: data}, nil
	}
	return nil, &store.CorruptError{File: "keys", Reason: fmt.Sprintf("a run is in a file of the unknown kind %d", id.kind)}
}

// shrink closes files that nobody reads while there are too many.
func (c *fileCache) shrink() {
	for e := c.lru.Front(); e != nil && len(c.open) > c.limit; {
		f := e.Value.(*sealed)
		e = e.Next()
		if f.users == 0 {
			c.forget(f)
		}
	}
}

func (c *fileCache) forget(f *sealed) {
	delete(c.open, f.id)
	c.lru.Remove(f.lru)
	if err := f.close(); err != nil {
		c.s.log.Warn("close file", "path", f.path, "error", err)
	}
}

func (c *fileCache) release(f *sealed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.users--
	if f.users == 0 && f.doomed {
		c.forget(f)
		c.delete(f.id)
	}
}

// remove deletes a file that no run points to, when its last reader is done.
func (c *fileCache) remove(id fileID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.open[id]; f != nil {
		if f.users > 0 {
			f.doomed = true
			return
		}
		c.forget(f)
	}
	c.delete(id)
}

func (c *fileCache) delete(id fileID) {
	fs := c.s.opts.FS
	var err error
	switch id.kind {
	case fileSegment, fileShared:
		err = fs.Remove(c.s.segmentPath(id.id))
	case fileJournal:
		err = errors.Join(fs.Remove(c.s.sidecarPath(id.id)), fs.Remove(c.s.path(journalDir, journalName(id.id))))
	}
	if err != nil {
		c.s.log.Warn("remove file without use; the next start tries again", "kind", id.kind, "id", id.id, "error", err)
	}
}

func (c *fileCache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, f := range c.open {
		errs = append(errs, f.close())
	}
	clear(c.open)
	c.lru.Init()
	return errors.Join(errs...)
}

// corrupt turns the damage that other packages name into the store's error.
func corrupt(err error) error {
	if damage, ok := errors.AsType[*segment.CorruptError](err); ok {
		return &store.CorruptError{File: damage.File, Offset: damage.Offset, Reason: damage.Reason}
	}
	return err
}
