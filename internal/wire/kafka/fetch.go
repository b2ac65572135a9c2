package kafka

import (
	"fmt"
	"sync"
	"unsafe"

	"millrace/internal/api/kafkaapi/kbin"
)

// FetchRequest is a Fetch request. It is valid, with its strings and slices, until Handler.Fetch returns; a
// handler that waits keeps the Call and copies what else it needs, so that nothing of the request is held.
type FetchRequest struct {
	// Call answers the request.
	Call *FetchCall

	ReplicaID    int32 // -1: a consumer
	MaxWaitMs    int32
	MinBytes     int32
	MaxBytes     int32
	Isolation    int8  // 0: read_uncommitted, 1: read_committed
	SessionID    int32 // 0: no session, or a new one
	SessionEpoch int32 // -1: no session wanted, 0: a new one
	RackID       string

	// Topics are the partitions to fetch, in a session those that are new or have changed.
	Topics []FetchTopic
	// Forgotten are the partitions that leave the session.
	Forgotten []ForgottenTopic

	partitions []FetchPartition // of all topics; reused
	forgotten  []int32          // of all forgotten topics; reused
}

// FetchTopic is the partitions of one topic, which has a name before version 13 and an id since.
type FetchTopic struct {
	Name       string
	ID         kbin.UUID
	Partitions []FetchPartition

	count int
}

// FetchPartition is what is wanted of a partition. What the version does not have is -1.
type FetchPartition struct {
	Index              int32
	CurrentLeaderEpoch int32
	FetchOffset        int64
	LastFetchedEpoch   int32
	LogStartOffset     int64
	MaxBytes           int32
}

// ForgottenTopic is partitions that leave a session.
type ForgottenTopic struct {
	Name       string
	ID         kbin.UUID
	Partitions []int32

	count int
}

var fetchRequests sync.Pool

func newFetchRequest() *FetchRequest {
	if r, ok := fetchRequests.Get().(*FetchRequest); ok {
		return r
	}
	return new(FetchRequest)
}

func (r *FetchRequest) putBack() {
	clear(r.Topics) // no strings are kept alive
	clear(r.Forgotten)
	*r = FetchRequest{Topics: r.Topics[:0], Forgotten: r.Forgotten[:0], partitions: r.partitions[:0], forgotten: r.forgotten[:0]}
	fetchRequests.Put(r)
}

// FetchCall is a Fetch that has not been answered. It holds none of the request's bytes, and is not used after Send.
type FetchCall struct {
	p    pending
	back func() // putBack, made once
}

var fetchCalls sync.Pool

func newFetchCall(p *pending) *FetchCall {
	f, ok := fetchCalls.Get().(*FetchCall)
	if !ok {
		f = new(FetchCall)
		f.back = f.putBack
	}
	f.p = *p
	f.p.recycle = f.back
	return f
}

func (f *FetchCall) putBack() {
	f.p = pending{}
	fetchCalls.Put(f)
}

// Conn is the connection that the request came by.
func (f *FetchCall) Conn() *Conn { return f.p.conn }

// Version is the version of request and response, 4 to 18.
func (f *FetchCall) Version() int16 { return f.p.version }

// dispatchFetch decodes the request and gives it to the handler. The frame goes back before the answer: one that
// waits holds no buffer.
func (c *Conn) dispatchFetch(f *frame, r *kbin.Reader, p *pending) error {
	q := newFetchRequest()
	err := q.decode(r, f.version)
	if err == nil {
		q.Call = newFetchCall(p)
		c.enqueue(&q.Call.p)
		c.handleFetch(q)
	}
	q.putBack()
	c.drop(f)
	if err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	c.handled()
	return nil
}

func (c *Conn) handleFetch(q *FetchRequest) {
	defer c.guard(&q.Call.p)
	c.server.handler.Fetch(q)
}

// decode reads versions 4 to 18. The tagged fields are those of followers and are passed over.
func (r *FetchRequest) decode(in *kbin.Reader, version int16) error {
	flexible := version >= 12
	in.SetFlexible(flexible)
	r.ReplicaID, r.SessionEpoch = -1, -1
	if version <= 14 {
		r.ReplicaID = in.Int32()
	}
	r.MaxWaitMs = in.Int32()
	r.MinBytes = in.Int32()
	r.MaxBytes = in.Int32()
	r.Isolation = in.Int8()
	if version >= 7 {
		r.SessionID = in.Int32()
		r.SessionEpoch = in.Int32()
	}
	r.decodeTopics(in, version)
	if version >= 7 {
		r.decodeForgotten(in, version)
	}
	if version >= 11 {
		r.RackID = in.String()
	}
	if flexible {
		in.SkipTags()
	}
	return in.Err()
}

func (r *FetchRequest) decodeTopics(in *kbin.Reader, version int16) {
	for range in.Count(leastFetchTopic(version), 2*int(unsafe.Sizeof(FetchTopic{})), false) {
		t := FetchTopic{}
		t.Name, t.ID = topicOf(in, version)
		t.count = r.decodePartitions(in, version)
		r.Topics = append(r.Topics, t)
		if in.Err() != nil {
			return
		}
	}
	rest := r.partitions // whose place is final only now
	for i := range r.Topics {
		t := &r.Topics[i]
		t.Partitions, rest = rest[:t.count:t.count], rest[t.count:]
	}
}

// leastFetchTopic is the smallest topic: name or id, count of partitions, tags.
func leastFetchTopic(version int16) int {
	switch {
	case version >= 13:
		return 16 + 1 + 1
	case version >= 12:
		return 1 + 1 + 1
	}
	return 2 + 4
}

func topicOf(in *kbin.Reader, version int16) (name string, id kbin.UUID) {
	if version >= 13 {
		return "", in.UUID()
	}
	return in.String(), id
}

func (r *FetchRequest) decodePartitions(in *kbin.Reader, version int16) int {
	const least = 4 + 8 + 4 // index, offset, bytes: what every version has
	before := len(r.partitions)
	for range in.Count(least, 2*int(unsafe.Sizeof(FetchPartition{})), false) {
		p := FetchPartition{CurrentLeaderEpoch: -1, LastFetchedEpoch: -1, LogStartOffset: -1}
		p.Index = in.Int32()
		if version >= 9 {
			p.CurrentLeaderEpoch = in.Int32()
		}
		p.FetchOffset = in.Int64()
		if version >= 12 {
			p.LastFetchedEpoch = in.Int32()
		}
		if version >= 5 {
			p.LogStartOffset = in.Int64()
		}
		p.MaxBytes = in.Int32()
		if version >= 12 {
			in.SkipTags()
		}
		r.partitions = append(r.partitions, p)
		if in.Err() != nil {
			break
		}
	}
	if version >= 12 {
		in.SkipTags()
	}
	return len(r.partitions) - before
}

func (r *FetchRequest) decodeForgotten(in *kbin.Reader, version int16) {
	for range in.Count(leastFetchTopic(version), 2*int(unsafe.Sizeof(ForgottenTopic{})), false) {
		t := ForgottenTopic{}
		t.Name, t.ID = topicOf(in, version)
		t.count = in.Count(4, 2*4, false)
		for range t.count {
			r.forgotten = append(r.forgotten, in.Int32())
		}
		if version >= 12 {
			in.SkipTags()
		}
		r.Forgotten = append(r.Forgotten, t)
		if in.Err() != nil {
			return
		}
	}
	rest := r.forgotten
	for i := range r.Forgotten {
		t := &r.Forgotten[i]
		t.Partitions, rest = rest[:t.count:t.count], rest[t.count:]
	}
}
