package embedded

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"millrace/internal/core/store"
)

// The simulation keeps a ledger of everything that was asked of the store and what it answered. After each
// crash the checker compares what is left with it.

// opState is what is known of an operation.
type opState uint8

const (
	opUnknown opState = iota // under way, or cut by a crash that was not looked into yet
	opAcked                  // answered: it must be there for good
	opRefused                // answered with an error: it must never be there
	opPresent                // cut by a crash, and found
	opAbsent                 // cut by a crash, and not found: it must never come back
	opMaybe                  // cut by a crash, and where it would stand is trimmed or deleted
)

func (s opState) String() string {
	return [...]string{"unknown", "acknowledged", "refused", "present", "absent", "maybe"}[s]
}

// there tells whether the operation has to have its effects.
func (s opState) there() bool { return s == opAcked || s == opPresent }

// op is one call. Its worker fills it; the checker reads it when no worker runs.
type op struct {
	id           int
	began, ended int64 // ticks of the ledger; ended is math.MaxInt64 without an answer
	update       bool
	state        opState
	commit       store.Commit
	err          error // of a refusal

	adds      []*addition
	hot       int    // the counter it adds to; -1 for none
	count     uint64 // what it has made of the counter
	deletes   int    // the operation whose key it deletes; -1 for none
	parts     []store.PartitionChange
	producers []store.ProducerChange
	saw       []sighting
}

// addition is what an operation appends to one partition.
type addition struct {
	op    *op
	nth   int // among the operation's
	part  store.PartitionID
	n     int          // records
	batch []byte       // when it is a finished one
	by    *sentBy      // when a producer sends it
	base  store.Offset // where it is, when that is known; -1
	time  int64        // append time it was answered with
	again *addition    // it repeats this one
	err   error        // of this partition alone
	want  error        // what it has to be refused with, unless the partition refuses it first; nil: nothing
	known store.Offset // head.Start that was answered
}

// sentBy is a batch's place in its producer's order.
type sentBy struct {
	producer store.ProducerID
	epoch    int16
	seq      int32
	txn      bool
}

// sighting is something that a reader saw: it must not be taken back.
type sighting struct {
	part   store.PartitionID // 0: a counter
	next   store.Offset
	stable store.Offset
	closed bool
	hot    int
	count  uint64
}

func (o *op) String() string {
	s := fmt.Sprintf("op %d (%s", o.id, o.state)
	if o.err != nil {
		s += fmt.Sprintf(": %v", o.err)
	}
	s += ")"
	for _, a := range o.adds {
		s += fmt.Sprintf(" [%d records to %d, base %d", a.n, a.part, a.base)
		if a.by != nil {
			s += fmt.Sprintf(", producer %+v", *a.by)
		}
		if a.err != nil {
			s += fmt.Sprintf(", %v", a.err)
		}
		s += "]"
	}
	if o.update {
		s += fmt.Sprintf(" commit %+v parts %+v producers %+v hot %d=%d deletes %d", o.commit, o.parts, o.producers, o.hot, o.count, o.deletes)
	}
	return s
}

// ledger is all operations of a simulation.
type ledger struct {
	mu    sync.Mutex
	tick  int64
	ops   []*op
	parts []store.PartitionID // that were created by answered operations; closed and deleted ones too
	seen  map[store.PartitionID]store.Offset
}

func newLedger() *ledger { return &ledger{seen: map[store.PartitionID]store.Offset{}} }

func (l *ledger) begin(update bool) *op {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tick++
	o := &op{id: len(l.ops), began: l.tick, ended: math.MaxInt64, update: update, hot: -1, deletes: -1}
	l.ops = append(l.ops, o)
	return o
}

// answered notes an answer that was seen while the disk had not crashed.
func (l *ledger) answered(o *op, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tick++
	o.ended = l.tick
	if err != nil {
		o.state, o.err = opRefused, err
		return
	}
	o.state = opAcked
	for _, c := range o.parts {
		if c.Kind == store.PartitionCreate {
			l.parts = append(l.parts, c.Partition)
		}
	}
	for _, a := range o.adds {
		if a.err == nil && a.base >= 0 {
			l.seen[a.part] = max(l.seen[a.part], a.base+store.Offset(a.n))
		}
	}
}

// partition picks one that was created, mostly one of the newest.
func (l *ledger) partition(pick func(n int) int) store.PartitionID {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.parts)
	if n == 0 {
		return 1
	}
	if n > 6 && pick(10) > 0 {
		return l.parts[n-1-pick(6)]
	}
	return l.parts[pick(n)]
}

// next is an offset up to which a partition surely goes.
func (l *ledger) next(id store.PartitionID) store.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[id]
}

// resolved takes up what the checker has found out about operations that were cut.
func (l *ledger) resolved() {
	for _, o := range l.ops {
		if o.state != opPresent {
			continue
		}
		for _, c := range o.parts {
			if c.Kind == store.PartitionCreate && !slices.Contains(l.parts, c.Partition) {
				l.parts = append(l.parts, c.Partition)
			}
		}
	}
}

// value is what record i of the addition holds: its name, and bytes that follow from the name.
func (a *addition) value(i, size int) []byte {
	v := fmt.Appendf(make([]byte, 0, size+24), "%d.%d.%d.", a.op.id, a.nth, i)
	for len(v) < size {
		v = append(v, byte(a.op.id+i))
	}
	return v
}

// parseValue is the other direction; it also checks the bytes that follow.
func parseValue(v []byte) (opID, nth, i int, err error) {
	if _, err = fmt.Sscanf(string(v[:min(len(v), 32)]), "%d.%d.%d.", &opID, &nth, &i); err != nil {
		return 0, 0, 0, fmt.Errorf("record %.40q is none of ours: %w", v, err)
	}
	for _, c := range v[len(fmt.Sprintf("%d.%d.%d.", opID, nth, i)):] {
		if c != byte(opID+i) {
			return 0, 0, 0, fmt.Errorf("record %.40q has changed", v)
		}
	}
	return opID, nth, i, nil
}
