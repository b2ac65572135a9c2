package fetch

import (
	"context"
	"errors"
	"slices"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/session"
)

// looking is the context of a look: it is short, and what it holds is given back by its end.
var looking = context.Background()

// outcome is what a look leads to.
type outcome uint8

const (
	answered outcome = iota
	later            // somebody else goes on with the request
	again            // look once more
)

// look takes what is to be looked at, and answers the request or has it wait.
func (r *Request) look() outcome {
	newest := r.poll.Lock()
	defer r.poll.Unlock()
	if !newest {
		r.drop()
		r.Code, r.AnswerID = kafkaapi.InvalidFetchSessionEpoch, r.SessionID
		return answered
	}
	over := r.over() || r.poll.Ended()
	r.examineAll()
	want := r.wanted()
	if !r.reserve(want) {
		r.giveBack(false)
		return later
	}
	r.readAll(want)
	if over || r.enough() {
		r.finish()
		return answered
	}
	return r.wait()
}

// examineAll fills Parts with what the heads of all dirty partitions say.
func (r *Request) examineAll() {
	r.taken = r.poll.Take(r.taken[:0])
	r.Parts = r.Parts[:0]
	for _, part := range r.taken {
		place, code := r.f.opts.Resolve(looking, &part.Key)
		id := place.ID
		switch {
		case code != kafkaapi.None:
			id = 0
		case id == 0:
			id = session.Empty
		}
		r.poll.Bind(part, id)
		r.Parts = append(r.Parts, Part{Key: part.Key, part: part, Code: code, view: place.View})
	}
	r.poll.Register()
	for i := range r.Parts {
		r.examine(&r.Parts[i])
	}
}

// examine looks at the head of one partition.
func (r *Request) examine(p *Part) {
	var head store.Head
	if p.Code == kafkaapi.None && p.part.ID() != session.Empty {
		var err error
		if head, err = r.f.opts.Store.Head(looking, p.part.ID()); err != nil {
			p.fail(r.f.codeOf(err))
			return
		}
	}
	if p.Code != kafkaapi.None {
		p.setOffsets(-1, -1, -1)
		return
	}
	p.setHead(&head)
	offset, epoch := store.Offset(p.part.Offset), p.part.LeaderEpoch
	switch {
	case epoch >= 0 && epoch < head.Epoch:
		p.fail(kafkaapi.FencedLeaderEpoch)
	case epoch > head.Epoch:
		p.fail(kafkaapi.UnknownLeaderEpoch)
	case offset < head.Start, offset > head.Next:
		p.fail(kafkaapi.OffsetOutOfRange)
	default:
		p.data = offset < r.end(&head)
	}
}

// end is where a reader may see to.
func (r *Request) end(h *store.Head) store.Offset {
	if r.Committed {
		return h.LastStable
	}
	return h.Next
}

func (p *Part) setHead(h *store.Head) {
	p.setOffsets(int64(h.Next), int64(h.LastStable), int64(h.Start))
}

func (p *Part) setOffsets(highWatermark, lastStable, logStart int64) {
	p.HighWatermark, p.LastStable, p.LogStart = highWatermark, lastStable, logStart
}

// fail makes a code of the log the partition's answer; it ends a wait.
func (p *Part) fail(code kafkaapi.Code) {
	p.Code, p.ends, p.data = code, true, false
	p.setOffsets(-1, -1, -1)
}

// codeOf is what errors of reading mean. What is not known is retriable: the client looks for the partition again.
func (f *Fetcher) codeOf(err error) kafkaapi.Code {
	var trimmed *store.TrimmedError
	var corrupt *store.CorruptError
	switch {
	case errors.As(err, &trimmed), errors.Is(err, store.ErrOffsetOutOfRange):
		return kafkaapi.OffsetOutOfRange
	case errors.Is(err, store.ErrNoPartition):
		return kafkaapi.UnknownTopicOrPartition
	case errors.As(err, &corrupt):
		f.opts.Logger.Error("fetch", "err", err)
		return kafkaapi.KafkaStorageError
	case errors.Is(err, store.ErrStopped):
		return kafkaapi.NotLeaderOrFollower
	}
	f.opts.Logger.Warn("fetch", "err", err)
	return kafkaapi.NotLeaderOrFollower
}

// wanted is how many bytes the answer may hold by its limits; 0 when there is nothing to read.
func (r *Request) wanted() int64 {
	want := int64(0)
	for i := range r.Parts {
		if p := &r.Parts[i]; p.data {
			want += int64(max(p.part.MaxBytes, 1))
		}
	}
	return min(want, int64(max(r.limit, 1)))
}

// reserve takes what is wanted from the budget. On false the request is called again when there is room.
func (r *Request) reserve(want int64) bool {
	return want == 0 || r.held > 0 || r.f.budget.take(r, want)
}

// readAll reads what the limits allow, in order. want is what was asked of the budget.
func (r *Request) readAll(want int64) {
	left, first := r.limit, true
	if r.held < want {
		left = min(left, int(r.held)) // the budget gave less
	}
	for i := range r.Parts {
		p := &r.Parts[i]
		if !p.data || left <= 0 && !first {
			continue
		}
		limit := max(min(int(p.part.MaxBytes), left), 0)
		r.read(p, limit, first)
		if p.Bytes > 0 {
			first = false
			left -= p.Bytes
			r.Bytes += p.Bytes
		}
	}
	r.settle()
}

// settle makes what is held of the budget what was read: less than was reserved, or more by a large batch.
func (r *Request) settle() {
	if r.held == 0 {
		return
	}
	r.f.budget.release(r.held - int64(r.Bytes))
	r.held = int64(r.Bytes)
}

// read reads one partition. A batch over the limit is returned only when it is the first of the answer.
func (r *Request) read(p *Part, limit int, first bool) {
	most := limit
	if p.view != nil {
		most = min(limit, maxShown)
	}
	res, err := r.f.opts.Store.Read(looking, store.ReadRequest{
		Partition: p.part.ID(), From: store.Offset(p.part.Offset), MaxBytes: most, Isolation: r.isolation(),
	})
	batches := res.Batches
	if err == nil && p.view != nil {
		if batches, err = p.show(res.Batches); err != nil {
			res.Release()
		}
	}
	if err != nil {
		p.fail(r.f.codeOf(err))
		return
	}
	p.setHead(&res.Head)
	n := 0
	for i := range batches {
		n += len(batches[i].Bytes)
	}
	switch {
	case n == 0:
		p.data = false // only a hole is left, or committed records end in one
		res.Release()
	case n > limit && !first:
		res.Release()
	default:
		p.result, p.Batches, p.Aborted, p.Bytes = res, batches, res.Aborted, n
	}
}

// maxShown bounds the stored bytes that one look shows as something else: that is made anew for each reader and may be larger.
const maxShown = 256 << 10

// show makes what a partition's view shows in place of its batches.
func (p *Part) show(stored []store.Batch) ([]store.Batch, error) {
	shown := slices.Clone(stored)
	for i := range shown {
		b, err := p.view.Show(shown[i].Bytes)
		if err != nil {
			return nil, err
		}
		shown[i].Bytes = b
	}
	return shown, nil
}

func (r *Request) isolation() store.Isolation {
	if r.Committed {
		return store.ReadCommitted
	}
	return store.ReadUncommitted
}

// enough tells whether what was found ends the wait.
func (r *Request) enough() bool {
	if r.Bytes >= r.need || !r.poll.Bound() {
		return true
	}
	for i := range r.Parts {
		if r.Parts[i].ends {
			return true
		}
	}
	return false
}

// finish makes Parts the answer: those that have something to tell.
func (r *Request) finish() {
	r.giveBack(true)
	told := r.Parts[:0]
	for i := range r.Parts {
		p := &r.Parts[i]
		if r.poll.Tell(p.part, p.told()) {
			told = append(told, *p)
		}
	}
	clear(r.Parts[len(told):])
	r.Parts = told
	r.poll.Disarm() // a wake that came in between may have left it armed
	r.AnswerID = r.poll.Finish()
}

func (p *Part) told() session.Told {
	return session.Told{Code: p.Code, HighWatermark: p.HighWatermark, LogStart: p.LogStart, Records: p.Bytes > 0}
}

// giveBack returns the partitions to the session: first those that wait for room in an answer, last those that got it. told
// says that the answer tells of all of them; else what is new has to be looked at again to be told.
func (r *Request) giveBack(told bool) {
	first := r.taken[:0]
	for i := range r.Parts {
		if p := &r.Parts[i]; p.data && p.Bytes == 0 {
			first = append(first, p.part)
		}
	}
	if len(first) > 0 {
		r.poll.First(first)
	}
	for i := range r.Parts {
		switch p := &r.Parts[i]; {
		case p.Bytes > 0, p.Code != kafkaapi.None, !p.data && !told && r.poll.Differs(p.part, p.told()):
			r.poll.Again(p.part)
		case !p.data:
			r.poll.Done(p.part)
		}
	}
	clear(r.taken)
	r.taken = r.taken[:0]
}
