package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

const (
	// moveAtOnce and moveBatches bound what one round takes out of the journal, and so the memory for its entries: 48 bytes
	// each, 24 MiB, and 104 more for each batch that is not plain loose records, as those of Kafka's producers. The more a round
	// takes, the longer are the runs that it makes of many partitions, and the less often they are merged.
	moveAtOnce  = 512 << 20
	moveBatches = 512 << 10
	// retryMove is how long the mover waits after an error.
	retryMove = time.Second
	// adoptRunBytes is the mean size of a partition's part from which on a file is adopted: each part is a run,
	// some 100 bytes of memory, so that a terabyte of them stays under 500 MB.
	adoptRunBytes = 256 << 10
	// retentionEvery is how often partitions are trimmed by age and size.
	retentionEvery = 10 * time.Second
)

// mover takes batches out of the journal into sealed files, so that journal files can be used again, and
// deletes what is trimmed. It is one goroutine; drop, signal and wait are for others.
type mover struct {
	s    *Store
	wake chan struct{}
	quit context.CancelFunc
	ctx  context.Context

	mu      sync.Mutex
	dropped []run         // trimmed or deleted: files and keys to remove
	err     error         // of the last round
	round   chan struct{} // closed and renewed after each round

	uses    map[fileID]*fileUse // mu guards it
	nextSeg atomic.Uint64
	upTo    atomic.Uint64 // number of a journal file: up to it files are moved however little there is
	thinNow bool          // files were moved since shared ones were thinned
	last    checkpoint
	parts   map[store.PartitionID]bool // that have a state in Pebble
	prods   map[store.ProducerID]bool
}

func newMover(s *Store) *mover {
	m := &mover{
		s: s, wake: make(chan struct{}, 1), round: make(chan struct{}), uses: map[fileID]*fileUse{},
		parts: map[store.PartitionID]bool{}, prods: map[store.ProducerID]bool{},
	}
	m.ctx, m.quit = context.WithCancel(context.Background())
	return m
}

func (m *mover) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// drop takes runs that nobody reads any more.
func (m *mover) drop(gone []run) {
	if len(gone) == 0 {
		return
	}
	m.mu.Lock()
	m.dropped = append(m.dropped, gone...)
	m.mu.Unlock()
	m.signal()
}

// wait holds writers while too much of the journal is not moved.
func (m *mover) wait() error {
	for {
		m.mu.Lock()
		round, err := m.round, m.err
		m.mu.Unlock()
		if !m.over() {
			return nil
		}
		if err != nil || m.s.gate.failing.Load() { // the mover waits for a flush that finds no room
			return store.ErrFull
		}
		m.signal()
		select {
		case <-round:
		case <-time.After(lookAgain):
		case <-m.s.broken:
			return store.ErrStopped
		case <-m.ctx.Done():
			return nil
		}
	}
}

func (m *mover) over() bool {
	s := m.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.files) > 1 && (s.unmoved() > s.opts.MaxUnmovedBytes || s.idx.entries > s.opts.MaxUnmovedEntries)
}

// unmoved is the bytes in journal files. The caller holds mu.
func (s *Store) unmoved() int64 {
	var n int64
	for _, f := range s.files {
		n += f.used.Load()
	}
	return n
}

func (m *mover) start() {
	m.s.done.Add(3)
	go newCompactor(m.s).run()
	go m.run()
	go m.retain()
}

func (m *mover) stop() { m.quit() }

func (m *mover) run() {
	defer m.s.done.Done()
	for {
		select {
		case <-m.wake:
		case <-m.ctx.Done():
			return
		}
		for m.ctx.Err() == nil {
			more, err := m.once()
			m.mu.Lock()
			if err != nil && m.err == nil && m.ctx.Err() == nil {
				m.s.log.Error("cannot move the journal into segments; trying again", "error", err)
			}
			m.err = err
			close(m.round)
			m.round = make(chan struct{})
			m.mu.Unlock()
			if m.s.failure() != nil {
				return
			}
			if err != nil {
				m.s.space.giveBallast()
				if clock.Sleep(m.ctx, m.s.opts.Clock, retryMove) != nil {
					return
				}
				continue
			}
			if !more {
				m.s.space.keepBallast()
				break
			}
		}
	}
}

// retain trims by age and size from time to time.
func (m *mover) retain() {
	defer m.s.done.Done()
	store.RunRetention(m.ctx, m.s, m.s.opts.Clock, retentionEvery, func(_ int, err error) {
		if err != nil {
			m.s.log.Warn("cannot apply retention; trying again", "error", err)
		}
	})
}

// once does one piece of work and tells whether there is more.
func (m *mover) once() (more bool, err error) {
	m.mu.Lock()
	dropped := m.dropped
	m.dropped = nil
	m.mu.Unlock()
	adopt, files := m.choose()
	var thin map[fileID]bool
	if len(files) == 0 || m.thinNow {
		thin = m.thinned()
	}
	if len(files) == 0 && len(dropped) == 0 && len(thin) == 0 {
		return false, nil
	}
	plan := &movePlan{m: m, dropped: dropped, files: files}
	defer plan.unclaim()
	m.thinNow = false
	switch {
	case len(thin) > 0:
		plan.files = nil
		err = plan.thin(thin)
	case adopt:
		err = plan.adopt()
	case len(files) > 0:
		m.thinNow = true
		err = plan.move()
	}
	if err == nil {
		err = plan.commit()
	}
	if errors.Is(err, errNotFlushed) {
		return false, err // the store stops; the next start sees whether the runs are on disk
	}
	if err != nil && plan.applied {
		m.s.fail(fmt.Errorf("flush what was moved: %w", err))
		return false, err // the runs may be on disk: their files stay
	}
	if err != nil {
		plan.undo()
		m.mu.Lock()
		m.dropped = append(dropped, m.dropped...)
		m.mu.Unlock()
		return false, err
	}
	return len(files) > 0 || len(thin) > 0, nil
}

// choose picks the oldest files: one to adopt, or several to move once there is enough.
func (m *mover) choose() (adopt bool, files []*journalFile) {
	s := m.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.files) < 2 {
		return false, nil
	}
	if m.adoptable(s.files[0]) {
		return true, s.files[:1:1]
	}
	if s.files[0].header.Seq > m.upTo.Load() && !s.space.full() && s.unmoved() <= s.opts.MoveAfterBytes && s.idx.entries <= s.opts.MaxUnmovedEntries/2 {
		return false, nil
	}
	var bytes, batches int64
	for _, f := range s.files[:len(s.files)-1] {
		if m.adoptable(f) || bytes > moveAtOnce || batches > 0 && batches+f.batches.Load() > moveBatches {
			break
		}
		bytes += f.used.Load()
		batches += f.batches.Load()
		files = append(files, f)
	}
	return false, files
}

// adoptable tells whether a file is mostly long runs: then it stays where it is.
func (m *mover) adoptable(f *journalFile) bool {
	n, bytes := f.batches.Load(), f.batchBytes.Load()
	return !f.keepOut.Load() && n > 0 && bytes/n >= m.s.opts.AdoptBatchBytes && bytes*2 >= f.used.Load()
}

// recovered begins the mover's books after recovery, and removes files that no run points to.
func (m *mover) recovered(check checkpoint) error {
	s := m.s
	m.last = check
	for _, x := range s.idx.parts.All() {
		for i := range x.runs {
			m.use(&x.runs[i])
		}
	}
	for i := range m.dropped {
		m.use(&m.dropped[i])
	}
	if err := eachKey(s.db, tagPartition, func(key, _ []byte) error {
		m.parts[store.PartitionID(sequenceOf(key[2:]))] = true
		return nil
	}); err != nil {
		return err
	}
	if err := eachKey(s.db, tagProducer, func(key, _ []byte) error {
		m.prods[store.ProducerID(sequenceOf(key[2:]))] = true
		return nil
	}); err != nil {
		return err
	}
	return errors.Join(m.sizeShared(), m.removeOrphans(segmentsDir, ".seg", fileSegment, fileShared), m.removeOrphans(journalDir, ".idx", fileJournal))
}

// removeOrphans removes the files of a folder that no run of one of the kinds is in.
func (m *mover) removeOrphans(dir, suffix string, kinds ...fileKind) error {
	s := m.s
	names, err := s.opts.FS.List(s.path(dir))
	if err != nil {
		return err
	}
	for _, name := range names {
		id, ok := parseName(name, suffix)
		if !ok {
			continue
		}
		if dir == segmentsDir {
			m.nextSeg.Store(max(m.nextSeg.Load(), id))
		}
		if slices.ContainsFunc(kinds, func(k fileKind) bool { return m.uses[fileID{k, id}] != nil }) {
			continue
		}
		if err := s.opts.FS.Remove(s.path(dir, name)); err != nil {
			return fmt.Errorf("remove %s, which nothing points to: %w", name, err)
		}
	}
	return nil
}

// sizeShared looks up how large the shared files are, dead runs with them.
func (m *mover) sizeShared() error {
	for id, u := range m.uses {
		if id.kind != fileShared {
			continue
		}
		info, err := m.s.opts.FS.Stat(m.s.segmentPath(id.id))
		if errors.Is(err, os.ErrNotExist) {
			continue // whoever reads it finds the damage
		}
		if err != nil {
			return err
		}
		u.size = max(u.size, info.Size())
	}
	return nil
}
