package fetch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/logtest"
	"millrace/internal/service/kafka/session"
)

// oracle is the log of the partitions, kept apart, with the rules written down as plainly as can be.
type oracle struct {
	*rig
	random *rand.Rand
	logs   []oracleLog
	seqs   map[[2]int64]int32 // next sequence number by producer and partition
}

type oracleLog struct {
	start   int64
	batches []oracleBatch
	open    map[int64]int64 // producer → first offset
	aborted []store.Aborted
}

type oracleBatch struct {
	base, next int64
	size       int
}

func (l *oracleLog) next() int64 {
	if len(l.batches) == 0 {
		return 0
	}
	return l.batches[len(l.batches)-1].next
}

func (l *oracleLog) stable() int64 {
	stable := l.next()
	for _, first := range l.open {
		stable = min(stable, first)
	}
	return stable
}

const oracleProducers = 3

func newOracle(t *testing.T, s store.Store, seed uint64) *oracle {
	o := &oracle{rig: newRig(t, s, 3), random: rand.New(rand.NewPCG(seed, 7)), seqs: map[[2]int64]int32{}}
	for range o.ids {
		o.logs = append(o.logs, oracleLog{open: map[int64]int64{}})
	}
	for p := range int64(oracleProducers) {
		logtest.Producer(t, s, store.ProducerID(10+p), 0)
	}
	return o
}

// change appends, ends a transaction, or trims.
func (o *oracle) change() {
	part := o.random.IntN(len(o.ids))
	l := &o.logs[part]
	switch o.random.IntN(8) {
	case 0:
		o.end(10+int64(o.random.IntN(oracleProducers)), o.random.IntN(2) == 0)
	case 1:
		to := l.start + o.random.Int64N(l.next()-l.start+1)
		logtest.Update(o, o.s, func(tx store.Tx) error { return tx.TrimPartition(o.ids[part], store.Offset(to)) })
		l.start = to
		l.aborted = slices.DeleteFunc(l.aborted, func(a store.Aborted) bool { return int64(a.Last) < to })
	case 2, 3, 4:
		o.add(part, logtest.Fields{}, 0)
	default:
		producer := 10 + int64(o.random.IntN(oracleProducers))
		o.add(part, logtest.Fields{Producer: producer, Sequence: o.seqs[[2]int64{producer, int64(part)}], Transactional: true}, producer)
	}
}

func (o *oracle) add(part int, f logtest.Fields, producer int64) {
	values := make([]string, 1+o.random.IntN(4))
	for i := range values {
		values[i] = strings.Repeat("x", o.random.IntN(300))
	}
	b := logtest.Values(f, 5, values...)
	base := int64(logtest.Append(o, o.s, o.ids[part], b))
	l := &o.logs[part]
	if base != l.next() {
		o.Fatalf("base offset: got %d, want %d", base, l.next())
	}
	l.batches = append(l.batches, oracleBatch{base, base + int64(len(values)), len(b)})
	if producer != 0 {
		o.seqs[[2]int64{producer, int64(part)}] += int32(len(values))
		if _, ok := l.open[producer]; !ok {
			l.open[producer] = base
		}
	}
}

// markerSize is what a marker takes in the log.
const markerSize = 78

func (o *oracle) end(producer int64, commit bool) {
	logtest.End(o, o.s, store.ProducerID(producer), 0, commit)
	for i := range o.logs {
		l := &o.logs[i]
		first, ok := l.open[producer]
		if !ok {
			continue
		}
		at := l.next()
		l.batches = append(l.batches, oracleBatch{at, at + 1, markerSize})
		delete(l.open, producer)
		if !commit {
			l.aborted = append(l.aborted, store.Aborted{Producer: store.ProducerID(producer), First: store.Offset(first), Last: store.Offset(at)})
		}
	}
}

// expect writes down what a fetch without a session has to answer.
func (o *oracle) expect(q *Request) string {
	left, first := q.MaxBytes, true
	var lines []string
	for i := range q.Wanted {
		w := &q.Wanted[i]
		l := &o.logs[w.Index]
		if w.Offset < l.start || w.Offset > l.next() {
			lines = append(lines, fmt.Sprintf("%d OFFSET_OUT_OF_RANGE -1 -1 -1 [] []", w.Index))
			continue
		}
		end := l.next()
		if q.Committed {
			end = l.stable()
		}
		limit := min(left, int(w.MaxBytes))
		size, bases := 0, []int64{}
		var from, to int64
		for _, b := range l.batches {
			if b.next <= w.Offset || b.base >= end || size > 0 && size+b.size > limit || size == 0 && b.size > limit && !first {
				if size > 0 || b.next > w.Offset {
					break
				}
				continue
			}
			if size == 0 {
				from = b.base
			}
			size, to = size+b.size, b.next
			bases = append(bases, b.base)
		}
		aborted := []store.Aborted{}
		if size > 0 {
			first = false
			left -= size
			for _, a := range l.aborted {
				if q.Committed && int64(a.First) < to && int64(a.Last) >= from {
					aborted = append(aborted, a)
				}
			}
		}
		lines = append(lines, fmt.Sprintf("%d NONE %d %d %d %v %v", w.Index, l.next(), l.stable(), l.start, bases, aborted))
	}
	return strings.Join(lines, "\n")
}

func answer(q *Request) string {
	var lines []string
	for i := range q.Parts {
		p := &q.Parts[i]
		bases := []int64{}
		for _, b := range p.Batches {
			bases = append(bases, int64(b.Base))
		}
		lines = append(lines, fmt.Sprintf("%d %s %d %d %d %v %v", p.Key.Index, p.Code, p.HighWatermark, p.LastStable, p.LogStart, bases, p.Aborted))
	}
	return strings.Join(lines, "\n")
}

func TestRandomFetchesAreAnsweredAsThePlainRulesSay(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		for seed := range uint64(4) {
			o := newOracle(t, s, seed)
			for i := range 400 {
				o.change()
				q := NewRequest()
				q.Epoch, q.MinBytes, q.Committed = session.EpochFinal, 1, o.random.IntN(2) == 0
				q.MaxBytes = 1 << o.random.IntN(14)
				for _, part := range o.random.Perm(len(o.ids)) {
					l := &o.logs[part]
					w := want(q, int32(part), l.start+o.random.Int64N(l.next()-l.start+3)-1)
					w.MaxBytes = 1 << o.random.IntN(14)
				}
				expected := o.expect(q)
				asked := fmt.Sprintf("%+v", q.Request)
				a := <-o.start(q)
				if got := answer(a); got != expected {
					t.Fatalf("seed %d, step %d: fetch %s, max bytes %d:\ngot\n%s\nwant\n%s", seed, i, asked, a.MaxBytes, got, expected)
				}
				a.Free()
			}
			for p := range int64(oracleProducers) {
				logtest.Update(t, s, func(tx store.Tx) error {
					if _, err := tx.EndTransaction(store.ProducerID(10+p), 0, false, store.MaxTxParts); err != nil {
						return err
					}
					return tx.DeleteProducer(store.ProducerID(10 + p))
				})
			}
		}
	})
}

// reader is a consumer with a fetch session that behaves as the Java client does: it forgets partitions while it has
// records of them that nobody took yet, and takes them up again.
type reader struct {
	*rig
	random   *rand.Rand
	id       int32
	epoch    int32
	position []int64
	known    []int64 // position that the session knows; -1: not in it
	got      []string
}

func newReader(r *rig, seed uint64) *reader {
	n := len(r.ids)
	return &reader{rig: r, random: rand.New(rand.NewPCG(seed, 3)), position: make([]int64, n), known: make([]int64, n), got: make([]string, n)}
}

// request makes the next fetch of the session, or a full one.
func (c *reader) request() *Request {
	q := NewRequest()
	q.MinBytes, q.MaxBytes, q.MaxWait = 1, 1<<(6+c.random.IntN(8)), 20*time.Millisecond
	q.SessionID, q.Epoch = c.id, c.epoch
	full := c.id == 0 || c.random.IntN(20) == 0
	if full {
		q.Epoch = session.EpochFull
	}
	for part := range c.ids {
		key := session.Key{Name: "t", Index: int32(part)}
		switch skip := c.random.IntN(4) == 0; {
		case skip && !full && c.known[part] >= 0:
			q.Forgotten = append(q.Forgotten, key)
			c.known[part] = -1
		case skip:
			c.known[part] = -1
		case full || c.known[part] != c.position[part]:
			want(q, int32(part), c.position[part]).MaxBytes = int32(1 << (6 + c.random.IntN(8)))
			c.known[part] = c.position[part]
		}
	}
	return q
}

func (c *reader) poll(t *testing.T) {
	a := <-c.start(c.request())
	defer a.Free()
	switch a.Code {
	case kafkaapi.None:
	case kafkaapi.FetchSessionIDNotFound:
		c.id, c.epoch = 0, 0
		return
	default:
		t.Errorf("fetch: got %v", a.Code)
		return
	}
	if c.id, c.epoch = a.AnswerID, c.epoch+1; a.SessionID != a.AnswerID {
		c.epoch = 1
	}
	for i := range a.Parts {
		p := &a.Parts[i]
		if p.Code != kafkaapi.None {
			t.Errorf("partition %d: got %v", p.Key.Index, p.Code)
		}
		for _, b := range p.Batches {
			if int64(b.Base) != c.position[p.Key.Index] {
				t.Errorf("partition %d: got a batch at %d, want %d", p.Key.Index, b.Base, c.position[p.Key.Index])
			}
			c.position[p.Key.Index] = int64(b.Next)
		}
	}
}

func TestConsumersWithSessionsGetEveryRecordOnceAndInOrder(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		r := newRig(t, s, 8, func(o *Options) { o.SessionSlots, o.MaxHeldBytes = 3, 10_000 })
		const each = 60
		var work sync.WaitGroup
		for part := range r.ids {
			work.Go(func() {
				for range each {
					logtest.Append(t, s, r.ids[part], logtest.Values(logtest.Fields{}, 0, strings.Repeat("x", 100)))
				}
			})
		}
		for i := range 5 {
			work.Go(func() {
				c := newReader(r, uint64(i))
				for end := time.Now().Add(30 * time.Second); slices.Min(c.position) < each; {
					if c.poll(t); t.Failed() || time.Now().After(end) {
						t.Errorf("consumer %d: positions %v, want %d everywhere", i, c.position, each)
						return
					}
				}
			})
		}
		work.Wait()
	})
}

func FuzzFetchAnswersOnceWhateverIsAsked(f *testing.F) {
	f.Add(int64(0), int32(100), int32(-1), int32(0), int32(0), int32(1), false)
	f.Add(int64(-5), int32(-1), int32(7), int32(9), int32(9), int32(-1), true)
	f.Add(int64(3), int32(0), int32(0), int32(0), int32(-1), int32(1<<30), true)
	s := logtest.InMemory(f)
	r := newRig(f, s, 2)
	for range 5 {
		r.append(0, "a", "b")
	}
	f.Fuzz(func(t *testing.T, offset int64, maxBytes, leaderEpoch, id, epoch, minBytes int32, committed bool) {
		q := NewRequest()
		q.SessionID, q.Epoch, q.Committed, q.MinBytes, q.MaxBytes = id, epoch, committed, int(minBytes), int(maxBytes)
		for part := range int32(3) {
			w := want(q, part, offset)
			w.LeaderEpoch, w.MaxBytes = leaderEpoch, maxBytes
		}
		done := r.start(q)
		a := <-done
		for i := range a.Parts {
			if p := &a.Parts[i]; p.Code == kafkaapi.UnknownServerError || p.Code != kafkaapi.None && p.Bytes > 0 {
				t.Errorf("part %d: got %+v", i, p)
			}
		}
		a.Free()
		if len(done) > 0 {
			t.Error("answered twice")
		}
	})
}
