package kinesis

import (
	"context"
	"encoding/binary"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
)

// ListShards: shards in order, 1,000 a page, those that a filter takes.
//
// Behaviour
//   - the first call names the stream, the next ones only the token, which carries the filter and lives
//     for 300 s
//   - AT_LATEST: open ones. AT_TRIM_HORIZON: open when the oldest record was written. AT_TIMESTAMP: open
//     then. FROM_TRIM_HORIZON: all that still count. FROM_TIMESTAMP: those and later ones. AFTER_SHARD_ID:
//     those after a shard
//   - StreamCreationTimestamp, when given, must be the stream's
//   - a stream in CREATING is refused
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException,
// ExpiredNextTokenException, LimitExceededException
// Source: Kinesis API reference, ListShards and ShardFilter; kinesalite, actions/listShards.js (read 2026-11)
func (s *Service) ListShards(ctx context.Context, in *kinesisapi.ListShardsInput) (*kinesisapi.ListShardsOutput, error) {
	q, err := s.shardQuery(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := s.admit("ListShards", q.place); err != nil {
		return nil, err
	}
	st, err := s.current(ctx, q.place)
	if err != nil {
		return nil, apiError(err)
	}
	if q.created != 0 && q.created != st.topic.Created/1000 {
		return nil, errNotFound(q.place)
	}
	if st.topic.State == catalog.StateCreating {
		return nil, errNotActive(q.place, st.topic.State)
	}
	limit := maxListedShards
	if in.MaxResults != nil {
		limit = min(limit, int(*in.MaxResults))
	}
	now := s.store.Now()
	found := q.apply(st, now)
	out := &kinesisapi.ListShardsOutput{Shards: describeShards(found[:min(limit, len(found))])}
	if len(found) > limit {
		text := s.tokens.seal(q.token(st, found[limit-1].index, now))
		out.NextToken = &text
	}
	return out, nil
}

// shardQuery is what a ListShards asks for, from its members or from its token.
type shardQuery struct {
	place   place
	created int64 // second; 0: any
	after   int32 // noShard: from the first
	filter  kinesisapi.ShardFilterType
	ms      int64 // of the filters by time
}

// filters are numbered in tokens by their place here.
var filters = [...]kinesisapi.ShardFilterType{
	"", kinesisapi.ShardFilterTypeAfterShardId, kinesisapi.ShardFilterTypeAtTrimHorizon, kinesisapi.ShardFilterTypeFromTrimHorizon,
	kinesisapi.ShardFilterTypeAtLatest, kinesisapi.ShardFilterTypeAtTimestamp, kinesisapi.ShardFilterTypeFromTimestamp,
}

func (s *Service) shardQuery(ctx context.Context, in *kinesisapi.ListShardsInput) (shardQuery, error) {
	q := shardQuery{after: noShard}
	if in.NextToken != nil {
		return s.openQuery(ctx, in)
	}
	if in.StreamName == nil && in.StreamARN == nil {
		return q, kinesisapi.InvalidArgumentException("Either NextToken or StreamName should be provided.")
	}
	var err error
	if q.place, err = s.resolve(ctx, in.StreamName, in.StreamARN); err != nil {
		return q, err
	}
	if in.StreamCreationTimestamp != nil {
		q.created = in.StreamCreationTimestamp.Unix()
	}
	if in.ExclusiveStartShardId != nil {
		if q.after, err = startShard(*in.ExclusiveStartShardId); err != nil {
			return q, err
		}
	}
	if in.ShardFilter == nil {
		return q, nil
	}
	return q, q.setFilter(in.ShardFilter, s.store.Now())
}

func startShard(id string) (int32, error) {
	index, ok := parseShardID(id)
	if !ok {
		return 0, kinesisapi.InvalidArgumentException("ExclusiveStartShardId " + id + " is invalid.")
	}
	return index, nil
}

func (q *shardQuery) setFilter(f *kinesisapi.ShardFilter, now int64) error {
	q.filter = f.Type
	switch f.Type {
	case kinesisapi.ShardFilterTypeAfterShardId:
		if f.ShardId == nil {
			return kinesisapi.InvalidArgumentException("ShardFilter of type AFTER_SHARD_ID must have a ShardId.")
		}
		index, ok := parseShardID(*f.ShardId)
		if !ok {
			return kinesisapi.InvalidArgumentException("ShardId " + *f.ShardId + " in ShardFilter is invalid.")
		}
		q.after = max(q.after, index)
	case kinesisapi.ShardFilterTypeAtTimestamp, kinesisapi.ShardFilterTypeFromTimestamp:
		if f.Timestamp == nil {
			return kinesisapi.InvalidArgumentException("ShardFilter of type " + string(f.Type) + " must have a Timestamp.")
		}
		if q.ms = millis(*f.Timestamp); q.ms > now {
			return errFuture(q.ms, now)
		}
	case kinesisapi.ShardFilterTypeAtTrimHorizon, kinesisapi.ShardFilterTypeFromTrimHorizon, kinesisapi.ShardFilterTypeAtLatest:
	}
	return nil
}

// apply returns the shards that the query takes.
func (q *shardQuery) apply(st *stream, now int64) []*shard {
	horizon := max(now-st.settings.retentionMS(), st.topic.Created)
	at := max(q.ms, st.topic.Created) // earlier there was no shard: the first ones stand in
	var found []*shard
	for _, sh := range st.listed(now) {
		take := true
		switch q.filter {
		case kinesisapi.ShardFilterTypeAtLatest:
			take = !sh.closed
		case kinesisapi.ShardFilterTypeAtTrimHorizon:
			take = sh.openAt(horizon)
		case kinesisapi.ShardFilterTypeAtTimestamp:
			take = sh.openAt(max(at, horizon))
		case kinesisapi.ShardFilterTypeFromTimestamp:
			take = !sh.closed || sh.closedMS > at
		case kinesisapi.ShardFilterTypeAfterShardId, kinesisapi.ShardFilterTypeFromTrimHorizon:
		}
		if take && sh.index > q.after {
			found = append(found, sh)
		}
	}
	return found
}

// token goes on after a shard. Extra is the filter's number and its time.
func (q *shardQuery) token(st *stream, after int32, now int64) *token {
	var number byte
	for i, f := range filters {
		if f == q.filter {
			number = byte(i)
		}
	}
	return &token{
		kind: tokenShards, created: now, place: q.place, shard: after, second: st.topic.Created / 1000,
		extra: binary.BigEndian.AppendUint64([]byte{number}, uint64(q.ms)),
	}
}

func (s *Service) openQuery(ctx context.Context, in *kinesisapi.ListShardsInput) (shardQuery, error) {
	if in.StreamName != nil {
		return shardQuery{}, kinesisapi.InvalidArgumentException("NextToken and StreamName cannot be provided together.")
	}
	if in.StreamCreationTimestamp != nil {
		return shardQuery{}, kinesisapi.InvalidArgumentException("NextToken and StreamCreationTimestamp cannot be provided together.")
	}
	k, err := s.tokens.open(tokenShards, *in.NextToken)
	call, now := api.CallFrom(ctx), s.store.Now()
	switch {
	case err != nil, k.place.account != call.Account, k.place.region != call.Region,
		len(k.extra) != 9, int(k.extra[0]) >= len(filters):
		return shardQuery{}, errInvalidToken()
	case now-k.created > tokenLifeMS:
		return shardQuery{}, errExpiredToken(k.created, now)
	}
	return shardQuery{
		place: k.place, created: k.second, after: k.shard,
		filter: filters[k.extra[0]], ms: int64(binary.BigEndian.Uint64(k.extra[1:])),
	}, nil
}
