package cluster

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

// Store is a store.Store on PostgreSQL.
type Store struct {
	opts   Options
	config *pgx.ConnConfig // of the committer's connection and of the lock's
	pool   *pgxpool.Pool   // of snapshots and readers
	keys   *datakey.Ring
	lock   *pgx.Conn // its session holds the advisory lock; timeMu guards it after Open
	epoch  int64     // of this node: another one in store_commit means that we are fenced

	ctx    context.Context // done when the store stops
	cancel context.CancelFunc
	work   context.Context // of the committer: done when its last group is finished
	end    context.CancelFunc
	bg     sync.WaitGroup // committer, purger, retention

	queue queue
	conn  *pgx.Conn // the committer's; nil when it was lost
	// decided is what the committer decides on. It is ahead of applied only inside of commit.
	decided *store.State

	mu       sync.Mutex
	applied  *store.State
	moved    chan struct{} // closed and replaced when applied has moved
	oldest   map[*snapshot]uint64
	dirty    map[store.PartitionID]bool // trimmed or deleted: rows to purge
	watchers map[int]*watcher
	watchID  int
	stopped  error // why, once it has stopped

	timeMu sync.Mutex
	told   int64 // the largest time told, ms
	limit  int64 // no larger time is told before the database has it, ms

	closeOnce sync.Once
	closeErr  error
}

var (
	_ store.Store      = (*Store)(nil)
	_ store.SizeSeeker = (*Store)(nil)
)

// Open connects, takes the database for this node, and loads its state. ctx bounds the opening only.
//
// Errors: *store.LockedError, *store.LevelError, *store.FamilyError, *store.CorruptError, a database
// that is not durable or too old, and those of the connection.
func Open(ctx context.Context, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	poolConfig, err := pgxpool.ParseConfig(opts.DSN)
	if err != nil {
		return nil, fmt.Errorf("cluster: DSN: %w", err)
	}
	host, _ := os.Hostname()
	params := poolConfig.ConnConfig.RuntimeParams
	params["search_path"] = quoted(opts.Schema)
	params["application_name"] = fmt.Sprintf("millrace %s pid %d", host, os.Getpid())
	params["lock_timeout"] = "10s"                        // the commit row is held for milliseconds
	params["idle_in_transaction_session_timeout"] = "20s" // views end after 10 s
	poolConfig.MaxConns = opts.MaxConns
	if opts.dial != nil {
		poolConfig.ConnConfig.DialFunc = opts.dial
	}
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, fmt.Errorf("cluster: connect: %w", err)
	}
	s := &Store{
		opts: opts, config: poolConfig.ConnConfig.Copy(), pool: pool, keys: datakey.NewRing(opts.RootKey),
		moved: make(chan struct{}), oldest: map[*snapshot]uint64{}, dirty: map[store.PartitionID]bool{}, watchers: map[int]*watcher{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.work, s.end = context.WithCancel(context.Background())
	s.queue.init(opts.MaxQueuedBytes)
	if err := s.open(ctx); err != nil {
		s.cancel()
		s.end()
		s.disconnect()
		return nil, fmt.Errorf("open store: %w", err)
	}
	s.bg.Go(s.commitLoop)
	s.bg.Go(s.purgeLoop)
	if opts.RetentionEvery > 0 {
		s.bg.Go(s.retentionLoop)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	if s.lock, err = pgx.ConnectConfig(ctx, s.config.Copy()); err != nil {
		return err
	}
	if err := checkServer(ctx, s.lock); err != nil {
		return err
	}
	if err := s.takeLock(ctx); err != nil {
		return err
	}
	if err := prepare(ctx, s.lock, s.opts.Schema); err != nil {
		return err
	}
	var told, last int64
	// Waits for a transaction of the node before us that is still running.
	err = s.lock.QueryRow(ctx, "UPDATE store_commit SET epoch = epoch + 1 WHERE domain = 1 RETURNING epoch, time").Scan(&s.epoch, &last)
	if err != nil {
		return fmt.Errorf("take a node epoch: %w", err)
	}
	if err := s.lock.QueryRow(ctx, "SELECT told FROM store_time WHERE domain = 1").Scan(&told); err != nil {
		return fmt.Errorf("read store time: %w", err)
	}
	s.told = max(told, last)
	s.limit = s.told
	if s.applied, err = load(ctx, s.lock); err != nil {
		return err
	}
	s.decided = s.applied.Clone()
	return nil
}

// takeLock takes the advisory lock of the schema, for as long as the session lives.
func (s *Store) takeLock(ctx context.Context) error {
	for end := time.Now().Add(s.opts.LockWait); ; {
		got, err := s.tryLock(ctx, s.lock)
		if err != nil || got {
			return err
		}
		if time.Now().After(end) {
			return s.lockedError(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// lockID is the number of the advisory lock: the store is a schema.
func (s *Store) lockID() int64 {
	h := fnv.New64a()
	h.Write([]byte("millrace store " + s.opts.Schema))
	return int64(h.Sum64())
}

func (s *Store) tryLock(ctx context.Context, conn *pgx.Conn) (got bool, err error) {
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", s.lockID()).Scan(&got); err != nil {
		return false, fmt.Errorf("lock the store: %w", err)
	}
	return got, nil
}

// keepLock takes the lock again when its connection was lost. Until then the node epoch keeps a second
// node and this one apart.
func (s *Store) keepLock(ctx context.Context) error {
	if !s.lock.IsClosed() {
		return nil
	}
	conn, err := pgx.ConnectConfig(ctx, s.config.Copy())
	if err != nil {
		return err
	}
	got, err := s.tryLock(ctx, conn)
	if err == nil && !got {
		err = errFenced
	}
	if err != nil {
		_ = conn.Close(ctx) // nothing is open on it
		return err
	}
	s.lock = conn
	return nil
}

func (s *Store) lockedError(ctx context.Context) error {
	e := &store.LockedError{Path: s.path(), Holder: "another node"}
	var name string
	err := s.lock.QueryRow(ctx, `SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND l.classid::bigint = ($1::bigint >> 32) & 4294967295 AND l.objid::bigint = $1::bigint & 4294967295 LIMIT 1`, s.lockID()).Scan(&name)
	if err == nil && name != "" {
		e.Holder = name
	}
	return e
}

func (s *Store) path() string {
	return fmt.Sprintf("schema %s of database %s on %s:%d", s.opts.Schema, s.config.Database, s.config.Host, s.config.Port)
}

// Close stops the store: what is in a group is finished, what waits gets ErrStopped.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.stop(store.ErrStopped)
		s.bg.Wait()
		s.end()
		s.closeErr = s.keepTime()
		s.disconnect()
	})
	return s.closeErr
}

// stop refuses new work and ends the background; the committer finishes its group.
func (s *Store) stop(why error) {
	s.mu.Lock()
	if s.stopped == nil {
		s.stopped = why
	}
	s.mu.Unlock()
	s.queue.close(store.ErrStopped)
	s.cancel()
}

func (s *Store) disconnect() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.pool.Close()
	for _, c := range []*pgx.Conn{s.conn, s.lock} {
		if c != nil {
			_ = c.Close(ctx) // nothing is open on it
		}
	}
}

// check tells why a call cannot be served.
func (s *Store) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// readError makes an error of the database what a caller may see.
func (s *Store) readError(ctx context.Context, doing string, err error) error {
	if stopped := s.check(ctx); stopped != nil {
		return stopped
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// Head returns the head as of the last commit.
func (s *Store) Head(ctx context.Context, id store.PartitionID) (store.Head, error) {
	if err := s.check(ctx); err != nil {
		return store.Head{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.applied.Head(id)
	if !ok {
		return store.Head{}, store.ErrNoPartition
	}
	return h, nil
}

// Partitions lists ids upwards of from, which is one of them.
func (s *Store) Partitions(ctx context.Context, from store.PartitionID, limit int) ([]store.PartitionID, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied.Partitions(from, max(limit, 0)), nil
}

type watcher struct {
	ids map[store.PartitionID]bool
	fn  func(store.Event)
}

// Watch calls fn from the committer.
func (s *Store) Watch(ids []store.PartitionID, fn func(store.Event)) (cancel func()) {
	w := &watcher{ids: map[store.PartitionID]bool{}, fn: fn}
	for _, id := range ids {
		w.ids[id] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchID++
	n := s.watchID
	s.watchers[n] = w
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, n)
	}
}

// publish makes a durable group visible and tells the watchers.
func (s *Store) publish(g *store.Group) {
	s.mu.Lock()
	s.applied.Apply(g)
	events := s.applied.Events(g)
	for _, e := range events {
		if e.Change&(store.ChangedTrimmed|store.ChangedDeleted) != 0 {
			s.dirty[e.Partition] = true
		}
	}
	close(s.moved)
	s.moved = make(chan struct{})
	watchers := maps.Clone(s.watchers)
	s.mu.Unlock()
	for _, e := range events {
		for n, w := range watchers {
			if w.ids[e.Partition] && s.watching(n) {
				w.fn(e)
			}
		}
	}
}

func (s *Store) watching(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watchers[n] != nil
}

// awaitApplied returns when the group seq is visible.
func (s *Store) awaitApplied(ctx context.Context, seq uint64) error {
	for {
		s.mu.Lock()
		now, moved := s.applied.Sequence(), s.moved
		s.mu.Unlock()
		if now >= seq {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ctx.Done():
			return store.ErrStopped
		}
	}
}

// retentionLoop runs retention from time to time.
func (s *Store) retentionLoop() {
	store.RunRetention(s.ctx, s, s.opts.Clock, s.opts.RetentionEvery, func(trimmed int, err error) {
		if err != nil && !errors.Is(err, context.Canceled) {
			s.opts.Logger.Warn("retention failed; it is tried again", "error", err)
		} else if trimmed > 0 {
			s.opts.Logger.Info("retention has trimmed", "partitions", trimmed)
		}
	})
}
