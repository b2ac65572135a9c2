package produce

import (
	"context"
	"errors"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/txn"
)

// minTimeout is the least time an append gets: Kafka's timeout is only for replicas, and 0 is fine there.
const minTimeout = time.Second

// Options of a Producer.
type Options struct {
	Store store.Store
	Clock clock.Clock // for deadlines; default: the real one
	Txns  Txns        // nil: transactional batches are refused, and producers that were forgotten
}

// Txns lets batches of transactions in, and knows producers that the store has forgotten: txn.Coordinator.
type Txns interface {
	Admit(a txn.Admission) (txn.Ticket, kafkaapi.Code)
	Revive(ctx context.Context, p txn.Producer) kafkaapi.Code
}

// Producer appends for all connections. Safe for concurrent use.
type Producer struct {
	opts  Options
	known known
}

// New returns a Producer. It starts nothing and needs no Close.
func New(opts Options) *Producer {
	if opts.Clock == nil {
		opts.Clock = clock.Real()
	}
	return &Producer{opts: opts}
}

// Produce appends the batches of a request and calls done once with the same request, answered. That may be before it
// returns, and it may be by the goroutine that answers everybody: done must not block and must not call the store.
//
// The order of the calls is the order of appends, per producer: a connection calls it for one request after the other.
// It waits while the store's queue is full, and while a producer is introduced.
func (p *Producer) Produce(ctx context.Context, r *Request, done func(*Request)) {
	r.p, r.done = p, done
	r.ctx = deadline{ctx, p.opts.Clock, p.opts.Clock.Now().Add(max(r.Timeout, minTimeout))}
	if r.Acks < -1 || r.Acks > 1 {
		r.refuseAll(kafkaapi.InvalidRequiredAcks, "")
		done(r)
		return
	}
	p.gather(r)
	ticket, admitted := r.txn.ticket, r.txn.admitted
	p.append(r) // r may be gone when it returns
	if admitted {
		ticket.Release()
	}
}

// append gives what is good to the store, at once unless it is more than the store takes in one piece.
func (p *Producer) append(r *Request) {
	switch {
	case len(r.appends) == 0:
		r.done(r)
		return
	case r.bytes <= mostBytes && len(r.appends) <= store.MaxTxParts:
		p.opts.Store.AppendAsync(&r.ctx, r.appends, r.answer)
		return
	}
	ends := r.pieces()
	r.left.Store(int32(len(ends)))
	ctx, appends := &r.ctx, r.appends
	for i, to := range ends {
		from := 0
		if i > 0 {
			from = ends[i-1]
		}
		p.opts.Store.AppendAsync(ctx, appends[from:to], func(results []store.AppendResult, err error) {
			r.fill(from, to, results, err)
			if r.left.Add(-1) == 0 {
				r.done(r)
			}
		})
	}
}

// mostBytes is what is given to the store at once: below store.MaxTxBytes, with room for what it counts beside records.
const mostBytes = store.MaxTxBytes / 2

// pieces says where each piece of a request ends that is too large to be appended at once. What one part became stays
// together, so that one piece answers it.
func (r *Request) pieces() []int {
	var ends []int
	bytes, from := 0, 0
	for i := 0; i < len(r.appends); {
		n, end := 0, i
		for ; end < len(r.appends) && r.parts[end] == r.parts[i]; end++ {
			n += len(r.appends[end].Batch)
		}
		if i > from && (bytes+n > mostBytes || end-from > store.MaxTxParts) {
			ends, bytes, from = append(ends, i), 0, i
		}
		bytes, i = bytes+n, end
	}
	return append(ends, len(r.appends))
}

const (
	// implicitSince is the first version whose clients do not add partitions to a transaction (KIP-890).
	implicitSince = 12
	// abortableSince is the first version whose clients know TRANSACTION_ABORTABLE.
	abortableSince = 11
)

// gather checks all parts and makes requests to the store of those that are good.
func (p *Producer) gather(r *Request) {
	now := p.opts.Store.Now()
	for i := range r.Parts {
		part := &r.Parts[i]
		h, ok := part.check(r, now)
		if !ok || !p.prepare(r, part, &h) {
			continue
		}
		if part.Rules.Routes != nil {
			r.reroute(i, &h)
			continue
		}
		r.parts = append(r.parts, int32(i))
		r.appends = append(r.appends, store.AppendRequest{
			Partition:     part.Partition,
			Batch:         part.Records,
			LogAppendTime: part.Rules.LogAppendTime,
			Key:           part.Rules.DataKey,
		})
		r.bytes += len(part.Records)
	}
}

// prepare does what has to be done before a good batch is appended.
func (p *Producer) prepare(r *Request, part *Part, h *batch.Header) bool {
	if part.Rules.Noted != nil {
		if err := part.Rules.Noted(); err != nil {
			part.refuse(codeOf(err))
			return false
		}
	}
	if part.Rules.Routes != nil {
		return true // no producer's numbers are looked at
	}
	if h.Transactional() {
		return p.admit(r, part, h)
	}
	if code := p.introduce(&r.ctx, h); code != kafkaapi.None {
		part.refuse(code, "")
		return false
	}
	return true
}

// admission is the leave of a request's transactional batches to be queued.
type admission struct {
	producer store.ProducerID
	epoch    int16
	ticket   txn.Ticket
	admitted bool
}

// admit asks the coordinator to let a transactional batch in: once for a request, whose batches are all of one producer,
// and then for its partition.
func (p *Producer) admit(r *Request, part *Part, h *batch.Header) bool {
	a := &r.txn
	id := store.ProducerID(h.ProducerID)
	switch {
	case p.opts.Txns == nil:
		part.refuse(kafkaapi.InvalidTxnState, "")
		return false
	case a.admitted && (a.producer != id || a.epoch != h.ProducerEpoch):
		part.refuse(kafkaapi.InvalidProducerIDMapping, "Transactional records contained more than one producer ID")
		return false
	case !a.admitted:
		ticket, code := p.opts.Txns.Admit(txn.Admission{
			Ident:     txn.Ident{ID: r.TransactionalID, Producer: id, Epoch: h.ProducerEpoch},
			V2:        r.Version >= implicitSince,
			Abortable: r.Version >= abortableSince,
		})
		if code != kafkaapi.None {
			part.refuse(code, "")
			return false
		}
		*a = admission{producer: id, epoch: h.ProducerEpoch, ticket: ticket, admitted: true}
	}
	if code := a.ticket.Check(part.Partition); code != kafkaapi.None {
		part.refuse(code, "")
		return false
	}
	return true
}

// answered takes the store's answer, and gives the request back.
func (r *Request) answered(results []store.AppendResult, err error) {
	r.fill(0, len(r.parts), results, err)
	r.done(r)
}

// fill takes the store's answer to the appends from <= i < to.
func (r *Request) fill(from, to int, results []store.AppendResult, err error) {
	for i, at := range r.parts[from:to] {
		part := &r.Parts[at]
		if err != nil {
			part.refuse(codeOf(err))
			continue
		}
		if part.spread {
			part.answerSpread(&results[i])
			continue
		}
		part.answer(&results[i])
		if results[i].Err != nil {
			r.forgetProducer(part, results[i].Err)
		}
	}
}

func (p *Part) answer(res *store.AppendResult) {
	if errors.Is(res.Err, store.ErrUnknownProducer) && transactional(p.Records) {
		p.refuse(kafkaapi.InvalidProducerIDMapping, "")
		return
	}
	if res.Err != nil {
		p.refuse(p.codeOf(res.Err))
		return
	}
	p.BaseOffset, p.LogStart, p.Repeat = int64(res.Base), int64(res.Start), res.Repeat
	if p.Rules.LogAppendTime {
		p.AppendTimeMs = res.AppendTime
	}
}

func transactional(b []byte) bool {
	h, err := batch.ReadHeader(b)
	return err == nil && h.Transactional()
}

// forgetProducer makes the next batch of a producer that the store has forgotten look it up again. This one is answered
// with a retriable code, and its producer is known when it comes again.
func (r *Request) forgetProducer(part *Part, err error) {
	if !errors.Is(err, store.ErrUnknownProducer) {
		return
	}
	if h, err := batch.ReadHeader(part.Records); err == nil {
		r.p.known.forget(store.ProducerID(h.ProducerID))
	}
}
