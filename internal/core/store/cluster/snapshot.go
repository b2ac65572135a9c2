package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"millrace/internal/core/store"
)

// snapshot is a REPEATABLE READ transaction, and the State as of the group it sees last. It is used by
// one goroutine.
type snapshot struct {
	s      *Store
	ctx    context.Context //nolint:containedctx // it lives as long as the call it was made for
	conn   *pgxpool.Conn
	seq    uint64
	now    int64
	opened time.Time
}

var _ store.Snapshot = (*snapshot)(nil)

// snapshot begins one. It must be closed, and forgotten when what was read on it is decided.
func (s *Store) snapshot(ctx context.Context) (*snapshot, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	snap := &snapshot{s: s, ctx: ctx, now: s.Now(), opened: time.Now()}
	s.mu.Lock()
	s.oldest[snap] = s.applied.Sequence()
	s.mu.Unlock()
	if err := snap.begin(); err != nil {
		snap.close()
		s.forget(snap)
		return nil, s.readError(ctx, "begin snapshot", err)
	}
	return snap, nil
}

func (n *snapshot) begin() (err error) {
	if n.conn, err = n.s.pool.Acquire(n.ctx); err != nil {
		return err
	}
	var b pgx.Batch
	b.Queue("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
	b.Queue("SELECT seq FROM store_commit WHERE domain = 1")
	r := n.conn.SendBatch(n.ctx, &b)
	_, err = r.Exec()
	if err == nil {
		var seq int64
		err = r.QueryRow().Scan(&seq)
		n.seq = uint64(seq)
	}
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return n.s.awaitApplied(n.ctx, n.seq)
}

// close ends the database's transaction.
func (n *snapshot) close() {
	if n.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = n.conn.Exec(ctx, "ROLLBACK") // a connection that fails here is thrown away by the pool
	n.conn.Release()
	n.conn = nil
}

// forget lets deleted keys be purged that the snapshot's conflicts could be found by.
func (s *Store) forget(n *snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.oldest, n)
}

func (n *snapshot) Sequence() uint64 { return n.seq }
func (n *snapshot) Now() int64       { return n.now }

func (n *snapshot) tooOld() error {
	if time.Since(n.opened) > viewMaxAge {
		return store.ErrSnapshotTooOld
	}
	return nil
}

func (n *snapshot) Head(id store.PartitionID, fields store.HeadField) (store.Head, bool, error) {
	if err := n.tooOld(); err != nil {
		return store.Head{}, false, err
	}
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	if n.s.applied.HeadChangedSince(id, fields, n.seq) {
		return store.Head{}, false, store.ErrConflict
	}
	h, ok := n.s.applied.Head(id)
	return h, ok, nil
}

func (n *snapshot) Producer(id store.ProducerID) (store.Producer, bool, error) {
	if err := n.tooOld(); err != nil {
		return store.Producer{}, false, err
	}
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	if n.s.applied.ProducerChangedSince(id, n.seq) {
		return store.Producer{}, false, store.ErrConflict
	}
	p, ok := n.s.applied.Producer(id)
	return p, ok, nil
}

func (n *snapshot) Get(key []byte) ([]byte, bool, error) {
	values, err := n.GetMany([][]byte{key})
	if err != nil {
		return nil, false, err
	}
	return values[0], values[0] != nil, nil
}

func (n *snapshot) GetMany(keys [][]byte) ([][]byte, error) {
	if err := n.tooOld(); err != nil {
		return nil, err
	}
	indexed := make([][]byte, len(keys))
	for i, k := range keys {
		indexed[i] = indexKey(k)
	}
	rows, err := n.conn.Query(n.ctx, "SELECT key, value FROM store_keys WHERE domain = 1 AND key = ANY($1::bytea[]) AND value IS NOT NULL", indexed)
	if err != nil {
		return nil, n.s.readError(n.ctx, "read keys", err)
	}
	found := make(map[string][]byte, len(keys))
	var k, v []byte
	_, err = pgx.ForEachRow(rows, []any{&k, &v}, func() error {
		found[string(k)], v = v, nil
		return nil
	})
	if err != nil {
		return nil, n.s.readError(n.ctx, "read keys", err)
	}
	values := make([][]byte, len(keys))
	for i := range keys {
		if v, ok := found[string(indexed[i])]; ok {
			values[i] = append([]byte{}, v...)
		}
	}
	return values, nil
}

func (n *snapshot) Scan(from, to []byte, limit int, reverse bool) ([]store.KV, error) {
	c := scan{snap: n, from: from, to: to, limit: limit, reverse: reverse}
	if err := c.run(); err != nil {
		return nil, n.s.readError(n.ctx, fmt.Sprintf("scan %q", from[:min(len(from), 40)]), err)
	}
	return c.found, nil
}
