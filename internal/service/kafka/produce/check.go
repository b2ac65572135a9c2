package produce

import (
	"errors"
	"fmt"
	"math"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
)

// Rules are what a topic asks of the batches for it. They do not change: a topic whose configs change gets new ones.
type Rules struct {
	MaxMessageBytes int    // max.message.bytes: of a whole batch as it is sent
	LogAppendTime   bool   // message.timestamp.type
	BeforeMaxMs     int64  // message.timestamp.before.max.ms
	AfterMaxMs      int64  // message.timestamp.after.max.ms
	Keyed           bool   // each record needs a key: cleanup.policy names compact
	DataKey         uint64 // that records are sealed under, 0: none

	// Refused is what all appends are answered with, None to take them; RefusedText goes with it.
	Refused     kafkaapi.Code
	RefusedText string

	// Reroute says that records for a stream with a closed shard go to the open ones, whatever partition they were sent to;
	// Routes are these, nil while no shard is closed.
	Reroute bool
	Routes  Routes

	// Noted is told of each request that appends to the topic, before it does; nil: nobody wants to know. An error
	// refuses the append. It must be quick: it is called for every batch.
	Noted func() error
}

const (
	// noTimestamp is the timestamp of a record that has none.
	noTimestamp = -1
	// maxRecordErrors bounds the errors of one batch: a client looks at the first few.
	maxRecordErrors = 100
	// zstdSince is the first version that may carry zstd (KIP-110).
	zstdSince = 7
)

const rejectedTime = "One or more records have been rejected due to invalid timestamp"

// check holds a part to the rules of the protocol and the topic, in Kafka's order, and returns its header. The part is
// refused, and false returned, when it breaks one. now is store time in ms.
func (p *Part) check(r *Request, now int64) (batch.Header, bool) {
	if p.Code != kafkaapi.None {
		return batch.Header{}, false
	}
	if p.Rules.Refused != kafkaapi.None {
		p.refuse(p.Rules.Refused, p.Rules.RefusedText)
		return batch.Header{}, false
	}
	if !p.checkShape(r.Version) {
		return batch.Header{}, false
	}
	h, err := batch.Check(p.Records)
	if err != nil {
		p.refuse(codeOfBatch(err), fmt.Sprintf("%v in topic partition %s-%d", err, p.Topic, p.Index))
		return batch.Header{}, false
	}
	if h.Transactional() && !r.Transactional {
		p.refuse(kafkaapi.TransactionalIDAuthorizationFailed, "Transactional records need a transactional id in the request.")
		return batch.Header{}, false
	}
	if p.Rules.Keyed && !p.checkKeys() {
		return batch.Header{}, false
	}
	return h, p.checkTimes(&h, now)
}

// checkShape looks at what comes before a batch's own sum: that there is one, and of what size and kind.
func (p *Part) checkShape(version int16) bool {
	h, err := batch.ReadHeader(p.Records)
	switch {
	case errors.Is(err, batch.ErrShort), err == nil && h.Size() > len(p.Records):
		p.refuse(kafkaapi.InvalidRecord, fmt.Sprintf("Produce requests with version %d must have at least one record batch per partition", version))
	case errors.Is(err, batch.ErrMagic):
		p.refuse(kafkaapi.InvalidRecord, fmt.Sprintf("Produce requests with version %d are only allowed to contain record batches with magic version 2", version))
	case err != nil:
		p.refuse(kafkaapi.CorruptMessage, fmt.Sprintf("%v in topic partition %s-%d", err, p.Topic, p.Index))
	case version < zstdSince && h.Compression() == batch.Zstd:
		p.refuse(kafkaapi.UnsupportedCompressionType, fmt.Sprintf("Produce requests with version %d are not allowed to use ZStandard compression", version))
	case h.Size() < len(p.Records):
		p.refuse(kafkaapi.InvalidRecord, fmt.Sprintf("Produce requests with version %d are only allowed to contain exactly one record batch per partition", version))
	case h.BaseOffset != 0:
		p.refuse(kafkaapi.InvalidRecord, fmt.Sprintf("The baseOffset of the record batch in the append to %s-%d should be 0, but it is %d", p.Topic, p.Index, h.BaseOffset))
	case h.Size() > p.Rules.MaxMessageBytes:
		p.refuse(kafkaapi.MessageTooLarge, fmt.Sprintf("The record batch size in the append to %s-%d is %d bytes which exceeds the maximum configured value of %d.", p.Topic, p.Index, h.Size(), p.Rules.MaxMessageBytes))
	default:
		return true
	}
	return false
}

func codeOfBatch(err error) kafkaapi.Code {
	if errors.Is(err, batch.ErrInvalid) {
		return kafkaapi.InvalidRecord
	}
	return kafkaapi.CorruptMessage
}

// checkKeys opens the batch and demands a key of each record.
func (p *Part) checkKeys() bool {
	index := int32(0)
	for rec, err := range batch.Records(p.Records, batch.Limits{}) {
		if err != nil {
			p.refuse(kafkaapi.CorruptMessage, fmt.Sprintf("%v in topic partition %s-%d", err, p.Topic, p.Index))
			return false
		}
		if rec.Key == nil && len(p.Errors) < maxRecordErrors {
			p.Errors = append(p.Errors, RecordError{index, fmt.Sprintf("Compacted topic cannot accept message without key in topic partition %s-%d.", p.Topic, p.Index)})
		}
		index++
	}
	if len(p.Errors) == 0 {
		return true
	}
	p.refuse(kafkaapi.InvalidRecord, fmt.Sprintf("One or more records have been rejected due to %d record errors in total", len(p.Errors)))
	return false
}

// bounds are the times that a topic takes, in ms.
func (r *Rules) bounds(now int64) (from, to int64) {
	from, to = now-r.BeforeMaxMs, now+r.AfterMaxMs
	if r.BeforeMaxMs > now {
		from = math.MinInt64 // also for what would overflow
	}
	if to < now {
		to = math.MaxInt64
	}
	return from, to
}

// checkTimes holds the times in the header to the topic's bounds. When they are out of them, or the largest is below the
// first, which it is with clients that leave it out, the batch is opened, and the largest written if it is not.
func (p *Part) checkTimes(h *batch.Header, now int64) bool {
	if p.Rules.LogAppendTime {
		return true
	}
	from, to := p.Rules.bounds(now)
	inside := h.MaxTimestamp <= to && (h.FirstTimestamp >= from || h.FirstTimestamp == noTimestamp)
	if inside && h.MaxTimestamp >= h.FirstTimestamp {
		return true
	}
	largest, ok := p.openTimes(from, to)
	if ok && largest != h.MaxTimestamp {
		batch.SetMaxTimestamp(p.Records, largest)
		h.MaxTimestamp = largest
	}
	return ok
}

// openTimes opens the batch, returns the largest time, and refuses what is out of bounds.
func (p *Part) openTimes(from, to int64) (largest int64, ok bool) {
	largest = noTimestamp
	index := int32(0)
	for rec, err := range batch.Records(p.Records, batch.Limits{}) {
		if err != nil {
			p.refuse(kafkaapi.CorruptMessage, fmt.Sprintf("%v in topic partition %s-%d", err, p.Topic, p.Index))
			return 0, false
		}
		if t := rec.Timestamp; t != noTimestamp && (t < from || t > to) && len(p.Errors) < maxRecordErrors {
			p.Errors = append(p.Errors, RecordError{index, fmt.Sprintf("Timestamp %d of message with offset %d is out of range. The timestamp should be within [%d, %d]", t, index, from, to)})
		}
		largest = max(largest, rec.Timestamp)
		index++
	}
	if len(p.Errors) > 0 {
		p.refuse(kafkaapi.InvalidTimestamp, rejectedTime)
		return 0, false
	}
	return largest, true
}
