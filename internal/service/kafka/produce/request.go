package produce

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

// Request is one produce request, and then its answer. Get one from NewRequest, fill it, give it to Producer.Produce,
// read Parts in its callback, and Free it when the answer is written and Records are not needed any more.
type Request struct {
	Version int16 // of the Produce API
	Acks    int16
	Timeout time.Duration
	// TransactionalID is what the request names; Transactional says whether it names one.
	TransactionalID string
	Transactional   bool
	Parts           []Part
	Tag             any // the caller's

	appends []store.AppendRequest
	parts   []int32      // beside appends: whose they are; those of one part follow each other
	bytes   int          // of all batches in appends
	left    atomic.Int32 // pieces that are not answered yet, of a request that is appended in several
	txn     admission
	ctx     deadline
	p       *Producer
	done    func(*Request)
	answer  func([]store.AppendResult, error) // the method, once for the request's life
}

// Part is the batch for one partition, and what became of it.
type Part struct {
	Topic     string // for texts
	Index     int32
	Partition store.PartitionID
	Rules     *Rules // of the topic; nil: Code says why there is none
	Records   []byte // as sent: one batch is expected; changed only where time has to be written. Constant until the answer

	Code         kafkaapi.Code
	Message      string // for the client, or empty
	Errors       []RecordError
	BaseOffset   int64 // -1 with a code, and when the records were spread over shards
	AppendTimeMs int64 // -1 unless the topic's records have log append time
	LogStart     int64 // -1 with a code
	Repeat       bool  // a repeat of one of the producer's last batches

	spread bool // it became an append for each of some shards
}

// RecordError is one record that is the reason why its batch was refused.
type RecordError struct {
	Index   int32 // in the batch
	Message string
}

var requests = sync.Pool{New: func() any {
	r := &Request{}
	r.answer = r.answered
	return r
}}

// NewRequest returns an empty request.
func NewRequest() *Request { return requests.Get().(*Request) }

// keepParts is how many partitions a request that is used again has room for: 16 KiB.
const keepParts = 128

// Free gives the request back. Nothing of it may be used after it.
func (r *Request) Free() {
	clear(r.Parts)
	clear(r.appends)
	parts, appends, at := r.Parts[:0], r.appends[:0], r.parts[:0]
	if cap(parts) > keepParts {
		parts, appends, at = nil, nil, nil
	}
	r.Version, r.Acks, r.Timeout, r.TransactionalID, r.Transactional, r.Tag = 0, 0, 0, "", false, nil
	r.Parts, r.appends, r.parts, r.bytes = parts, appends, at, 0
	r.txn, r.ctx, r.p, r.done = admission{}, deadline{}, nil, nil
	requests.Put(r)
}

// Add appends an empty part, whose answer is not known yet, and returns it. It is valid until the next Add.
func (r *Request) Add() *Part {
	r.Parts = append(r.Parts, Part{BaseOffset: -1, AppendTimeMs: -1, LogStart: -1})
	return &r.Parts[len(r.Parts)-1]
}

// refuse answers a part with a code and a text for the client.
func (p *Part) refuse(code kafkaapi.Code, message string) {
	p.Code, p.Message = code, message
}

// refuseAll answers all parts that have no answer yet.
func (r *Request) refuseAll(code kafkaapi.Code, message string) {
	for i := range r.Parts {
		if r.Parts[i].Code == kafkaapi.None {
			r.Parts[i].refuse(code, message)
		}
	}
}

// deadline is a context that ends with its parent, or, for whoever asks Err, at a time. It needs no timer and no
// memory of its own: the store asks before it puts an append into a group.
type deadline struct {
	context.Context
	clock clock.Clock
	at    time.Time
}

// Deadline implements context.Context.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Err implements context.Context.
func (d *deadline) Err() error {
	if err := d.Context.Err(); err != nil {
		return err
	}
	if d.clock.Now().After(d.at) {
		return context.DeadlineExceeded
	}
	return nil
}
