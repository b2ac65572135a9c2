package dynamodb

import (
	"context"
	"errors"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbstreamsapi"
	"millrace/internal/core/store"
)

// Limits of a page. Source: API reference, GetRecords (read 2026-11).
const (
	maxStreamRecords = 1000
	maxStreamBytes   = 1 << 20
)

// GetRecords: up to 1,000 changes and 1 MB from where an iterator stands, and the next iterator.
//
// Behaviour
//   - at the end of an open shard the answer is empty, with an iterator that waits there
//   - NextShardIterator is absent only when the shard is closed and read to its end
//   - a page has at least one record when there is one, however large
//
// Errors: ExpiredIteratorException, ResourceNotFoundException, TrimmedDataAccessException, ValidationException
// Source: DynamoDB API reference, GetRecords (read 2026-11)
func (s *Service) GetRecords(ctx context.Context, in *dynamodbstreamsapi.GetRecordsInput) (*dynamodbstreamsapi.GetRecordsOutput, error) {
	limit, err := pageLimit(in.Limit, maxStreamRecords)
	if err != nil {
		return nil, err
	}
	it, err := s.openIterator(api.CallFrom(ctx), in.ShardIterator, s.store.Now())
	if err != nil {
		return nil, err
	}
	v, err := s.readableStream(ctx, it.stream)
	if err != nil {
		return nil, streamsError(err)
	}
	g, err := s.readStreamPage(ctx, v, it, limit)
	if err != nil {
		return nil, streamsError(err)
	}
	if g.shard.Open() && len(g.records) > 0 {
		// A shard that has ended meanwhile may have been read into its child.
		if g, err = s.upToEnd(ctx, g, it, limit); err != nil {
			return nil, streamsError(err)
		}
	}
	sh := g.shard
	out := &dynamodbstreamsapi.GetRecordsOutput{Records: g.records}
	if sh.Open() || g.next < sh.End(g.head.Next) {
		out.NextShardIterator = new(s.sealIterator(&iterator{created: v.now, stream: it.stream, shard: sh.ID, at: g.next}))
	}
	return out, nil
}

// readStreamPage reads a page of a shard, as far as the shard goes in a view of its stream.
//
// Errors: TrimmedDataAccessException, those of the store.
func (s *Service) readStreamPage(ctx context.Context, v *streamView, it *iterator, limit int) (*streamPage, error) {
	sh := v.shards.Get(it.shard)
	if sh == nil {
		return nil, errTrimmed() // an iterator is of a shard that was there
	}
	g := &streamPage{svc: s, view: v, shard: sh, limit: limit, next: it.at, records: []dynamodbstreamsapi.Record{}}
	return g, g.fill(ctx)
}

// upToEnd is a page of a shard that was open before it was read: read anew, if the shard is so no more.
//
// Errors: those of readableStream and readStreamPage.
func (s *Service) upToEnd(ctx context.Context, g *streamPage, it *iterator, limit int) (*streamPage, error) {
	open := false
	err := s.store.View(ctx, func(tx store.ReadTx) error {
		r, err := readStream(tx, it.stream)
		if err != nil || r == nil {
			return err
		}
		sh := r.shards.Get(it.shard)
		open = sh != nil && sh.Open()
		return nil
	})
	if err != nil || open {
		return g, err
	}
	v, err := s.readableStream(ctx, it.stream)
	if err != nil {
		return nil, err
	}
	return s.readStreamPage(ctx, v, it, limit)
}

// fill reads until the page is full or the end is reached.
func (g *streamPage) fill(ctx context.Context) error {
	for !g.full {
		if g.next >= g.shard.To {
			return nil
		}
		res, err := g.svc.store.Read(ctx, store.ReadRequest{Partition: g.view.parts[g.shard.Partition].ID, From: g.next, MaxBytes: maxStreamBytes})
		if _, ok := errors.AsType[*store.TrimmedError](err); ok {
			return errTrimmed()
		}
		if err != nil {
			return err
		}
		before := g.next
		g.head = res.Head
		err = g.take(ctx, &res)
		res.Release()
		if err != nil || g.next == before {
			return err
		}
	}
	return nil
}
