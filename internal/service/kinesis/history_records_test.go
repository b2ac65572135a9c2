package kinesis

import (
	"fmt"
	"math/big"
	oldrand "math/rand"
	"slices"
	"time"

	"millrace/internal/api/kinesisapi"
)

// bigSource is what math/big takes random numbers from.
func bigSource(h *chronicle) *oldrand.Rand { return oldrand.New(oldrand.NewSource(h.r.Int64())) }

// put puts records by partition keys and by hash keys.
func (h *chronicle) put(p place, k *knownStream) {
	in := &kinesisapi.PutRecordsInput{StreamName: &p.stream}
	var hashes []*big.Int
	for range 1 + h.r.IntN(12) {
		key := fmt.Sprint("key ", h.r.IntN(50))
		e := kinesisapi.PutRecordsRequestEntry{PartitionKey: &key, Data: fmt.Append(nil, p, h.r.Uint64())}
		hash := hashedTo(key)
		if h.r.IntN(3) == 0 {
			hash = new(big.Int).Rand(bigSource(h), allHashKeys)
			e.ExplicitHashKey = new(hash.String())
		}
		if h.r.IntN(40) == 0 {
			e.Data = make([]byte, h.r.IntN(200_000))
		}
		in.Records, hashes = append(in.Records, e), append(hashes, hash)
	}
	from := h.now()
	out, err := h.svc.PutRecords(h.ctx(), in)
	to := h.now()
	if err != nil || *out.FailedRecordCount != 0 {
		h.t.Errorf("PutRecords into %v: %+v, %v", p, out, err)
		return
	}
	if got := out.EncryptionType != nil && *out.EncryptionType == kinesisapi.EncryptionTypeKms; got != k.encrypted {
		h.t.Errorf("PutRecords into %v: encrypted %v, want %v", p, got, k.encrypted)
	}
	for i, e := range out.Records {
		s := k.routed(hashes[i])
		if s.id != *e.ShardId {
			h.t.Errorf("%v: hash key %v went to %s, want %s", p, hashes[i], *e.ShardId, s.id)
			continue
		}
		last := s.first
		if n := len(s.records); n > 0 {
			last = s.records[n-1].number
		}
		number := string([]byte(*e.SequenceNumber)) // the answer's memory is used again
		if len(number) != len(last) || number <= last {
			h.t.Errorf("%v %s: number %s is not above %s", p, s.id, number, last)
		}
		s.records = append(s.records, knownRecord{number, *in.Records[i].PartitionKey, string(in.Records[i].Data), from, to, k.encrypted})
	}
}

// cursor stands somewhere in a shard.
type cursor struct {
	place    place
	stream   *knownStream
	shard    *knownShard
	at       int // index of the next record, if that is not too old
	iterator string
	made     int64 // store time
}

// newReader makes an iterator of any type at any place.
func (h *chronicle) newReader(p place, k *knownStream) {
	s := k.shards[h.r.IntN(len(k.shards))]
	if must, _ := s.shown(h.now(), k.hours); !must {
		return
	}
	in := &kinesisapi.GetShardIteratorInput{StreamName: &p.stream, ShardId: s.id}
	at, ok := h.choose(s, in)
	if !ok {
		return
	}
	h.readers = append(h.readers, &cursor{p, k, s, at, h.iterator(in), h.now()})
	if len(h.readers) > 10 {
		h.readers = h.readers[1:]
	}
}

// choose fills a type and a place in, and tells the index of the first record there; false when that cannot be told.
func (h *chronicle) choose(s *knownShard, in *kinesisapi.GetShardIteratorInput) (at int, ok bool) {
	n := h.r.IntN(5)
	if n < 3 && len(s.records) == 0 {
		n = 3
	}
	switch n {
	case 0, 1:
		at = h.r.IntN(len(s.records))
		in.StartingSequenceNumber = &s.records[at].number
		in.ShardIteratorType = kinesisapi.ShardIteratorTypeAtSequenceNumber
		if n == 1 {
			at++
			in.ShardIteratorType = kinesisapi.ShardIteratorTypeAfterSequenceNumber
		}
	case 2:
		ms := min(s.records[h.r.IntN(len(s.records))].from+int64(h.r.IntN(3)-1), h.now())
		in.ShardIteratorType, in.Timestamp = kinesisapi.ShardIteratorTypeAtTimestamp, new(time.UnixMilli(ms))
		at = slices.IndexFunc(s.records, func(r knownRecord) bool { return r.to >= ms })
		sure := slices.IndexFunc(s.records, func(r knownRecord) bool { return r.from >= ms })
		if at < 0 {
			at, sure = len(s.records), len(s.records)
		}
		return at, at == sure
	case 3:
		in.ShardIteratorType = kinesisapi.ShardIteratorTypeTrimHorizon
	default:
		in.ShardIteratorType = kinesisapi.ShardIteratorTypeLatest
		at = len(s.records)
	}
	return at, true
}

// readOn reads a page with an iterator that was made before.
func (h *chronicle) readOn() {
	if len(h.readers) == 0 {
		return
	}
	i := h.r.IntN(len(h.readers))
	r := h.readers[i]
	h.at(r.place)
	must, _ := r.shard.shown(h.now(), r.stream.hours)
	if !must || !h.page(r, 1+h.r.IntN(30)) {
		h.readers = slices.Delete(h.readers, i, i+1)
	}
}

// page reads a page and compares it with the ledger. It tells whether there is more to come.
func (h *chronicle) page(r *cursor, limit int) bool {
	now, s := h.now(), r.shard
	out, err := h.svc.GetRecords(h.ctx(), &kinesisapi.GetRecordsInput{ShardIterator: r.iterator, Limit: new(int32(limit))})
	if now-r.made > tokenLifeMS {
		wantCode(h.t, "GetRecords", err, "ExpiredIteratorException")
		return false
	}
	if err != nil {
		h.t.Errorf("GetRecords %v %s: %v", r.place, s.id, err)
		return false
	}
	r.at = h.compare(r, now, out.Records)
	_, high := s.oldest(now, r.stream.hours)
	end := r.at == len(s.records) || len(out.Records) == 0 && high == len(s.records) && *out.MillisBehindLatest == 0
	if end != (*out.MillisBehindLatest == 0) {
		h.t.Errorf("%v %s: %d ms behind after record %d of %d", r.place, s.id, *out.MillisBehindLatest, r.at, len(s.records))
	}
	var children []string
	for _, c := range out.ChildShards {
		children = append(children, c.ShardId)
		if want := r.stream.byID(c.ShardId); want == nil || !slices.Equal(c.ParentShards, want.parents) || c.HashKeyRange.StartingHashKey != want.start.String() {
			h.t.Errorf("%v %s: got child %+v, want %+v", r.place, s.id, c, want)
		}
	}
	if !end || !s.closed {
		if children != nil || out.NextShardIterator == nil {
			h.t.Errorf("%v %s: children %v and iterator %v before the end", r.place, s.id, children, out.NextShardIterator)
			return false
		}
		r.iterator, r.made = *out.NextShardIterator, now
		return true
	}
	if want := r.stream.children(s); !slices.Equal(children, want) || out.NextShardIterator != nil {
		h.t.Errorf("%v %s: children %v and iterator %v at the end, want %v", r.place, s.id, children, out.NextShardIterator, want)
	}
	return false
}

// compare compares what was read at now with the records from r.at on, and returns the index of the next one.
func (h *chronicle) compare(r *cursor, now int64, got []kinesisapi.Record) int {
	s := r.shard
	low, high := s.oldest(now, r.stream.hours)
	low, high = max(low, r.at), max(high, r.at)
	if len(got) == 0 {
		return min(low, len(s.records))
	}
	at := slices.IndexFunc(s.records, func(k knownRecord) bool { return k.number == got[0].SequenceNumber })
	if at < low || at > high {
		h.t.Errorf("%v %s: the page begins at record %d, want %d to %d of %d", r.place, s.id, at, low, high, len(s.records))
		return len(s.records)
	}
	for i, g := range got {
		if at+i >= len(s.records) {
			h.t.Errorf("%v %s: got %d records from %d on, there are %d", r.place, s.id, len(got), at, len(s.records))
			break
		}
		want := &s.records[at+i]
		ms := g.ApproximateArrivalTimestamp.UnixMilli()
		if g.SequenceNumber != want.number || *g.PartitionKey != want.key || string(g.Data) != want.data || ms < want.from || ms > want.to {
			h.t.Errorf("%v %s: record %d is %s %q %.40q at %d, want %s %q %.40q between %d and %d", r.place, s.id, at+i,
				g.SequenceNumber, *g.PartitionKey, g.Data, ms, want.number, want.key, want.data, want.from, want.to)
		}
		if sealed := g.EncryptionType != nil && *g.EncryptionType == kinesisapi.EncryptionTypeKms; sealed != want.sealed {
			h.t.Errorf("%v %s: record %d is encrypted %v, want %v", r.place, s.id, at+i, sealed, want.sealed)
		}
		want.from, want.to = ms, ms // it is known now
	}
	return at + len(got)
}

// readAll reads a shard from its beginning to its end.
func (h *chronicle) readAll(p place, k *knownStream, s *knownShard) {
	in := &kinesisapi.GetShardIteratorInput{StreamName: &p.stream, ShardId: s.id, ShardIteratorType: kinesisapi.ShardIteratorTypeTrimHorizon}
	r := &cursor{p, k, s, 0, h.iterator(in), h.now()}
	for range len(s.records) + 10 {
		if !h.page(r, 10_000) || r.at == len(s.records) {
			return
		}
		if low, high := s.oldest(h.now(), k.hours); max(r.at, low) == len(s.records) || high == len(s.records) {
			return // what is left is too old, or may be
		}
	}
	h.t.Errorf("%v %s: the end was not reached: at %d of %d", p, s.id, r.at, len(s.records))
}

// subscribe has records pushed from any place on, up to the end of what is there.
func (h *chronicle) subscribe(p place, k *knownStream) {
	s := k.shards[h.r.IntN(len(k.shards))]
	if len(k.consumers) == 0 {
		return
	}
	h.pass(6 * time.Second) // since a subscription of the same consumer, and until a consumer is ACTIVE
	h.at(p)
	if must, _ := s.shown(h.now(), k.hours); !must || h.streams[p] != k {
		return
	}
	name := k.consumers[h.r.IntN(len(k.consumers))]
	arn := p.arn()
	d, err := h.svc.DescribeStreamConsumer(h.ctx(), &kinesisapi.DescribeStreamConsumerInput{StreamARN: &arn, ConsumerName: &name})
	if err != nil {
		h.t.Errorf("DescribeStreamConsumer %s: %v", name, err)
		return
	}
	c := d.ConsumerDescription
	if c.ConsumerStatus != kinesisapi.ConsumerStatusActive {
		return // the clock was set back: its time has not come
	}
	from := &kinesisapi.GetShardIteratorInput{}
	at, ok := h.choose(s, from)
	if !ok || from.ShardIteratorType == kinesisapi.ShardIteratorTypeLatest && !s.closed {
		return
	}
	out, err := h.svc.SubscribeToShard(h.ctx(), &kinesisapi.SubscribeToShardInput{
		ConsumerARN: c.ConsumerARN, ShardId: s.id, StartingPosition: &kinesisapi.StartingPosition{
			Type: from.ShardIteratorType, SequenceNumber: from.StartingSequenceNumber, Timestamp: from.Timestamp,
		},
	})
	if err != nil {
		h.t.Errorf("SubscribeToShard %v %s: %v", p, s.id, err)
		return
	}
	h.events(&cursor{place: p, stream: k, shard: s, at: at}, out)
}

// events takes events until all records have come, and at the end of a closed shard its children.
func (h *chronicle) events(r *cursor, out *kinesisapi.SubscribeToShardOutput) {
	s, now := r.shard, h.now()
	for e, err := range out.EventStream {
		if err != nil {
			h.t.Errorf("%v %s: the stream of events ended with %v", r.place, s.id, err)
			return
		}
		event := e.SubscribeToShardEvent
		r.at = h.compare(r, now, event.Records)
		_, high := s.oldest(now, r.stream.hours)
		done := max(r.at, high) == len(s.records)
		if last := len(event.ChildShards) > 0; last != (event.ContinuationSequenceNumber == nil) || last && (!s.closed || !done) {
			h.t.Errorf("%v %s: %d children and continuation %v at record %d of %d, closed %v", r.place, s.id, len(event.ChildShards),
				event.ContinuationSequenceNumber, r.at, len(s.records), s.closed)
		}
		if done && (!s.closed || len(event.ChildShards) > 0) {
			return
		}
	}
	h.t.Errorf("%v %s: the stream of events ended at record %d of %d", r.place, s.id, r.at, len(s.records))
}
