package dynamodb

import (
	"context"

	"millrace/internal/api/dynamodbstreamsapi"
	"millrace/internal/service/dynamodb/capture"
)

// DescribeStream: what a stream is, and up to 100 of its shards.
//
// Behaviour
//   - shards are in order of their ids, so that parents come before children; one whose records are all older than 24 hours is gone
//   - a closed shard has an EndingSequenceNumber, that of its last record; of a shard without records it is the starting one
//   - a page begins after ExclusiveStartShardId, which need not exist any more
//   - the filter CHILD_SHARDS shows the children of one shard
//
// Errors: ResourceNotFoundException, ValidationException
// Source: DynamoDB API reference, DescribeStream (read 2026-11)
func (s *Service) DescribeStream(ctx context.Context, in *dynamodbstreamsapi.DescribeStreamInput) (*dynamodbstreamsapi.DescribeStreamOutput, error) {
	limit, err := pageLimit(in.Limit, maxListed)
	if err != nil {
		return nil, err
	}
	parent, err := childrenOf(in.ShardFilter)
	if err != nil {
		return nil, err
	}
	v, err := s.openStream(ctx, in.StreamArn)
	if err != nil {
		return nil, streamsError(err)
	}
	d := v.description(s.opts.StateDelay.Milliseconds())
	for i := range v.shards.All {
		sh := &v.shards.All[i]
		id := sh.ID.String()
		if in.ExclusiveStartShardId != nil && id <= *in.ExclusiveStartShardId || parent != "" && sh.Parent.String() != parent {
			continue
		}
		if len(d.Shards) == limit {
			d.LastEvaluatedShardId = d.Shards[limit-1].ShardId
			break
		}
		shown, err := s.describeShard(ctx, v, sh)
		if err != nil {
			return nil, streamsError(err)
		}
		d.Shards = append(d.Shards, shown)
	}
	return &dynamodbstreamsapi.DescribeStreamOutput{StreamDescription: d}, nil
}

// childrenOf is the shard whose children are asked for; "" when there is no filter. Texts are our own.
func childrenOf(f *dynamodbstreamsapi.ShardFilter) (string, error) {
	switch {
	case f == nil:
		return "", nil
	case f.Type == nil:
		return "", errInvalid("ShardFilter must have a Type")
	case f.ShardId == nil:
		return "", errInvalid("ShardFilter of type CHILD_SHARDS must have a ShardId")
	}
	return *f.ShardId, nil
}

// description is the stream's without shards; it is between states for so many ms.
func (v *streamView) description(delay int64) *dynamodbstreamsapi.StreamDescription {
	status := dynamodbstreamsapi.StreamStatusEnabled
	switch {
	case v.ended != 0 && v.now < v.ended+delay:
		status = dynamodbstreamsapi.StreamStatusDisabling
	case v.ended != 0:
		status = dynamodbstreamsapi.StreamStatusDisabled
	case v.now < v.at.created+delay:
		status = dynamodbstreamsapi.StreamStatusEnabling
	}
	d := &dynamodbstreamsapi.StreamDescription{
		StreamArn: new(v.at.arn()), StreamLabel: new(labelOf(v.at.created)), StreamStatus: &status, TableName: new(v.at.table),
		StreamViewType: new(dynamodbstreamsapi.StreamViewType(viewNames[v.view])), CreationRequestDateTime: timeOf(v.at.created),
		KeySchema: []dynamodbstreamsapi.KeySchemaElement{{AttributeName: v.hash, KeyType: dynamodbstreamsapi.KeyTypeHash}},
		Shards:    []dynamodbstreamsapi.Shard{},
	}
	if v.sort != "" {
		d.KeySchema = append(d.KeySchema, dynamodbstreamsapi.KeySchemaElement{AttributeName: v.sort, KeyType: dynamodbstreamsapi.KeyTypeRange})
	}
	return d
}

func (s *Service) describeShard(ctx context.Context, v *streamView, sh *capture.Shard) (dynamodbstreamsapi.Shard, error) {
	r := &dynamodbstreamsapi.SequenceNumberRange{StartingSequenceNumber: new(v.number(sh.Partition, sh.From))}
	if !sh.Open() {
		head, err := s.store.Head(ctx, v.parts[sh.Partition].ID)
		if err != nil {
			return dynamodbstreamsapi.Shard{}, err
		}
		r.EndingSequenceNumber = new(v.number(sh.Partition, max(sh.End(head.Next)-1, sh.From)))
	}
	shown := dynamodbstreamsapi.Shard{ShardId: new(sh.ID.String()), SequenceNumberRange: r}
	if sh.Parent != (capture.ShardID{}) {
		shown.ParentShardId = new(sh.Parent.String())
	}
	return shown, nil
}
