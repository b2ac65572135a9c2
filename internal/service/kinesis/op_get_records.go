package kinesis

import (
	"context"
	"errors"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
)

// GetRecords: up to 10,000 records and 10 MiB from where an iterator stands, and the next iterator.
//
// Behaviour
//   - an iterator before the oldest record goes on from that; records older than the stream's retention
//     are not answered, also while they still exist
//   - at the end the answer is empty, with an iterator that waits there
//   - NextShardIterator is absent exactly when ChildShards are given: the shard is closed and read to its end
//   - MillisBehindLatest is 0 at the end, else the age of the last record answered
//   - five calls and 2 MiB a second for each shard; after 10 MiB the next calls are refused for 5 s
//   - the records point into memory of the store that is given back when the answer is sent
//
// Errors: ExpiredIteratorException, InvalidArgumentException, ResourceNotFoundException,
// ProvisionedThroughputExceededException, DryRunOperationException
// Source: Kinesis API reference, GetRecords; kinesalite, test/getRecords.js (read 2026-11)
func (s *Service) GetRecords(ctx context.Context, in *kinesisapi.GetRecordsInput) (*kinesisapi.GetRecordsOutput, error) {
	call := api.CallFrom(ctx)
	now, ns := s.store.Now(), s.nowNS()
	k, err := s.openIterator(call, in.ShardIterator, now)
	if err != nil {
		return nil, err
	}
	if in.StreamARN != nil {
		if p, err := address(call, nil, in.StreamARN); err != nil || p != k.place {
			return nil, errInvalidIterator()
		}
	}
	gone := errNoShard(k.place, shardID(k.shard))
	st, err := s.stream(ctx, k.place, ns)
	for try := 1; ; try++ {
		if err != nil {
			return nil, notFoundAs(err, gone)
		}
		var out *kinesisapi.GetRecordsOutput
		out, err = s.getRecords(ctx, in, st, &k, now, ns)
		if !errors.Is(err, store.ErrNoPartition) {
			if in.DryRun == nil || !*in.DryRun {
				st.traffic.getRecords.done(ns, s.nowNS(), err == nil)
			}
			return out, apiError(err)
		}
		if try == 2 {
			return nil, gone
		}
		st, err = s.reload(ctx, st.place, ns)
	}
}

// getRecords reads a page of a stream as it was lately.
//
// Errors: store.ErrNoPartition when it is not like that any more, errNoShard, errShardRate, errDryRun,
// those of the store.
func (s *Service) getRecords(ctx context.Context, in *kinesisapi.GetRecordsInput, st *stream, k *token, now, ns int64) (*kinesisapi.GetRecordsOutput, error) {
	if int(k.shard) >= len(st.shards) || !st.shows() {
		return nil, errNoShard(k.place, shardID(k.shard))
	}
	sh := &st.shards[k.shard]
	metered := st.metered && !s.opts.Quotas.off()
	if metered && !sh.meter.read(ns, s.opts.Quotas) {
		s.counts.throttled.Add(1)
		st.traffic.readsRefused.Add(1)
		sh.meter.traffic.readsRefused.Add(1)
		return nil, errShardRate(st.place, sh)
	}
	if in.DryRun != nil && *in.DryRun {
		return nil, errDryRun()
	}
	g := s.takePage(st, sh, now, in.Limit)
	api.CallFrom(ctx).OnSent(g.done)
	if err := g.fill(ctx, k.positionIn(sh)); err != nil {
		return nil, err
	}
	s.gave(g, ns)
	if metered {
		sh.meter.sent(g.bytes)
	}
	return s.pageAnswer(ctx, g, ns)
}

// gave counts a page that GetRecords answers.
func (s *Service) gave(g *page, ns int64) {
	records, bytes, behind := len(g.records), g.bytes, g.behind()
	s.counts.read(records, bytes)
	t := g.stream.traffic
	t.gotRecords.Add(uint64(records))
	t.gotBytes.Add(uint64(bytes))
	t.age.add(ns, behind)
	g.shard.meter.traffic.out(records, bytes)
	g.shard.meter.traffic.age.observe(ns, behind)
}

// pageAnswer adds to the records what a reader needs to go on.
func (s *Service) pageAnswer(ctx context.Context, g *page, ns int64) (*kinesisapi.GetRecordsOutput, error) {
	behind := g.behind()
	out := &kinesisapi.GetRecordsOutput{Records: g.records, MillisBehindLatest: &behind}
	if g.head.Closed && g.next >= g.head.Next {
		children, err := s.childShards(ctx, g.stream, g.shard.index, ns)
		if err != nil {
			return nil, apiError(err)
		}
		if len(children) > 0 {
			out.ChildShards = children
			return out, nil
		}
	}
	text := s.sealIterator(g.stream.place, g.shard, g.next, g.now)
	out.NextShardIterator = &text
	return out, nil
}

// childShards are the shards that go on from one that is closed. While there are none yet (or the
// stream is being deleted) a reader waits at the end.
func (s *Service) childShards(ctx context.Context, st *stream, index int32, ns int64) ([]kinesisapi.ChildShard, error) {
	children := st.children(index)
	if len(children) == 0 {
		current, err := s.reload(ctx, st.place, ns)
		if err != nil {
			return nil, notFoundAs(err, errNoShard(st.place, shardID(index)))
		}
		children = current.children(index)
	}
	found := make([]kinesisapi.ChildShard, 0, len(children))
	for _, c := range children {
		parents := []string{shardID(c.parent)}
		if c.adjacent != noShard {
			parents = append(parents, shardID(c.adjacent))
		}
		found = append(found, kinesisapi.ChildShard{ShardId: c.id, ParentShards: parents, HashKeyRange: c.hashRange()})
	}
	return found, nil
}

func (s *shard) hashRange() *kinesisapi.HashKeyRange {
	return &kinesisapi.HashKeyRange{StartingHashKey: s.start.String(), EndingHashKey: s.end.String()}
}

// A page is read in pieces: one of 10 MiB would be fresh memory each time, at a third more for a record.
// Pieces of 4 MiB are above the buffers that the store keeps (2 MiB), of which readers that catch up
// would else leave tens of MiB behind when they are done.
const (
	smallestRead = 64 << 10
	largestRead  = 4 << 20
)

// readSize is how many bytes to ask the store for when so many records are still wanted: enough for
// records of 1 KiB, at most what is left of a page.
func readSize(records, bytes int) int {
	return min(max(min(records<<10, bytes), smallestRead), largestRead)
}
