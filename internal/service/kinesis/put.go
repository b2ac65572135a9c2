package kinesis

import (
	"context"
	"errors"
	"strconv"
	"time"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

// outcome is what became of one record.
type outcome struct {
	shard    *shard
	offset   store.Offset
	appended int64 // ms since 1970
	code     string
	text     string
}

// putScratch is what one put needs, with its answer. It goes back to the pool when the answer has been
// sent.
type putScratch struct {
	give     func() // back to the pool
	outcomes []outcome
	pending  []int32               // records still to be placed, by index
	slots    []int32               // for each pending record its place in routes.open; -1: none, or refused
	homeless []int32               // pending records whose shard is closed and has no children yet
	counts   []int32               // for each open shard how many records go to it; zero between uses
	used     []int32               // the shards with records, in order of their first
	order    []int32               // for each of records the index in the request
	records  []store.Record        // grouped by shard
	requests []store.AppendRequest // one for each of used

	out     kinesisapi.PutRecordsOutput
	entries []kinesisapi.PutRecordsResultEntry
	texts   []string // the numbers; entries point here
	digits  []byte   // of texts
	failed  int32

	warmed    uint64 // what was read early: so that it is not left out
	dataKey   uint64 // that the last records were sealed under
	throttled int    // records refused for the rate
	stored    int    // records stored
	bytes     int    // of data and keys of these
}

// maxScratchShards bounds what goes back to the pool: 40 KiB of counts.
const maxScratchShards = 10_000

func (s *Service) takeScratch(n int) *putScratch {
	x := s.puts.Get().(*putScratch)
	x.outcomes = resize(x.outcomes, n)
	clear(x.outcomes)
	x.throttled, x.stored, x.bytes = 0, 0, 0
	x.pending = resize(x.pending, n)
	for i := range x.pending {
		x.pending[i] = int32(i)
	}
	return x
}

func (s *Service) newScratch() any {
	x := &putScratch{}
	x.give = func() {
		if cap(x.counts) > maxScratchShards {
			return
		}
		// Nothing of the request may stay: it is the front's memory.
		clear(x.outcomes)
		clear(x.records)
		s.puts.Put(x)
	}
	return x
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// A put that meets a closed shard looks for what goes on from it: at once, since usually this node's copy
// is behind, then after 10 ms and twice as long each time up to 320 ms, while another commit opens the
// children: 3 ms for one shard, 300 ms for 10,000 (measured). After 4.8 s in all, which means that
// nobody opens them, the records fail and the client tries again.
const (
	putTries   = 21
	firstPause = 10 * time.Millisecond
	lastPause  = 320 * time.Millisecond
)

// put appends records to the shards of st and fills x.outcomes, one for each record. Records fail each
// for itself; an error is one of the whole call, of which nothing is stored that the client is told of.
//
// Errors: errNotFound, errHashKey, those of the store, ctx.Err().
func (s *Service) put(ctx context.Context, x *putScratch, st *stream, recs []kinesisapi.PutRecordsRequestEntry, now int64) error {
	for try := 1; ; try++ {
		if err := x.route(st, recs); err != nil {
			return err
		}
		if st.metered && !s.opts.Quotas.off() {
			x.charge(st, recs, now, s.opts.Quotas)
		}
		x.group(st, recs)
		if err := s.appendGroups(ctx, x, st); err != nil {
			return x.settle(len(recs), err)
		}
		if len(x.pending) == 0 {
			return nil
		}
		if try == putTries {
			x.failPending(codeInternal, textInternal)
			return nil
		}
		clear(x.records)
		var err error
		if st, err = s.successor(ctx, st, try, now); err != nil {
			return x.settle(len(recs), err)
		}
	}
}

// successor is a stream as it is now, or after a pause that grows with the tries.
func (s *Service) successor(ctx context.Context, st *stream, try int, now int64) (*stream, error) {
	if try > 1 {
		if err := clock.Sleep(ctx, s.opts.Clock, min(firstPause<<(try-2), lastPause)); err != nil {
			return nil, err
		}
	}
	current, err := s.newer(ctx, st, now)
	if err == nil && !current.writable() {
		err = errNotFound(st.place)
	}
	return current, err
}

// route finds the shard of each pending record. Short keys are hashed two at a time.
//
// Errors: errHashKey.
func (x *putScratch) route(st *stream, recs []kinesisapi.PutRecordsRequestEntry) error {
	x.slots = resize(x.slots, len(x.pending))
	waiting := -1 // the record whose key is hashed together with the next one's
	for i, at := range x.pending {
		r := &recs[at]
		switch {
		case st.settings.auto:
			x.slots[i] = st.spread()
		case r.ExplicitHashKey != nil:
			h, ok := parseHashKey(*r.ExplicitHashKey)
			if !ok {
				return errHashKey(*r.ExplicitHashKey)
			}
			x.slots[i] = st.routes.find(h)
		case st.routes.single:
			x.slots[i] = 0
		case len(keyOf(r)) > maxShortKey:
			x.slots[i] = st.routes.find(hashOf(keyOf(r)))
		case waiting < 0:
			waiting = i
		default:
			a, b := hashTwo(keyOf(&recs[x.pending[waiting]]), keyOf(r))
			x.slots[waiting], x.slots[i] = st.routes.find(a), st.routes.find(b)
			waiting = -1
		}
	}
	if waiting >= 0 {
		x.slots[waiting] = st.routes.find(hashOf(keyOf(&recs[x.pending[waiting]])))
	}
	x.homeless = x.homeless[:0]
	for i, slot := range x.slots {
		if slot < 0 {
			x.homeless = append(x.homeless, x.pending[i])
		}
	}
	return nil
}

// charge counts the pending records against their shards' quotas and refuses those that are over.
func (x *putScratch) charge(st *stream, recs []kinesisapi.PutRecordsRequestEntry, now int64, q Quotas) {
	for i, slot := range x.slots {
		if slot < 0 {
			continue
		}
		sh := st.routes.open[slot]
		r := &recs[x.pending[i]]
		if !sh.meter.write(now, recordSize(r), q) {
			x.outcomes[x.pending[i]] = outcome{shard: sh, code: codeThroughput, text: shardRateText(st.place, sh)}
			x.slots[i] = -1
			x.throttled++
			sh.meter.traffic.writesRefused.Add(1)
		}
	}
}

// group sorts the pending records by shard, in the order of the request within each. Shards are in the order of their first
// records.
func (x *putScratch) group(st *stream, recs []kinesisapi.PutRecordsRequestEntry) {
	x.counts = resize(x.counts, len(st.routes.open))
	x.used = x.used[:0]
	total := 0
	for _, slot := range x.slots {
		if slot < 0 {
			continue
		}
		if x.counts[slot] == 0 {
			x.used = append(x.used, slot)
		}
		x.counts[slot]++
		total++
	}
	x.records, x.order = resize(x.records, total), resize(x.order, total)
	x.requests = resize(x.requests, len(x.used))
	x.dataKey = st.encryption.dataKey
	from := int32(0)
	for i, slot := range x.used {
		to := from + x.counts[slot]
		x.requests[i] = store.AppendRequest{Partition: st.routes.parts[slot], Records: x.records[from:to], Key: st.encryption.dataKey}
		x.counts[slot], from = from, to // now where the next record of the shard goes
	}
	for i, slot := range x.slots {
		if slot < 0 {
			continue
		}
		r, at := &recs[x.pending[i]], x.counts[slot]
		x.counts[slot]++
		x.order[at] = x.pending[i]
		x.records[at] = store.Record{Value: r.Data}
		if r.PartitionKey != nil {
			x.records[at].Key = bytesOf(*r.PartitionKey)
		}
		if r.Data == nil {
			x.records[at].Value = []byte{} // nil would be a tombstone
		}
	}
	for _, slot := range x.used {
		x.counts[slot] = 0
	}
}

// appendGroups stores what group has made. The records left in x.pending are those whose shards take
// no more; after an error, all that were not refused.
func (s *Service) appendGroups(ctx context.Context, x *putScratch, st *stream) error {
	x.pending = append(x.pending[:0], x.homeless...)
	if len(x.requests) == 0 {
		return nil
	}
	results, err := s.store.Append(ctx, x.requests)
	if err != nil {
		x.pending = append(x.pending, x.order...)
		return err
	}
	for _, slot := range x.used { // as warmShards
		x.warmed += st.routes.open[slot].meter.traffic.inBytes.Load()
	}
	at := 0
	for i := range results {
		res, sh := &results[i], st.routes.open[x.used[i]]
		n := len(x.requests[i].Records)
		switch {
		case res.Err == nil:
			x.took(sh, x.requests[i].Records)
			for j, index := range x.order[at : at+n] {
				x.outcomes[index] = outcome{shard: sh, offset: res.Base + store.Offset(j), appended: res.AppendTime}
			}
		case errors.Is(res.Err, store.ErrClosed), errors.Is(res.Err, store.ErrNoPartition):
			x.pending = append(x.pending, x.order[at:at+n]...)
		default:
			s.log.Error("records were refused", "stream", st.place.stream, "shard", sh.id, "err", res.Err)
			for _, index := range x.order[at : at+n] {
				x.outcomes[index] = outcome{shard: sh, code: codeInternal, text: textInternal}
			}
		}
		at += n
	}
	return nil
}

// took counts records that were stored in a shard.
func (x *putScratch) took(sh *shard, records []store.Record) {
	n := 0
	for i := range records {
		n += len(records[i].Key) + len(records[i].Value)
	}
	sh.meter.traffic.inBytes.Add(uint64(n))
	sh.meter.traffic.inRecords.Add(uint64(len(records)))
	x.stored += len(records)
	x.bytes += n
}

// tally counts a put that is done, whose call began at began (ns); n is how many records it had.
func (s *Service) tally(st *stream, x *putScratch, one bool, n int, began int64) {
	t, ended := st.traffic, s.nowNS()
	c, bytes := &t.putRecords, &t.putRecordsData
	if one {
		c, bytes = &t.putRecord, &t.putRecordBytes
	}
	c.done(began, ended, x.stored > 0)
	if x.stored > 0 {
		bytes.Add(uint64(x.bytes))
		s.counts.recordsPut.Add(uint64(x.stored))
		s.counts.bytesPut.Add(uint64(x.bytes))
	}
	if x.throttled > 0 {
		t.writesRefused.Add(uint64(x.throttled))
		s.counts.throttled.Add(uint64(x.throttled))
	}
	if one {
		return
	}
	t.stored.Add(uint64(x.stored))
	if failed := n - x.stored - x.throttled; failed > 0 {
		t.failed.Add(uint64(failed))
	}
	if x.throttled > 0 {
		t.throttled.Add(uint64(x.throttled))
	}
}

// settle ends a put that failed with err. While nothing of it is stored the error is the call's; else
// the pending records fail and the others keep what they have.
func (x *putScratch) settle(n int, err error) error {
	if len(x.pending) == n {
		return err
	}
	for i := range x.outcomes {
		if x.outcomes[i].code == "" && x.outcomes[i].shard != nil {
			x.failPending(codeInternal, textInternal)
			return nil
		}
	}
	return err
}

func (x *putScratch) failPending(code, text string) {
	for _, at := range x.pending {
		x.outcomes[at] = outcome{code: code, text: text}
	}
}

// checkRecords holds records against the limits of a request, which AWS looks at first, and of the
// stream. member names the i-th record, counted from 1, in texts.
//
// Errors: errNoKey, errRecordSize, errRequestSize.
func checkRecords(st *stream, recs []kinesisapi.PutRecordsRequestEntry, member func(i int) string) error {
	total, limit, over := 0, st.settings.maxRecordBytes(), -1
	for i := range recs {
		if recs[i].PartitionKey == nil && !st.settings.auto {
			return errNoKey(member(i + 1))
		}
		size := recordSize(&recs[i])
		if size > limit && over < 0 {
			over = i
		}
		total += size
	}
	if total > maxPutRecordsBytes {
		return errRequestSize()
	}
	if over < 0 {
		return nil
	}
	return errRecordSize(member(over+1), limit)
}

// recordSize is what a record counts, as AWS does: its partition key too.
func recordSize(r *kinesisapi.PutRecordsRequestEntry) int { return len(r.Data) + len(keyOf(r)) }

func ofPutRecords(i int) string { return "records." + strconv.Itoa(i) + ".member." }

func ofPutRecord(int) string { return "" }

// keyOf is a record's partition key; only a stream that spreads its records takes those without one.
func keyOf(r *kinesisapi.PutRecordsRequestEntry) string {
	if r.PartitionKey == nil {
		return ""
	}
	return *r.PartitionKey
}
