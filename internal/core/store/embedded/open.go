package embedded

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/semaphore"

	"millrace/internal/core/datakey"
	"millrace/internal/core/journal"
	"millrace/internal/core/store"
)

// Names inside of the folder.
const (
	lockName    = "LOCK"
	holderName  = "holder"
	journalDir  = "journal"
	keysDir     = "keys"
	segmentsDir = "segments"
)

// Open opens the store in a folder, making it when it is not there, and recovers what was committed.
//
// Errors: *store.LockedError, *store.LevelError, *store.FamilyError, *store.CorruptError, those of the disk.
func Open(opts Options) (*Store, error) {
	opts = opts.withDefaults()
	lock, err := awaitDir(opts)
	if err != nil {
		return nil, err
	}
	s := newStore(opts)
	s.lock = lock
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	s.done.Add(2)
	go s.run()
	go s.apply()
	s.space.prepare()
	s.mover.start()
	return s, nil
}

func newStore(opts Options) *Store {
	s := &Store{
		opts:    opts,
		log:     opts.Logger,
		wake:    make(chan struct{}, 1),
		queued:  semaphore.NewWeighted(opts.MaxQueuedBytes),
		decided: store.NewState(),
		applied: store.NewState(),
		rooms:   make(chan groupRoom, 2),
		jobs:    make(chan *job, 1), // one group waits while one is applied: the sequencer is not to be ahead further
		cache:   newTailCache(opts.TailCacheBytes),
		keys:    datakey.NewRing(opts.RootKey),
		stopped: make(chan struct{}),
		broken:  make(chan struct{}),
	}
	s.space = &space{s: s, dir: s.path(journalDir)}
	s.segments = newFileCache(s, opts.MaxOpenFiles)
	s.mover = newMover(s)
	return s
}

func (s *Store) path(elem ...string) string {
	return s.opts.FS.PathJoin(append([]string{s.opts.Dir}, elem...)...)
}

func (s *Store) open() error {
	for _, dir := range []string{journalDir, segmentsDir} {
		if err := s.opts.FS.MkdirAll(s.path(dir), 0o755); err != nil {
			return err
		}
	}
	var err error
	if s.db, err = pebble.Open(s.path(keysDir), s.pebbleOptions()); err != nil {
		return fmt.Errorf("open keys in %s: %w", s.path(keysDir), err)
	}
	if err := s.recover(); err != nil {
		return err
	}
	s.space.keepBallast()
	return syncDir(s.opts.FS, s.opts.Dir)
}

// flushing is how many memtables there are while one is flushed. Pebble takes them from the size of its block cache, which
// without them in it holds nothing as long as there are writes.
const flushing = 2

// pebbleOptions are those that a prototype measured: a large lowest level and late compactions cost least
// CPU for each change, and a failing flush is noticed before Pebble blocks at 4 memtables.
func (s *Store) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS:                          &syncFS{FS: s.opts.FS, fail: s.fail, gate: &s.gate},
		Cache:                       nil,
		CacheSize:                   s.opts.BlockCacheBytes + flushing*s.opts.MemtableBytes,
		DisableWAL:                  true,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		MemTableSize:                uint64(s.opts.MemtableBytes),
		MemTableStopWritesThreshold: 4,
		LBaseMaxBytes:               512 << 20,
		L0CompactionThreshold:       8,
		L0StopWritesThreshold:       32,
		MaxOpenFiles:                s.opts.MaxOpenFiles,
		Logger:                      pebbleLogger{s},
		EventListener:               s.gate.listener(s),
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].FilterType = pebble.TableFilter
	}
	return o
}

// lockStep is how often a folder is asked for that another process holds.
const lockStep = 20 * time.Millisecond

// awaitDir takes the folder for this process, and waits for another that holds it as long as the options say.
func awaitDir(opts Options) (interface{ Close() error }, error) {
	until := time.Now().Add(opts.LockWait)
	for told := false; ; told = true {
		lock, err := lockDir(opts.FS, opts.Dir)
		var locked *store.LockedError
		if !errors.As(err, &locked) || locked.Holder == self() || !time.Now().Before(until) {
			return lock, err
		}
		if !told {
			opts.Logger.Info("waiting for another process to give the folder up", "folder", opts.Dir, "holder", locked.Holder, "for", opts.LockWait)
		}
		time.Sleep(lockStep)
	}
}

// self is what others are told of who has the folder.
func self() string { return fmt.Sprintf("process %d", os.Getpid()) }

// lockDir takes the folder for this process.
//
// Errors: *store.LockedError, those of the disk.
func lockDir(fs vfs.FS, dir string) (interface{ Close() error }, error) {
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if parent := fs.PathDir(dir); parent != dir {
		if err := syncDir(fs, parent); err != nil {
			return nil, err
		}
	}
	lock, err := fs.Lock(fs.PathJoin(dir, lockName))
	var path *os.PathError
	if errors.As(err, &path) && !errors.Is(err, syscall.EAGAIN) { // the file cannot be made: nobody has to give it up
		return nil, fmt.Errorf("lock the folder: %w", err)
	}
	if err != nil {
		return nil, &store.LockedError{Path: dir, Holder: holder(fs, dir)}
	}
	f, err := fs.Create(fs.PathJoin(dir, holderName), vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	_, err = f.Write([]byte(self()))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

func holder(fs vfs.FS, dir string) string {
	f, err := fs.Open(fs.PathJoin(dir, holderName))
	if err != nil {
		return "another process"
	}
	defer func() { _ = f.Close() }() // opened for reading
	b := make([]byte, 64)
	n, _ := f.Read(b) // a short read is fine
	if n == 0 {
		return "another process"
	}
	return strings.TrimSpace(string(b[:n]))
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.stopOnce.Do(func() {
		s.qmu.Lock()
		s.stopping = true
		s.qmu.Unlock()
		close(s.stopped)
		s.mover.stop()
		s.signal()
		s.done.Wait()
		s.life.Lock() // the last calls that read are over
		defer s.life.Unlock()
		s.stopErr = errors.Join(s.noteEnd(), s.release())
	})
	return s.stopErr
}

// noteEnd tells Pebble where the journal ends, so that a file that is lost later is missed.
func (s *Store) noteEnd() error {
	if s.failed.Load() != nil || s.visible.Load() == 0 || s.gate.failing.Load() {
		return nil // Pebble may have no room for it, and would wait
	}
	return s.db.Set(keySequence, encodeSequence(s.visible.Load()), pebble.NoSync)
}

// finish is the sequencer's last act: an empty group that says that all before it is on disk.
func (s *Store) finish() {
	if s.failure() != nil || s.active == nil || s.active.left() < journal.PageSize {
		return
	}
	j := &job{group: s.decided.Begin(s.Now())}
	if err := s.persist(j, journal.FlagClean); err != nil {
		s.log.Warn("the stop could not be noted in the journal; the next start checks more", "error", err)
		return
	}
	s.hand(j)
}

// release closes what is open; nothing runs any more.
func (s *Store) release() error {
	var errs []error
	if s.db != nil {
		if s.failure() == nil {
			errs = append(errs, s.flush()) // so that the next start has less to replay
		}
		if s.failure() != nil {
			return errors.Join(append(errs, s.failure())...) // Pebble may never stop: its files are left to the end of the process
		}
		errs = append(errs, s.closeKeys())
		if s.failure() != nil {
			return errors.Join(errs...)
		}
	}
	errs = append(errs, s.segments.close(), s.space.close())
	for _, f := range s.files {
		errs = append(errs, f.close())
	}
	return errors.Join(append(errs, s.unlock())...)
}

// closeKeys closes Pebble. It waits for what it does in the background, which never ends when that has failed.
func (s *Store) closeKeys() error {
	closed := make(chan error, 1)
	go func() { closed <- s.db.Close() }()
	select {
	case err := <-closed:
		return err
	case <-s.broken:
		return s.failure()
	}
}

func (s *Store) unlock() error {
	return errors.Join(s.opts.FS.Remove(s.path(holderName)), s.lock.Close())
}
