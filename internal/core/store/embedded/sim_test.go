package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/datakey"
	"millrace/internal/core/fault"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// sim runs one store through crashes of its disk. All that it does follows from a seed, except the order in
// which goroutines run.
//
//	phase: workers call the store ── crash at some write or sync ──► the disk as it was left
//	       ▲                                                          │ open, perhaps crash again, and again
//	       └──────────────── check against the ledger ◄───────────────┘
type sim struct {
	seed   uint64
	rng    *rand.Rand
	opts   Options
	fs     *fault.TornFS
	s      *Store
	ledger *ledger
	mirror map[store.PartitionID]*mirrored
	made   []*producer // of the workers
	key    uint64      // a data key

	profile profile
	slow    bool // writes of the journal take their time, as on a disk
	full    *fault.FullFS
	stopped atomic.Bool // of the phase: workers end
	failed  atomic.Bool // a sync was made to fail
	crashes int
	groups  int64
	moved   int64
	adopted int64
}

// profile is what a simulation does more of than others.
type profile struct {
	workers int
	steps   int // calls of each worker in a phase
	phases  int
	bulk    int // of 100 appends, how many are large
	churn   int // of 100 calls, how many create, close, trim or delete partitions
	updates int // of 100 calls, how many are transactions
	quarrel int // of 100 calls, how many are for the producer that workers fence each other from
}

// profiles are taken in turn, by seed.
var profiles = []profile{
	{workers: 1, steps: 90, phases: 3, bulk: 5, churn: 8, updates: 25},
	{workers: 3, steps: 60, phases: 3, bulk: 10, churn: 10, updates: 30},
	{workers: 6, steps: 30, phases: 3, bulk: 0, churn: 45, updates: 20},
	{workers: 2, steps: 60, phases: 3, bulk: 80, churn: 10, updates: 15},
	{workers: 4, steps: 40, phases: 2, bulk: 10, churn: 5, updates: 75},
	{workers: 8, steps: 20, phases: 3, bulk: 0, churn: 20, updates: 5, quarrel: 60},
}

// quarrelling is the place of the profile whose workers fence each other.
const quarrelling = 5

func newSim(seed uint64, faults *fault.Set) *sim {
	rng := rand.New(rand.NewPCG(seed, 42))
	m := &sim{
		seed: seed, rng: rng, fs: fault.NewTorn(), ledger: newLedger(), mirror: map[store.PartitionID]*mirrored{},
		profile: profiles[seed%uint64(len(profiles))],
	}
	m.slow = rng.IntN(2) == 0
	file := int64([]int{48, 64, 128, 256}[rng.IntN(4)]) << 10
	m.opts = Options{
		Dir: "store", JournalFileBytes: file, FirstFileBytes: 32 << 10, MoveAfterBytes: file * int64(1+rng.IntN(2)), MaxUnmovedBytes: 4 * file,
		TailCacheBytes: 2 << 20, MemtableBytes: 256 << 10, BlockCacheBytes: 256 << 10, BallastBytes: -1, MaxOpenFiles: 32,
		AdoptBatchBytes: 4 << 10, MoveBufferBytes: file / 3, RootKey: storetest.RootKey, Logger: slog.New(slog.DiscardHandler), Faults: faults,
		Fatal: func(error) {}, // only after failSyncs: else the store says so in its answers
	}
	for w := range m.profile.workers {
		m.made = append(m.made, newProducer(store.ProducerID(10*w+1)), newProducer(store.ProducerID(10*w+2)))
	}
	return m
}

func (m *sim) pick(n int) int { return m.rng.IntN(n) }

// run goes through all phases. The error names what the store has done wrong.
func (m *sim) run() (err error) {
	if err := m.open(); err != nil {
		return err
	}
	for phase := range m.profile.phases {
		end := m.chooseEnd()
		m.work(phase, end)
		if err := m.cut(end); err != nil {
			return fmt.Errorf("phase %d, which ends with %s: %w", phase, end, err)
		}
		if m.pick(4) == 0 {
			if err := m.checkDisk(); err != nil {
				return fmt.Errorf("phase %d: Check of the disk that %s has left: %w", phase, end, err)
			}
		}
		if err := m.open(); err != nil {
			return fmt.Errorf("phase %d: open what %s has left: %w", phase, end, err)
		}
		if err := m.check(); err != nil {
			return fmt.Errorf("phase %d, after %s: %w", phase, end, err)
		}
	}
	err = m.s.Close()
	m.s = nil
	return errors.Join(err, m.checkDisk())
}

// ending is how a phase ends.
type ending string

const (
	endCrash    ending = "a crash"
	endQuiet    ending = "a crash without load"
	endFailSync ending = "a failed sync"
	endFull     ending = "a full disk"
	endStop     ending = "a stop"
	endInStop   ending = "a crash while stopping"
)

func (m *sim) chooseEnd() ending {
	switch n := m.pick(20); {
	case n < 13:
		return endCrash
	case n < 14:
		return endQuiet
	case n < 16:
		return endFailSync
	case n < 17:
		return endFull
	case n < 18:
		return endStop
	default:
		return endInStop
	}
}

// newRNG is for a disk, which uses it at a moment of its own.
func (m *sim) newRNG() *rand.Rand { return rand.New(rand.NewPCG(m.rng.Uint64(), m.rng.Uint64())) }

// work runs the workers of a phase to their end, or until the disk has crashed.
func (m *sim) work(phase int, end ending) {
	m.stopped.Store(false)
	m.failed.Store(false)
	if end == endCrash {
		ops := 4*m.profile.workers*m.profile.steps/(m.profile.workers+1) + 40 // about as many as the phase has: more workers, larger groups
		m.fs.CrashAt(m.fs.Ops()+1+int64(m.pick(ops)), m.newRNG())
	}
	failAt := -1
	if end == endFailSync || end == endFull {
		failAt = m.pick(m.profile.steps)
	}
	room := int64(m.pick(300 << 10))
	failing := []string{"", "store/journal", "store/keys", "store/segments"}[m.pick(4)]
	var wg sync.WaitGroup
	for i := range m.profile.workers {
		w := &worker{
			m: m, s: m.s, idempotent: m.made[2*i], txn: m.made[2*i+1],
			rng: rand.New(rand.NewPCG(m.seed, uint64(phase*100+i))),
		}
		wg.Go(func() {
			for step := range m.profile.steps {
				if i == 0 && step == failAt {
					m.failed.Store(true)
					if end == endFull {
						m.full.SetLimit(m.full.Used() + room)
						continue
					}
					m.fs.FailSync(func(path string) bool { return strings.HasPrefix(path, failing) })
				}
				if m.stopped.Load() || m.fs.Crashed() != nil {
					return
				}
				w.step()
			}
		})
	}
	wg.Wait()
}

// cut ends the store and takes the disk that is left.
func (m *sim) cut(end ending) error {
	c := m.s.Counters()
	m.groups, m.moved, m.adopted = m.groups+c.Groups, m.moved+c.MovedFiles, m.adopted+c.AdoptedFiles
	if end == endInStop {
		m.fs.CrashAt(m.fs.Ops()+1+int64(m.pick(20)), m.newRNG())
	}
	var left *fault.TornFS
	if end == endQuiet || end == endFailSync || end == endFull && m.pick(2) == 0 {
		left = m.fs.Crash(m.newRNG())
	}
	err := m.s.Close()
	m.full.SetLimit(1 << 40) // else the keys of a store that has failed try for ever
	m.s = nil
	if end == endFailSync {
		m.fs.FailSync(nil)
		m.fs = left
		m.crashes++
		return nil
	}
	if err != nil && end != endFull {
		return fmt.Errorf("close: %w", err)
	}
	if left == nil && err != nil {
		left = m.fs.Crash(m.newRNG()) // what the end of the process leaves
	}
	if left == nil {
		left = m.fs.Crashed()
	}
	if left != nil { // else it was a clean stop, or the crash was set too late
		m.fs = left
		m.crashes++
	}
	return nil
}

// open opens the store; now and then the disk crashes while it is recovered.
func (m *sim) open() error {
	for range 3 {
		m.opts.FS = m.disk()
		if m.pick(3) == 0 {
			m.fs.CrashAt(m.fs.Ops()+1+int64(m.pick(60)), m.newRNG())
		}
		s, err := Open(m.opts)
		if err != nil {
			return err
		}
		left := m.fs.Crashed()
		if left == nil {
			m.fs.CrashAt(0, nil)
			m.s = s
			return m.makeKey()
		}
		if err := s.Close(); err != nil {
			return err
		}
		m.fs = left
		m.crashes++
	}
	m.opts.FS = m.disk()
	s, err := Open(m.opts)
	m.s = s
	if err != nil {
		return err
	}
	return m.makeKey()
}

// makeKey makes the data key that a third of all additions is sealed under, once.
func (m *sim) makeKey() error {
	if m.key != 0 {
		return nil
	}
	_, err := m.s.Update(context.Background(), func(tx store.Tx) (err error) {
		m.key, err = datakey.Create(tx, m.opts.RootKey)
		return err
	})
	return err
}

// disk is the disk as the store sees it.
func (m *sim) disk() vfs.FS {
	m.full = fault.NewFull(m.fs, 1<<40)
	if m.slow {
		return slowFS{m.full}
	}
	return m.full
}

// slowFS lets others run before each write and sync of a journal file: then groups are large, and a caller who is
// answered too early has gone on when the disk crashes.
type slowFS struct{ vfs.FS }

type slowFile struct{ vfs.File }

func (s slowFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := s.FS.OpenReadWrite(name, c, opts...)
	if err != nil {
		return nil, err
	}
	return slowFile{f}, nil
}

func letOthersRun() {
	for range 20 {
		runtime.Gosched()
	}
}

func (f slowFile) WriteAt(b []byte, at int64) (int, error) {
	letOthersRun()
	return f.File.WriteAt(b, at)
}

func (f slowFile) SyncData() error {
	letOthersRun()
	return f.File.SyncData()
}

// checkDisk runs Check on the disk as it is.
func (m *sim) checkDisk() error {
	m.opts.FS = m.fs
	_, err := Check(m.opts, func(string) {})
	return err
}

// end closes a store that a failure has left open.
func (m *sim) end() {
	if m.s != nil {
		_ = m.s.Close() // the failure was told already
	}
}

// simulate runs one seed; what went wrong names it.
func simulate(seed uint64, faults *fault.Set) (*sim, error) {
	m := newSim(seed, faults)
	defer m.end()
	if err := m.run(); err != nil {
		return m, fmt.Errorf("seed %d: %w", seed, err)
	}
	return m, nil
}
