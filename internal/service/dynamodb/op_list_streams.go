package dynamodb

import (
	"bytes"
	"context"
	"fmt"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbstreamsapi"
	"millrace/internal/core/store"
)

// maxListed is how many streams and shards one page has at most. Source: API reference, ListStreams, DescribeStream (read 2026-11).
const maxListed = 100

// ListStreams: up to 100 streams of the account and region, or of a table.
//
// Behaviour
//   - in order of tables, and of a table in order of time
//   - a stream that was disabled is listed for another 24 hours, also when its table is gone
//   - a page begins after ExclusiveStartStreamArn, which need not exist any more
//
// Errors: ValidationException
// Source: DynamoDB API reference, ListStreams (read 2026-11)
func (s *Service) ListStreams(ctx context.Context, in *dynamodbstreamsapi.ListStreamsInput) (*dynamodbstreamsapi.ListStreamsOutput, error) {
	call := api.CallFrom(ctx)
	limit, err := pageLimit(in.Limit, maxListed)
	if err != nil {
		return nil, err
	}
	p := home(call)
	if in.TableName != nil {
		p.table = *in.TableName
	}
	from := streamsKey(kindStream, nil, p)
	to := bytes.Clone(from)
	to[len(to)-1]++ // the zero byte behind the region or table
	if in.ExclusiveStartStreamArn != nil {
		at, err := streamAddress(call, *in.ExclusiveStartStreamArn)
		if err != nil {
			return nil, err
		}
		from = append(at.key(), 0)
		if bytes.Compare(from, to) > 0 || p.table != "" && at.table != p.table {
			from = to
		}
	}
	if err := s.settle(ctx, call); err != nil {
		return nil, err
	}
	out, err := s.listStreams(ctx, from, to, limit)
	return out, apiError(err)
}

func (s *Service) listStreams(ctx context.Context, from, to []byte, limit int) (out *dynamodbstreamsapi.ListStreamsOutput, err error) {
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		out = &dynamodbstreamsapi.ListStreamsOutput{Streams: []dynamodbstreamsapi.Stream{}}
		if bytes.Equal(from, to) {
			return nil
		}
		kvs, err := tx.Scan(from, to, limit+1, false)
		if err != nil {
			return err
		}
		for i, kv := range kvs {
			if i == limit {
				out.LastEvaluatedStreamArn = out.Streams[i-1].StreamArn
				break
			}
			at, ok := streamPlaceOf(kv.Key[2:])
			if !ok {
				return corrupt("key of a stream")
			}
			out.Streams = append(out.Streams, dynamodbstreamsapi.Stream{StreamArn: new(at.arn()), TableName: new(at.table), StreamLabel: new(labelOf(at.created))})
		}
		return nil
	})
	return out, err
}

// pageLimit is how many are asked for, of most at most; that bound is not in the model.
func pageLimit(asked *int32, most int) (int, error) {
	switch {
	case asked == nil:
		return most, nil
	case int(*asked) > most:
		return 0, errConstraints([]string{fmt.Sprintf("Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than or equal to %d", *asked, most)})
	}
	return int(*asked), nil
}
