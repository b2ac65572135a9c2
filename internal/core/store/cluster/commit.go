package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"millrace/internal/core/store"
)

// retryWait is the pause before a group is tried again after the connection failed.
const retryWait = 50 * time.Millisecond

// errFenced: another node has taken the database. Nothing of ours commits any more.
var errFenced = errors.New("cluster: another node has taken over")

// commitLoop is the committer: one group after the other, until the queue is closed.
func (s *Store) commitLoop() {
	for {
		items := s.queue.take()
		if items == nil {
			return
		}
		if t := items[0].turn; t != nil {
			next := t.grant()
			if next == nil {
				continue
			}
			items = []*item{next}
		}
		s.commit(items)
	}
}

// commit makes items one group and answers them, whatever happens.
func (s *Store) commit(items []*item) {
	for end := time.Now().Add(s.opts.SettleTime); ; {
		g, answers, err := s.tryCommit(items)
		switch {
		case err == nil:
			if g != nil {
				s.publish(g)
			}
			for i, it := range items {
				it.answer <- answers[i]
			}
			return
		case errors.Is(err, errFenced):
			fenced := &store.LockedError{Path: s.path(), Holder: "a node that came after this one"}
			s.stop(fenced)
			s.answerAll(items, fenced)
			return
		}
		s.decided = s.applied.Clone()
		s.opts.Logger.Warn("group not committed", "error", err)
		if unknown := (*unsettledError)(nil); errors.As(err, &unknown) {
			s.answerAll(items, fmt.Errorf("%w: %w", store.ErrUnknownOutcome, unknown.cause))
			s.settleLater(unknown)
			return
		}
		if full(err) {
			s.answerAll(items, store.ErrFull)
			return
		}
		if time.Now().After(end) || s.work.Err() != nil {
			s.answerAll(items, fmt.Errorf("commit group: %w", err))
			return
		}
		s.pause(retryWait)
	}
}

func (s *Store) answerAll(items []*item, err error) {
	for _, it := range items {
		it.answer <- answer{err: err}
	}
}

// pause waits, at most until the committer has to end.
func (s *Store) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.work.Done():
	}
}

// refused tells whether the server itself has taken the transaction back. A connection that it ended
// (severity FATAL) says nothing about a COMMIT.
func refused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.SeverityUnlocalized == "ERROR"
}

// full tells whether the database has no room.
func full(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "53100"
}

// tryCommit decides items as one group and commits it. A nil group means that nothing was to be
// written. After an error without a known outcome it settles: nil if the group is there after all.
func (s *Store) tryCommit(items []*item) (*store.Group, []answer, error) {
	if err := s.connect(); err != nil {
		return nil, nil, err
	}
	if err := s.lockCommit(); err != nil {
		return nil, nil, s.lost(err)
	}
	g := s.decided.Begin(s.Now())
	w := &groupWriter{s: s, g: g, parts: map[store.PartitionID]bool{}}
	answers := make([]answer, len(items))
	for i, it := range items {
		var err error
		if answers[i], err = w.decide(it); err != nil {
			return nil, nil, s.lost(err)
		}
	}
	if g.Empty() {
		s.decided.Undo(g)
		if _, err := s.conn.Exec(s.work, "ROLLBACK"); err != nil {
			_ = s.lost(err) // what was decided stands: nothing was to be written
		}
		return nil, answers, nil
	}
	id := rand.Text()
	if err := w.write(id); err != nil {
		if err = s.lost(err); refused(err) {
			return nil, nil, err
		}
		if err := s.settle(id, g, err); err != nil {
			return nil, nil, err
		}
	}
	return g, answers, nil
}

// connect makes the committer's connection when there is none.
func (s *Store) connect() (err error) {
	if s.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.work, 5*time.Second)
	defer cancel()
	s.conn, err = pgx.ConnectConfig(ctx, s.config.Copy())
	return err
}

// lost gives the connection up after an error and returns the error.
func (s *Store) lost(err error) error {
	if s.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.conn.Close(ctx) // it has failed already
		s.conn = nil
	}
	return err
}

// lockCommit begins the group's transaction and locks the row that orders groups.
func (s *Store) lockCommit() error {
	var b pgx.Batch
	b.Queue("BEGIN")
	b.Queue("SELECT seq, epoch FROM store_commit WHERE domain = 1 FOR UPDATE")
	r := s.conn.SendBatch(s.work, &b)
	var seq, epoch int64
	_, err := r.Exec()
	if err == nil {
		err = r.QueryRow().Scan(&seq, &epoch)
	}
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err != nil:
		return fmt.Errorf("lock the commit row: %w", err)
	case epoch != s.epoch:
		return errFenced
	case uint64(seq) != s.decided.Sequence():
		return fmt.Errorf("cluster: the database is at group %d, this node at %d", seq, s.decided.Sequence())
	}
	return nil
}

// unsettledError is a group of which it is not known whether it committed.
type unsettledError struct {
	id    string
	group *store.Group
	cause error
}

func (e *unsettledError) Error() string {
	return fmt.Sprintf("outcome of group %d is not known: %v", e.group.Seq, e.cause)
}

// settle finds out whether a group committed whose connection was lost. Nil: it did. cause: it
// never will. *unsettledError: not known in time.
func (s *Store) settle(id string, g *store.Group, cause error) error {
	for end := time.Now().Add(s.opts.SettleTime); ; {
		committed, err := s.settleOnce(id, g.Seq)
		switch {
		case err == nil && committed:
			return nil
		case err == nil:
			return cause
		case time.Now().After(end) || s.work.Err() != nil:
			return &unsettledError{id, g, cause}
		}
		s.opts.Logger.Warn("cannot settle a group yet", "group", g.Seq, "error", err)
		s.pause(retryWait)
	}
}

// settleOnce inserts a tombstone under the group's id. It waits for a transaction that still holds it.
func (s *Store) settleOnce(id string, seq uint64) (committed bool, err error) {
	if err := s.connect(); err != nil {
		return false, err
	}
	tag, err := s.conn.Exec(s.work, "INSERT INTO store_groups (id, domain, seq, time, committed) VALUES ($1, 1, $2, 0, false) ON CONFLICT (id) DO NOTHING", id, int64(seq))
	if err != nil {
		return false, s.lost(err)
	}
	if tag.RowsAffected() == 1 {
		return false, nil
	}
	err = s.conn.QueryRow(s.work, "SELECT committed FROM store_groups WHERE id = $1", id).Scan(&committed)
	if err != nil {
		return false, s.lost(err)
	}
	return committed, nil
}

// settleLater goes on until a group is settled whose callers were told that it is unknown. Nothing else
// is committed before: it would not know what it stands on.
func (s *Store) settleLater(u *unsettledError) {
	for s.work.Err() == nil && s.ctx.Err() == nil {
		committed, err := s.settleOnce(u.id, u.group.Seq)
		if err == nil && committed {
			s.publish(u.group)
			s.decided = s.applied.Clone()
		}
		if err == nil {
			return
		}
		s.pause(10 * retryWait)
	}
}
