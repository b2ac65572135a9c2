package dynamodb

import (
	"context"
	"errors"
	"strings"

	"millrace/internal/api"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/capture"
)

// streamView is a stream as one moment shows it, with what is needed to read it.
type streamView struct {
	*stream
	parts  []catalog.Partition // of its capture
	slices []capture.Slice     // of parts
	now    int64               // store time, ms
}

// lookStream reads a stream; nil when there is none, or none that can still be read.
func (s *Service) lookStream(ctx context.Context, at streamPlace) (v *streamView, err error) {
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		v = nil
		r, err := readStream(tx, at)
		if err != nil || r == nil {
			return err
		}
		topic, err := s.cat.Get(tx, r.topic)
		if err != nil {
			return err
		}
		found := &streamView{stream: r, now: tx.Now()}
		if found.parts, err = s.cat.Partitions(tx, topic); err != nil {
			return err
		}
		found.slices, err = slicesOf(found.parts)
		v = found
		return err
	})
	return v, err
}

// openStream finds the stream of an ARN, without shards that are too old.
//
// Errors: ValidationException, AccessDeniedException, ResourceNotFoundException, those of the store.
func (s *Service) openStream(ctx context.Context, arn string) (*streamView, error) {
	call := api.CallFrom(ctx)
	at, err := streamAddress(call, arn)
	if err != nil {
		return nil, err
	}
	if err := s.settle(ctx, call); err != nil {
		return nil, err
	}
	return s.readableStream(ctx, at)
}

func (s *Service) readableStream(ctx context.Context, at streamPlace) (*streamView, error) {
	v, err := s.lookStream(ctx, at)
	if err != nil {
		return nil, err
	}
	if v == nil || v.ended != 0 && v.ended <= v.oldest() {
		return nil, errNoStream(at.arn())
	}
	v.shards.Drop(v.oldest())
	return v, nil
}

// oldest is the time of the oldest change that can be read, in ms.
func (v *streamView) oldest() int64 { return v.now - maxChangeAge.Milliseconds() }

// number is the sequence number at an offset of a partition.
func (v *streamView) number(partition int, at store.Offset) string {
	return capture.Number(partition, v.slices[partition].Base, at)
}

// bounds are the offsets of a shard, of which records before first are too old to be read.
func (s *Service) bounds(ctx context.Context, v *streamView, sh *capture.Shard) (first, end store.Offset, err error) {
	id := v.parts[sh.Partition].ID
	head, err := s.store.Head(ctx, id)
	if err != nil {
		return 0, 0, err
	}
	at, _, err := s.store.Seek(ctx, id, v.oldest(), store.SeekAppendTime)
	if err != nil {
		return 0, 0, err
	}
	end = sh.End(head.Next)
	return min(max(sh.From, head.Start, at), end), end, nil
}

// iterator is where a reader stands: at an offset of a shard.
type iterator struct {
	created int64 // ms, store time
	stream  streamPlace
	shard   capture.ShardID
	at      store.Offset
}

// streamsError is apiError for DynamoDB Streams: its clients know no throughput of tables.
func streamsError(err error) error {
	if errors.Is(err, store.ErrNoPartition) {
		return errNoShard() // it was deleted since it was looked up
	}
	return apiError(err)
}

// cutLast cuts s around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
