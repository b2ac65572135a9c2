package kinesis

import (
	"context"
	"errors"
	"slices"
	"time"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// page gathers the records of one GetRecords. Records of plain batches point into what the store has
// read, which is pinned until release. The page itself is used again then: 150 bytes a record.
type page struct {
	done   func() // release, then back to the pool
	svc    *Service
	stream *stream
	shard  *shard
	now    int64 // store time, ms since 1970
	limit  int   // records
	room   int   // bytes of data and keys; a single record may have more

	records []kinesisapi.Record
	keys    []string // of records; they point here
	digits  []byte
	bytes   int                        // of data and keys
	written *kinesisapi.EncryptionType // of the records of the present batch
	full    bool
	last    int64        // append time of the last record, ms
	next    store.Offset // where the next page begins
	pending int64        // append time of the first batch that was not answered whole; 0: not seen
	head    store.Head
	results []store.ReadResult
	held    int64 // bytes of Service.reading for results
}

// maxReading bounds the bytes that all pages together have read and not yet sent: 25 full pages. At the bound a
// page that has records is answered as it is, and one that has none waits.
const maxReading = 256 << 20

// maxReads bounds the work of one call where little is shown: aborted transactions, or small batches.
// The reader goes on from there with its next call.
const maxReads = 64

// newPage is a page of its own; takePage takes one that was used before.
func (s *Service) newPage() any {
	g := &page{svc: s, records: []kinesisapi.Record{}}
	g.done = func() {
		g.release()
		clear(g.records) // what was read is not ours any more
		clear(g.keys)
		*g = page{
			done: g.done, svc: s, results: g.results[:0],
			records: g.records[:0], keys: g.keys[:0], digits: g.digits[:0],
		}
		s.pages.Put(g)
	}
	return g
}

func (s *Service) takePage(st *stream, sh *shard, now int64, limit *int32) *page {
	g := s.pages.Get().(*page)
	g.stream, g.shard, g.now, g.limit, g.room = st, sh, now, maxPageRecords, maxPageBytes
	if limit != nil {
		g.limit = int(*limit)
	}
	return g
}

// fill reads from an offset until the page is full or the end is reached.
//
// Errors: those of the store; a missing partition is store.ErrNoPartition.
func (g *page) fill(ctx context.Context, from store.Offset) error {
	g.next = from
	for reads := 0; !g.full && reads < maxReads; reads++ {
		size := readSize(g.limit-len(g.records), g.room-g.bytes)
		if ok, err := g.reserve(ctx, int64(size)); !ok {
			return err
		}
		res, err := g.svc.store.Read(ctx, store.ReadRequest{
			Partition: g.shard.partition, From: g.next, Isolation: store.ReadCommitted, MaxBytes: size,
		})
		kept := g.settle(&res, int64(size))
		var trimmed *store.TrimmedError
		switch {
		case errors.As(err, &trimmed) && trimmed.First > g.next:
			g.next = trimmed.First
			continue
		case errors.Is(err, store.ErrOffsetOutOfRange):
			return g.beyond(ctx)
		case err != nil:
			return err
		}
		g.head = res.Head
		if len(res.Batches) == 0 {
			g.forget(&res, kept)
			return nil
		}
		if from, ok, err := g.horizon(ctx, &res); err != nil || ok {
			g.forget(&res, kept)
			if err != nil {
				return err
			}
			g.next = from
			continue
		}
		had := len(g.records)
		err = g.take(&res)
		if len(g.records) == had {
			g.forget(&res, kept) // markers, aborted or compacted away
		} else {
			g.results = append(g.results, res)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reserve takes a read's bytes from what all pages may hold; false when the page is to end here, with ctx's error
// when that is why.
func (g *page) reserve(ctx context.Context, size int64) (bool, error) {
	if g.svc.reading.TryAcquire(size) {
		return true, nil
	}
	if len(g.records) > 0 {
		return false, nil
	}
	if err := g.svc.reading.Acquire(ctx, size); err != nil {
		return false, err
	}
	return true, nil
}

// settle gives back what a read did not need and returns what it holds.
func (g *page) settle(res *store.ReadResult, reserved int64) int64 {
	var n int64
	for i := range res.Batches {
		n += int64(len(res.Batches[i].Bytes))
	}
	n = min(n, reserved)
	g.svc.reading.Release(reserved - n)
	g.held += n
	return n
}

// forget ends the use of a result that the page does not keep.
func (g *page) forget(res *store.ReadResult, kept int64) {
	res.Release()
	g.svc.reading.Release(kept)
	g.held -= kept
}

// beyond is a page at an offset that does not exist yet, as a number beyond the end can mean: it is
// empty and the reader waits there.
func (g *page) beyond(ctx context.Context) error {
	h, err := g.svc.store.Head(ctx, g.shard.partition)
	g.head = h
	return err
}

// horizon tells where to read instead when the first batch is older than the stream's retention. What
// Kafka's retention keeps is shown as long as it is there.
func (g *page) horizon(ctx context.Context, res *store.ReadResult) (store.Offset, bool, error) {
	oldest := g.now - g.stream.settings.retentionMS()
	if res.Batches[0].AppendTime >= oldest || g.stream.topic.Origin == catalog.OriginKafka {
		return 0, false, nil
	}
	at, _, err := g.svc.store.Seek(ctx, g.shard.partition, oldest, store.SeekAppendTime)
	return at, err == nil && at > g.next, err
}

// take adds records of the batches to the page.
func (g *page) take(res *store.ReadResult) error {
	g.grow(res)
	for i := range res.Batches {
		b := &res.Batches[i]
		if g.full {
			g.pending = b.AppendTime
			return nil
		}
		if err := g.takeBatch(b, res.Aborted); err != nil {
			return err
		}
	}
	return nil
}

// grow makes room for the records of the batches, as their headers count them.
func (g *page) grow(res *store.ReadResult) {
	n := 0
	for i := range res.Batches {
		if h, err := batch.ReadHeader(res.Batches[i].Bytes); err == nil {
			n += int(max(h.Count, 0))
		}
		if n >= g.limit-len(g.records) {
			break
		}
	}
	n = min(n, g.limit-len(g.records))
	// Records point into keys and digits, so these do not move: earlier ones keep the piece they are in. A
	// new piece could hold twice the page so far, so that the next page needs no more than the last piece.
	piece := min(2*(len(g.records)+n), g.limit)
	g.records = slices.Grow(g.records, n)
	if cap(g.keys)-len(g.keys) < n {
		g.keys = make([]string, 0, piece)
	}
	if cap(g.digits)-len(g.digits) < n*sequenceDigits {
		g.digits = make([]byte, 0, piece*sequenceDigits)
	}
}

// takeBatch adds the records of one batch that are not before g.next.
func (g *page) takeBatch(b *store.Batch, aborted []store.Aborted) error {
	h, err := batch.ReadHeader(b.Bytes)
	if err != nil {
		return err
	}
	if h.Control() || isAborted(&h, b, aborted) {
		g.next = b.Next
		return nil
	}
	g.written = written(b.Key)
	arrived := new(time.Time)
	*arrived = time.UnixMilli(b.AppendTime).UTC()
	if h.Compression() == batch.None {
		err = g.takePlain(b, arrived)
	} else {
		err = g.takePacked(b, arrived)
	}
	if err == nil && !g.full {
		g.next = b.Next
	} else if g.full && g.next < b.Next {
		g.pending = b.AppendTime
	}
	return err
}

// isAborted tells whether a batch is part of a transaction that was aborted.
func isAborted(h *batch.Header, b *store.Batch, aborted []store.Aborted) bool {
	if !h.Transactional() {
		return false
	}
	for i := range aborted {
		if a := &aborted[i]; int64(a.Producer) == h.ProducerID && a.First <= b.Base && b.Base < a.Last {
			return true
		}
	}
	return false
}

func (g *page) takePlain(b *store.Batch, arrived *time.Time) error {
	var c batch.Cursor
	if err := c.Reset(b.Bytes); err != nil {
		return err
	}
	var r batch.Record
	for c.Next(&r) {
		if store.Offset(r.Offset) >= g.next && !g.add(&r, arrived, b.AppendTime) {
			return nil
		}
	}
	return c.Err()
}

// packedLimits bound what opening a compressed batch may cost: three pages.
var packedLimits = batch.Limits{MaxBytes: 3 * maxPageBytes}

// takePacked adds the records of a compressed batch. One that opens to more than the limits cannot be
// shown to Kinesis: it is skipped and counted.
func (g *page) takePacked(b *store.Batch, arrived *time.Time) error {
	for r, err := range batch.Records(b.Bytes, packedLimits) {
		if errors.Is(err, batch.ErrTooLarge) {
			g.skip(b.Base, "batch opens to more than the limit")
			return nil
		}
		if err != nil {
			return err
		}
		if store.Offset(r.Offset) >= g.next && !g.add(&r, arrived, b.AppendTime) {
			return nil
		}
	}
	return nil
}

// add puts one record into the page if there is room; false when no more fit.
func (g *page) add(r *batch.Record, arrived *time.Time, ms int64) bool {
	if len(r.Value) > maxPageBytes {
		g.skip(store.Offset(r.Offset), "record is over 10 MiB")
		g.next = store.Offset(r.Offset) + 1
		return true
	}
	key := partitionKey(r)
	size := len(r.Value) + len(key)
	if len(g.records) >= g.limit || len(g.records) > 0 && g.bytes+size > g.room {
		g.full = true
		return false
	}
	number := g.shard.number(store.Offset(r.Offset), ms)
	if cap(g.digits)-len(g.digits) < sequenceDigits { // a batch holds more than its header counts
		g.digits = make([]byte, 0, 64*sequenceDigits)
	}
	if len(g.keys) == cap(g.keys) {
		g.keys = make([]string, 0, 64)
	}
	at := len(g.digits)
	g.digits = number.appendTo(g.digits)
	g.keys = append(g.keys, key)
	data := r.Value
	if data == nil {
		data = []byte{} // a tombstone is empty data
	}
	g.records = append(g.records, kinesisapi.Record{
		SequenceNumber:              stringOf(g.digits[at:]),
		ApproximateArrivalTimestamp: arrived,
		Data:                        data,
		PartitionKey:                &g.keys[len(g.keys)-1],
		EncryptionType:              g.written,
	})
	g.bytes += size
	g.last = ms
	g.next = store.Offset(r.Offset) + 1
	if len(g.records) >= g.limit || g.bytes >= g.room {
		g.full = true
		return false
	}
	return true
}

// behind is how far the page is from the end, in ms: 0 only at the end.
func (g *page) behind() int64 {
	if g.next >= g.head.LastStable {
		return 0
	}
	age := g.last
	if len(g.records) == 0 {
		age = g.pending
	}
	if age == 0 {
		return 1
	}
	return max(g.now-age, 1)
}

// release ends the use of what was read: it gives the store its memory back.
func (g *page) release() {
	for i := range g.results {
		g.results[i].Release()
	}
	clear(g.results)
	g.results = g.results[:0]
	g.svc.reading.Release(g.held)
	g.held = 0
}
