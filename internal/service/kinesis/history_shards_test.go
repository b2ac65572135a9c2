package kinesis

import (
	"fmt"
	"math/big"
	"slices"

	"millrace/internal/api/kinesisapi"
)

// reshard splits, merges or scales a stream; one that is UPDATING refuses it.
func (h *chronicle) reshard(p place, k *knownStream) {
	open := k.open()
	i := h.r.IntN(len(open))
	s := open[i]
	wide := new(big.Int).Sub(s.end, s.start).Cmp(big.NewInt(4)) > 0
	var err error
	var wanted [][2]*big.Int
	var count int
	switch n := h.r.IntN(10); {
	case n < 4 && len(open) < 8 && wide:
		key := new(big.Int).Add(s.start, big.NewInt(2))
		key.Add(key, new(big.Int).Rand(bigSource(h), new(big.Int).Sub(s.end, key)))
		_, err = h.svc.SplitShard(h.ctx(), &kinesisapi.SplitShardInput{StreamName: &p.stream, ShardToSplit: s.id, NewStartingHashKey: key.String()})
		wanted, count = k.split(s, key), len(open)+1
	case n < 7 && i+1 < len(open):
		_, err = h.svc.MergeShards(h.ctx(), &kinesisapi.MergeShardsInput{StreamName: &p.stream, ShardToMerge: s.id, AdjacentShardToMerge: open[i+1].id})
		wanted, count = k.merge(i), len(open)-1
	default:
		low, high := (len(open)+1)/2, min(2*len(open), 8)
		count = low + h.r.IntN(high-low+1)
		_, err = h.svc.UpdateShardCount(h.ctx(), &kinesisapi.UpdateShardCountInput{
			StreamName: &p.stream, TargetShardCount: int32(count), ScalingType: kinesisapi.ScalingTypeUniformScaling,
		})
	}
	if k.status != kinesisapi.StreamStatusActive {
		wantCode(h.t, "a change of shards", err, "ResourceInUseException")
		return
	}
	if err != nil {
		h.t.Errorf("%v: change of %s to %d shards: %v", p, s.id, count, err)
		return
	}
	k.status, k.wanted, k.count, k.asked = kinesisapi.StreamStatusUpdating, wanted, count, h.now()
}

// listShards lists all shards, in pages of any size.
func (h *chronicle) listShards(p place) []kinesisapi.Shard {
	in := &kinesisapi.ListShardsInput{StreamName: &p.stream, MaxResults: new(int32(1 + h.r.IntN(20)))}
	var all []kinesisapi.Shard
	for {
		out, err := h.svc.ListShards(h.ctx(), in)
		if err != nil {
			h.t.Errorf("ListShards %v: %v", p, err)
			return all
		}
		all = append(all, out.Shards...)
		if out.NextToken == nil {
			return all
		}
		in = &kinesisapi.ListShardsInput{NextToken: out.NextToken, MaxResults: in.MaxResults}
	}
}

// adopt takes the shards that a change has made into the ledger, and checks that they are what was asked for.
func (h *chronicle) adopt(p place, k *knownStream) {
	before := len(k.shards)
	closed := map[string]string{} // the last number of those that are closed
	for _, s := range h.listShards(p) {
		if s.SequenceNumberRange.EndingSequenceNumber != nil {
			closed[s.ShardId] = *s.SequenceNumberRange.EndingSequenceNumber
		}
		if k.byID(s.ShardId) == nil {
			k.shards = append(k.shards, h.made(p, k, s))
		}
	}
	for i, s := range k.shards {
		last, is := closed[s.id]
		if is && !s.closed {
			s.closed, s.from, s.to = true, k.asked, h.now()
			h.ended(p, s, last)
		}
		if i >= before {
			h.descends(p, k, s, closed)
		}
	}
	h.covers(p, k)
}

// made is a shard that was not there before.
func (h *chronicle) made(p place, k *knownStream, s kinesisapi.Shard) *knownShard {
	if want := fmt.Sprintf("shardId-%012d", len(k.shards)); s.ShardId != want {
		h.t.Errorf("%v: shard %s was made, want %s", p, s.ShardId, want)
	}
	n := &knownShard{
		id: s.ShardId, first: s.SequenceNumberRange.StartingSequenceNumber,
		start: decimal(s.HashKeyRange.StartingHashKey), end: decimal(s.HashKeyRange.EndingHashKey),
	}
	for _, parent := range []*string{s.ParentShardId, s.AdjacentParentShardId} {
		if parent != nil {
			n.parents = append(n.parents, *parent)
		}
	}
	if n.first <= h.highest[p] {
		h.t.Errorf("%v %s begins at %s, a stream of this name had %s before", p, n.id, n.first, h.highest[p])
	}
	return n
}

// ended checks the last number of a shard.
func (h *chronicle) ended(p place, s *knownShard, last string) {
	if n := len(s.records); n > 0 && s.records[n-1].number >= last {
		h.t.Errorf("%v %s ends at %s and has a record at %s", p, s.id, last, s.records[n-1].number)
	}
}

// descends checks a new shard against its parents.
func (h *chronicle) descends(p place, k *knownStream, s *knownShard, last map[string]string) {
	var parents []*knownShard
	for _, id := range s.parents {
		parent := k.byID(id)
		if parent == nil || !parent.closed {
			h.t.Errorf("%v %s has the parent %s, which is not closed", p, s.id, id)
			return
		}
		if last[id] >= s.first {
			h.t.Errorf("%v %s begins at %s, its parent %s ends at %s", p, s.id, s.first, id, last[id])
		}
		parents = append(parents, parent)
	}
	switch len(parents) {
	case 1:
		if s.start.Cmp(parents[0].start) < 0 || s.end.Cmp(parents[0].end) > 0 {
			h.t.Errorf("%v %s [%v, %v] is no part of its parent [%v, %v]", p, s.id, s.start, s.end, parents[0].start, parents[0].end)
		}
	case 2:
		meet := new(big.Int).Add(parents[0].end, big.NewInt(1))
		if s.start.Cmp(parents[0].start) != 0 || s.end.Cmp(parents[1].end) != 0 || meet.Cmp(parents[1].start) != 0 {
			h.t.Errorf("%v %s [%v, %v] is not its parents %v", p, s.id, s.start, s.end, s.parents)
		}
	}
}

// covers checks that the open shards hold all hash keys once, and are those that were asked for.
func (h *chronicle) covers(p place, k *knownStream) {
	at, open := new(big.Int), k.open()
	for i, s := range open {
		if s.start.Cmp(at) != 0 {
			h.t.Errorf("%v %s begins at hash key %v, want %v", p, s.id, s.start, at)
		}
		at = new(big.Int).Add(s.end, big.NewInt(1))
		if k.wanted != nil && i < len(k.wanted) && (s.start.Cmp(k.wanted[i][0]) != 0 || s.end.Cmp(k.wanted[i][1]) != 0) {
			h.t.Errorf("%v %s is [%v, %v], want %v", p, s.id, s.start, s.end, k.wanted[i])
		}
	}
	if at.Cmp(allHashKeys) != 0 || len(open) != k.count {
		h.t.Errorf("%v: %d open shards up to hash key %v, want %d", p, len(open), at, k.count)
	}
}

// check compares all that is said of a stream with the ledger.
func (h *chronicle) check(p place) {
	k := h.streams[p]
	if k == nil {
		_, err := h.svc.DescribeStream(h.ctx(), &kinesisapi.DescribeStreamInput{StreamName: &p.stream})
		wantCode(h.t, "DescribeStream", err, "ResourceNotFoundException")
		return
	}
	h.checkSummary(p, k)
	h.checkListed(p, k)
	h.checkConsumers(p, k)
	for _, s := range k.shards {
		if must, _ := s.shown(h.now(), k.hours); must {
			h.readAll(p, k, s)
		}
	}
}

func (h *chronicle) checkSummary(p place, k *knownStream) {
	out, err := h.svc.DescribeStreamSummary(h.ctx(), &kinesisapi.DescribeStreamSummaryInput{StreamName: &p.stream})
	if err != nil {
		h.t.Errorf("DescribeStreamSummary %v: %v", p, err)
		return
	}
	d := out.StreamDescriptionSummary
	if d.StreamStatus != k.status || int(d.OpenShardCount) != len(k.open()) || int64(d.RetentionPeriodHours) != k.hours {
		h.t.Errorf("%v: got %s, %d open shards, %d hours, want %s, %d, %d", p, d.StreamStatus, d.OpenShardCount, d.RetentionPeriodHours,
			k.status, len(k.open()), k.hours)
	}
	var want []string
	for _, at := range h.places() {
		if at.account == p.account && h.streams[at] != nil {
			want = append(want, at.stream)
		}
	}
	listed, err := h.svc.ListStreams(h.ctx(), &kinesisapi.ListStreamsInput{})
	if err != nil || !slices.Equal(listed.StreamNames, want) {
		h.t.Errorf("ListStreams of %s: got %+v, %v, want %v", p.account, listed, err, want)
	}
}

// checkListed compares the list of shards: closed ones leave it when all that they held is too old.
func (h *chronicle) checkListed(p place, k *knownStream) {
	now := h.now()
	listed := map[string]kinesisapi.Shard{}
	for _, s := range h.listShards(p) {
		listed[s.ShardId] = s
	}
	for _, s := range k.shards {
		got, is := listed[s.id]
		delete(listed, s.id)
		if must, may := s.shown(now, k.hours); must && !is || !may && is {
			h.t.Errorf("%v %s: listed %v; closed %v after %d and until %d, now %d, %d hours are kept", p, s.id, is, s.closed, s.from, s.to, now, k.hours)
		}
		if !is {
			continue
		}
		if got.HashKeyRange.StartingHashKey != s.start.String() || got.HashKeyRange.EndingHashKey != s.end.String() ||
			(got.SequenceNumberRange.EndingSequenceNumber != nil) != s.closed || got.SequenceNumberRange.StartingSequenceNumber != s.first {
			h.t.Errorf("%v %s: got %+v, want %+v", p, s.id, got, s)
		}
	}
	for id := range listed {
		h.t.Errorf("%v: %s is listed and was never made", p, id)
	}
}

func (h *chronicle) checkConsumers(p place, k *knownStream) {
	out, err := h.svc.ListStreamConsumers(h.ctx(), &kinesisapi.ListStreamConsumersInput{StreamARN: p.arn()})
	if err != nil {
		h.t.Errorf("ListStreamConsumers %v: %v", p, err)
		return
	}
	var got []string
	for _, c := range out.Consumers {
		if !slices.Contains(k.deleted, c.ConsumerName) {
			got = append(got, c.ConsumerName)
		}
	}
	slices.Sort(got)
	if want := slices.Sorted(slices.Values(k.consumers)); !slices.Equal(got, want) {
		h.t.Errorf("consumers of %v: got %v, want %v", p, got, want)
	}
}
