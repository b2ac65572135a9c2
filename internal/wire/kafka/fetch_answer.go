package kafka

import (
	"net"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/api/kafkaapi/kbin"
)

// FetchResponse is the answer to a Fetch.
type FetchResponse struct {
	ThrottleMs int32
	Error      kafkaapi.Code // of the session, or of all; version 7 and later
	SessionID  int32         // version 7 and later
	Topics     []FetchedTopic
	Nodes      []NodeEndpoint // brokers that partitions name as leader; version 16 and later

	// Release is called once, when the records are no longer used: before Send returns or later, from any
	// goroutine, also when the client is gone. It may be nil. It must not block.
	Release func()
}

// FetchedTopic is the partitions of one topic, which has a name before version 13 and an id since.
type FetchedTopic struct {
	Name       string
	ID         kbin.UUID
	Partitions []FetchedPartition
}

// FetchedPartition is what was found in a partition.
type FetchedPartition struct {
	Index            int32
	Error            kafkaapi.Code
	HighWatermark    int64
	LastStableOffset int64
	LogStartOffset   int64 // version 5 and later

	// Aborted are the aborted transactions that touch Records; nil, for readers of uncommitted records, is
	// written as null.
	Aborted []AbortedTransaction

	// PreferredReplica is the broker to read from instead, usually -1; version 11 and later.
	PreferredReplica int32

	// Records are whole batches, each slice one or several. They are not copied when there are many, and not
	// changed.
	Records [][]byte

	// LeaderID and LeaderEpoch, unless -1, say where the partition is read; version 12 and later.
	LeaderID    int32
	LeaderEpoch int32

	// DivergingEpoch and DivergingEndOffset, unless -1, say that the reader's last epoch ended earlier; version 12
	// and later.
	DivergingEpoch     int32
	DivergingEndOffset int64
}

// AbortedTransaction is the first offset that a producer's aborted transaction has in a partition.
type AbortedTransaction struct {
	Producer    int64
	FirstOffset int64
}

// NewFetchedPartition is an answer for the partition with -1 wherever that says nothing.
func NewFetchedPartition(index int32) FetchedPartition {
	return FetchedPartition{
		Index: index, HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1, PreferredReplica: -1,
		LeaderID: -1, LeaderEpoch: -1, DivergingEpoch: -1, DivergingEndOffset: -1,
	}
}

// Bytes is the size of all records in the response.
func (r *FetchResponse) Bytes() int {
	size := 0
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			size += r.Topics[i].Partitions[j].bytes()
		}
	}
	return size
}

func (p *FetchedPartition) bytes() int {
	size := 0
	for _, b := range p.Records {
		size += len(b)
	}
	return size
}

const (
	// copyTotal is up to where all records are copied into the answer, so that it is one buffer and goes out
	// without waiting; copyEach up to where one slice is, since a vector costs about as much.
	copyTotal = 32 << 10
	copyEach  = 1 << 10
)

// Send answers the request, once. The response itself is not used after Send returns, only its records until
// Release. Send does not wait for the client.
func (f *FetchCall) Send(r *FetchResponse) {
	total := r.Bytes()
	a := fetchAnswer{version: f.p.version, copyAll: total <= copyTotal}
	size := r.headSize()
	if a.copyAll {
		size += total
	}
	a.w = f.p.begin(size)
	a.encode(r)
	if err := a.w.Err(); err != nil {
		f.p.conn.server.opts.Logger.Error("kafka: answer cannot be encoded", "api", "Fetch", "err", err)
		f.p.conn.cut()
	}
	release := r.Release
	if a.cuts == nil && release != nil {
		release()
		release = nil
	}
	a.finish(&f.p, release)
}

// headSize is about what the response takes beside the records.
func (r *FetchResponse) headSize() int {
	size := 64
	for i := range r.Topics {
		t := &r.Topics[i]
		size += 24 + len(t.Name)
		for j := range t.Partitions {
			size += 64 + 17*len(t.Partitions[j].Aborted)
		}
	}
	return size
}

// fetchAnswer is a response being written: everything but large records is in w, cuts say where those belong.
type fetchAnswer struct {
	w       kbin.Writer
	version int16
	copyAll bool
	cuts    []cut
}

// cut is a slice that comes before the byte at of the buffer.
type cut struct {
	at   int
	data []byte
}

func (a *fetchAnswer) encode(r *FetchResponse) {
	w, flexible := &a.w, a.version >= 12
	w.SetFlexible(flexible)
	w.Int32(r.ThrottleMs)
	if a.version >= 7 {
		w.Int16(int16(r.Error))
		w.Int32(r.SessionID)
	}
	w.Count(len(r.Topics), false)
	for i := range r.Topics {
		t := &r.Topics[i]
		if a.version >= 13 {
			w.UUID(t.ID)
		} else {
			w.String(t.Name)
		}
		w.Count(len(t.Partitions), false)
		for j := range t.Partitions {
			a.encodePartition(&t.Partitions[j])
		}
		if flexible {
			w.Tags(0)
		}
	}
	if flexible {
		putNodes(w, r.Nodes, a.version >= 16)
	}
}

func (a *fetchAnswer) encodePartition(p *FetchedPartition) {
	w, flexible := &a.w, a.version >= 12
	w.Int32(p.Index)
	w.Int16(int16(p.Error))
	w.Int64(p.HighWatermark)
	w.Int64(p.LastStableOffset)
	if a.version >= 5 {
		w.Int64(p.LogStartOffset)
	}
	w.Count(len(p.Aborted), p.Aborted == nil)
	for _, t := range p.Aborted {
		w.Int64(t.Producer)
		w.Int64(t.FirstOffset)
		if flexible {
			w.Tags(0)
		}
	}
	if a.version >= 11 {
		w.Int32(p.PreferredReplica)
	}
	a.records(p)
	if flexible {
		p.encodeTags(w)
	}
}

// records writes the length of the records and the small ones; the others are cut in later.
func (a *fetchAnswer) records(p *FetchedPartition) {
	a.w.BlobLength(p.bytes())
	for _, b := range p.Records {
		if a.copyAll || len(b) <= copyEach {
			a.w.Raw(b)
		} else {
			a.cuts = append(a.cuts, cut{a.w.Len(), b})
		}
	}
}

func (p *FetchedPartition) encodeTags(w *kbin.Writer) {
	diverging := p.DivergingEpoch != -1 || p.DivergingEndOffset != -1
	leader := p.LeaderID != -1 || p.LeaderEpoch != -1
	tags := 0
	for _, present := range [...]bool{diverging, leader} {
		if present {
			tags++
		}
	}
	w.Tags(tags)
	if diverging {
		at := w.BeginTag(0)
		w.Int32(p.DivergingEpoch)
		w.Int64(p.DivergingEndOffset)
		w.Tags(0)
		w.EndTag(at)
	}
	if leader {
		putLeader(w, 1, p.LeaderID, p.LeaderEpoch)
	}
}

// finish puts the large slices between the parts of the buffer.
func (a *fetchAnswer) finish(p *pending, release func()) {
	if a.cuts == nil {
		p.finish(&a.w, nil, 0, nil)
		return
	}
	buf := a.w.Bytes()
	rest := make(net.Buffers, 0, 2*len(a.cuts))
	restSize := 0
	for i, c := range a.cuts {
		rest = append(rest, c.data)
		restSize += len(c.data)
		end := len(buf)
		if i+1 < len(a.cuts) {
			end = a.cuts[i+1].at
		}
		if c.at < end {
			rest = append(rest, buf[c.at:end])
			restSize += end - c.at
		}
	}
	first := kbin.NewWriter(buf[:a.cuts[0].at])
	p.finish(&first, rest, restSize, release)
}
