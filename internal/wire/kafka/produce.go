package kafka

import (
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/api/kafkaapi/kbin"
)

// ProduceRequest is a Produce request, and beside each partition the answer that the handler gives it. The handler
// fills in the answers, in any order, and calls Done once. Until then everything here is the handler's, and
// strings and records alias the request's bytes; after it nothing may be used any more.
type ProduceRequest struct {
	// TransactionalID is the producer's transactional id; empty unless Transactional.
	TransactionalID string
	Transactional   bool
	// Acks is how many replicas have to have the records: 1 and -1 (all) mean the same here, 0 wants no answer.
	Acks int16
	// TimeoutMs is how long the client lets us wait for replicas.
	TimeoutMs int32
	Topics    []ProduceTopic

	// ThrottleMs is the answer's: for how long the client has to be silent because of a quota.
	ThrottleMs int32
	// Nodes is the answer's: the brokers that partitions name as leader.
	Nodes []NodeEndpoint

	p          pending
	partitions []ProducePartition // of all topics; reused
	putBack    func()
}

// ProduceTopic is the partitions of one topic, which has a name before version 13 and an id since.
type ProduceTopic struct {
	Name       string
	ID         kbin.UUID
	Partitions []ProducePartition

	count int
}

// ProducePartition is records for a partition, and its answer.
type ProducePartition struct {
	Index int32
	// Records is the bytes as sent, which should be one batch; nil when the client sent null.
	Records []byte

	// The answer. Offsets and times are -1 until the handler sets them, as Kafka has them with an error.
	Error           kafkaapi.Code
	BaseOffset      int64
	LogAppendTimeMs int64 // with LogAppendTime only, else -1
	LogStartOffset  int64
	ErrorMessage    string        // null when empty; version 8 and later
	RecordErrors    []RecordError // version 8 and later
	LeaderID        int32         // with NotLeaderOrFollower, else -1; version 10 and later
	LeaderEpoch     int32
}

// RecordError says which record of a batch was the reason to refuse it.
type RecordError struct {
	Index   int32  // in the batch
	Message string // null when empty
}

// NodeEndpoint is where a broker is found.
type NodeEndpoint struct {
	ID   int32
	Host string
	Port int32
	Rack string // null when empty
}

var produceRequests sync.Pool

func newProduceRequest() *ProduceRequest {
	if r, ok := produceRequests.Get().(*ProduceRequest); ok {
		return r
	}
	r := new(ProduceRequest)
	r.putBack = func() {
		clear(r.Topics) // no strings or records are kept alive
		clear(r.partitions)
		*r = ProduceRequest{Topics: r.Topics[:0], partitions: r.partitions[:0], putBack: r.putBack}
		produceRequests.Put(r)
	}
	return r
}

// Conn is the connection that the request came by.
func (r *ProduceRequest) Conn() *Conn { return r.p.conn }

// Version is the version of the request, 3 to 13.
func (r *ProduceRequest) Version() int16 { return r.p.version }

// Bytes is the size of the request.
func (r *ProduceRequest) Bytes() int { return r.p.inBytes }

// Fail gives every partition the error.
func (r *ProduceRequest) Fail(code kafkaapi.Code, message string) {
	for t := range r.Topics {
		for i := range r.Topics[t].Partitions {
			p := &r.Topics[t].Partitions[i]
			p.Error, p.ErrorMessage = code, message
		}
	}
}

// Done answers the request. It does not wait for the client. With acks=0 there is no answer, but an error ends
// the connection, so that the client looks for the leader anew, as Apache Kafka does.
func (r *ProduceRequest) Done() {
	if r.Acks == 0 {
		if r.failed() {
			r.p.conn.cut()
		}
		r.p.complete()
		return
	}
	w := r.p.begin(r.answerSize())
	r.encode(&w)
	if err := w.Err(); err != nil {
		r.p.conn.server.opts.Logger.Error("kafka: answer cannot be encoded", "api", "Produce", "err", err)
		r.p.conn.cut()
	}
	r.p.finish(&w, nil, 0, nil)
}

func (r *ProduceRequest) failed() bool {
	return slices.ContainsFunc(r.partitions, func(p ProducePartition) bool { return p.Error != kafkaapi.None })
}

// answerSize is about what the answer takes.
func (r *ProduceRequest) answerSize() int {
	size := 64 + 48*len(r.partitions)
	for _, t := range r.Topics {
		size += 24 + len(t.Name)
	}
	return size
}

// dispatchProduce decodes the request and gives it to the handler. Versions that clients are told of and nobody
// uses are answered with UnsupportedVersion.
func (c *Conn) dispatchProduce(f *frame, r *kbin.Reader, p *pending) error {
	q := newProduceRequest()
	if err := q.decode(r, f.version); err != nil {
		q.putBack()
		c.drop(f)
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	q.p = *p
	q.p.frame, q.p.held, q.p.recycle = f.buf, f.held, q.putBack
	f.silent = q.Acks == 0
	if !f.key.Decoded(f.version) {
		q.Fail(kafkaapi.UnsupportedVersion, "")
		c.call(&q.p, q.Done)
		return nil
	}
	c.enqueue(&q.p)
	c.handleProduce(q)
	c.handled()
	return nil
}

func (c *Conn) handleProduce(q *ProduceRequest) {
	defer c.guard(&q.p)
	c.server.handler.Produce(q)
}

// decode reads versions 0 to 13. Twice their size is charged for elements, since slices grow by copying.
func (r *ProduceRequest) decode(in *kbin.Reader, version int16) error {
	flexible := version >= 9
	in.SetFlexible(flexible)
	if version >= 3 {
		if id := in.NullableString(true); id != nil {
			r.TransactionalID, r.Transactional = *id, true
		}
	}
	r.Acks = in.Int16()
	r.TimeoutMs = in.Int32()
	for range in.Count(leastProduceTopic(version), 2*int(unsafe.Sizeof(ProduceTopic{})), false) {
		t := ProduceTopic{}
		if version >= 13 {
			t.ID = in.UUID()
		} else {
			t.Name = in.String()
		}
		t.count = r.decodePartitions(in, flexible)
		r.Topics = append(r.Topics, t)
	}
	if flexible {
		in.SkipTags()
	}
	rest := r.partitions // whose place is final only now
	for i := range r.Topics {
		t := &r.Topics[i]
		t.Partitions, rest = rest[:t.count:t.count], rest[t.count:]
	}
	return in.Err()
}

func (r *ProduceRequest) decodePartitions(in *kbin.Reader, flexible bool) int {
	least := 4 + 4 // index, length of the records
	if flexible {
		least = 4 + 1 + 1 // and tags
	}
	before := len(r.partitions)
	for range in.Count(least, 2*int(unsafe.Sizeof(ProducePartition{})), false) {
		r.partitions = append(r.partitions, ProducePartition{
			Index: in.Int32(), Records: in.NullableBytes(true),
			BaseOffset: -1, LogAppendTimeMs: -1, LogStartOffset: -1, LeaderID: -1, LeaderEpoch: -1,
		})
		if flexible {
			in.SkipTags()
		}
		if in.Err() != nil {
			break
		}
	}
	if flexible {
		in.SkipTags()
	}
	return len(r.partitions) - before
}

// leastProduceTopic is the smallest topic: name or id, count of partitions, tags.
func leastProduceTopic(version int16) int {
	switch {
	case version >= 13:
		return 16 + 1 + 1
	case version >= 9:
		return 1 + 1 + 1
	}
	return 2 + 4
}

// encode writes the answer in versions 0 to 13.
func (r *ProduceRequest) encode(w *kbin.Writer) {
	version := r.p.version
	flexible := version >= 9
	w.SetFlexible(flexible)
	w.Count(len(r.Topics), false)
	for i := range r.Topics {
		t := &r.Topics[i]
		if version >= 13 {
			w.UUID(t.ID)
		} else {
			w.String(t.Name)
		}
		w.Count(len(t.Partitions), false)
		for i := range t.Partitions {
			t.Partitions[i].encode(w, version)
		}
		if flexible {
			w.Tags(0)
		}
	}
	if version >= 1 {
		w.Int32(r.ThrottleMs)
	}
	if flexible {
		putNodes(w, r.Nodes, version >= 10)
	}
}

func (p *ProducePartition) encode(w *kbin.Writer, version int16) {
	w.Int32(p.Index)
	w.Int16(int16(p.Error))
	w.Int64(p.BaseOffset)
	if version >= 2 {
		w.Int64(p.LogAppendTimeMs)
	}
	if version >= 5 {
		w.Int64(p.LogStartOffset)
	}
	if version >= 8 {
		w.Count(len(p.RecordErrors), false)
		for _, e := range p.RecordErrors {
			w.Int32(e.Index)
			putText(w, e.Message)
			if version >= 9 {
				w.Tags(0)
			}
		}
		putText(w, p.ErrorMessage)
	}
	if version < 9 {
		return
	}
	if version < 10 || (p.LeaderID == -1 && p.LeaderEpoch == -1) {
		w.Tags(0)
		return
	}
	w.Tags(1)
	putLeader(w, 0, p.LeaderID, p.LeaderEpoch)
}

// putText writes a string, null when it is empty.
func putText(w *kbin.Writer, s string) {
	if s == "" {
		w.NullableString(nil, true)
	} else {
		w.String(s)
	}
}

// putLeader writes the tagged field with the leader that a client should go to.
func putLeader(w *kbin.Writer, tag uint32, id, epoch int32) {
	at := w.BeginTag(tag)
	w.Int32(id)
	w.Int32(epoch)
	w.Tags(0)
	w.EndTag(at)
}

// putNodes writes the tagged fields at the end of a Produce or Fetch response: the brokers, if there are any and
// the version knows them.
func putNodes(w *kbin.Writer, nodes []NodeEndpoint, known bool) {
	if len(nodes) == 0 || !known {
		w.Tags(0)
		return
	}
	w.Tags(1)
	at := w.BeginTag(0)
	w.Count(len(nodes), false)
	for _, n := range nodes {
		w.Int32(n.ID)
		w.String(n.Host)
		w.Int32(n.Port)
		putText(w, n.Rack)
		w.Tags(0)
	}
	w.EndTag(at)
}
