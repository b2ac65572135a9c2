package dynamodb

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbstreamsapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/capture"
	"millrace/internal/service/dynamodb/value"
	"millrace/internal/service/dynamodb/wirejson"
)

// streamPage gathers the records of one GetRecords.
type streamPage struct {
	svc     *Service
	view    *streamView
	shard   *capture.Shard
	limit   int // records
	next    store.Offset
	head    store.Head
	records []dynamodbstreamsapi.Record
	bytes   int // of records as AWS counts them
	full    bool
}

// take adds the records of what was read, up to the end of the shard.
//
// Errors: TrimmedDataAccessException when the first is too old, *store.CorruptError.
func (g *streamPage) take(ctx context.Context, res *store.ReadResult) error {
	if len(res.Batches) > 0 && res.Batches[0].AppendTime < g.view.oldest() {
		at, _, err := g.svc.store.Seek(ctx, g.view.parts[g.shard.Partition].ID, g.view.oldest(), store.SeekAppendTime)
		if err != nil {
			return err
		}
		if g.next < at {
			return errTrimmed()
		}
	}
	for i := range res.Batches {
		if err := g.takeBatch(&res.Batches[i]); err != nil || g.full {
			return err
		}
	}
	return nil
}

func (g *streamPage) takeBatch(b *store.Batch) error {
	var c batch.Cursor
	if err := c.Reset(b.Bytes); err != nil {
		return err
	}
	var r batch.Record
	for c.Next(&r) {
		at := store.Offset(r.Offset)
		switch {
		case at < g.next:
			continue
		case at >= g.shard.To:
			g.full = true
			return nil
		}
		record, size, err := g.view.record(g.shard.Partition, at, b.AppendTime, r.Value)
		if err != nil {
			return err
		}
		if len(g.records) > 0 && g.bytes+size > maxStreamBytes {
			g.full = true
			return nil
		}
		g.records = append(g.records, record)
		g.bytes += size
		g.next = at + 1
		if len(g.records) == g.limit {
			g.full = true
			return nil
		}
	}
	return c.Err()
}

var eventNames = map[capture.Kind]dynamodbstreamsapi.OperationType{
	capture.Insert: dynamodbstreamsapi.OperationTypeInsert, capture.Modify: dynamodbstreamsapi.OperationTypeModify, capture.Remove: dynamodbstreamsapi.OperationTypeRemove,
}

const (
	eventVersion = "1.1"
	eventSource  = "aws:dynamodb"
	// The service itself, when it removes items whose time is over. Source: developer guide, "DynamoDB Streams and time to live" (read 2026-11).
	servicePrincipal = "dynamodb.amazonaws.com"
	serviceType      = "Service"
)

// record is a stored change as clients see it, and its size as AWS counts it. It shares no memory with what is stored.
func (v *streamView) record(partition int, at store.Offset, ms int64, stored []byte) (dynamodbstreamsapi.Record, int, error) {
	c, err := capture.Decode(stored)
	if err != nil {
		return dynamodbstreamsapi.Record{}, 0, err
	}
	image := c.New
	if image == nil {
		image = c.Old
	}
	keys, size, err := v.keys(image)
	if err != nil {
		return dynamodbstreamsapi.Record{}, 0, err
	}
	d := &dynamodbstreamsapi.StreamRecord{
		// AWS tells whole seconds.
		ApproximateCreationDateTime: new(time.UnixMilli(ms).UTC().Truncate(time.Second)), Keys: keys,
		SequenceNumber: new(v.number(partition, at)), StreamViewType: new(dynamodbstreamsapi.StreamViewType(viewNames[v.view])),
	}
	if v.view == viewNew || v.view == viewBoth {
		if d.NewImage, err = imageOf(c.New); err != nil {
			return dynamodbstreamsapi.Record{}, 0, err
		}
		size += sizeOf(c.New)
	}
	if v.view == viewOld || v.view == viewBoth {
		if d.OldImage, err = imageOf(c.Old); err != nil {
			return dynamodbstreamsapi.Record{}, 0, err
		}
		size += sizeOf(c.Old)
	}
	d.SizeBytes = new(int64(size))
	r := dynamodbstreamsapi.Record{
		EventID: new(v.eventID(partition, at)), EventName: new(eventNames[c.Kind]), EventVersion: new(eventVersion), EventSource: new(eventSource),
		AwsRegion: new(v.at.region), Dynamodb: d,
	}
	if c.Expired {
		r.UserIdentity = &dynamodbstreamsapi.Identity{PrincipalId: new(servicePrincipal), Type: new(serviceType)}
	}
	return r, size, nil
}

// eventID is the same each time that a record is read, and that of no other record.
func (v *streamView) eventID(partition int, at store.Offset) string {
	be := binary.BigEndian
	b := be.AppendUint64(make([]byte, 0, 24), v.topic)
	b = be.AppendUint64(be.AppendUint64(b, uint64(partition)), uint64(at))
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// keys are the key attributes of an image, and their size.
func (v *streamView) keys(image []byte) (api.JSON, int, error) {
	view, err := value.Open(image)
	if err != nil {
		return nil, 0, err
	}
	out := append(make([]byte, 0, 96), '{')
	size := 0
	for i, name := range []string{v.hash, v.sort} {
		if name == "" {
			continue
		}
		raw, ok := view.Get(name)
		if !ok {
			return nil, 0, value.ErrCorrupt
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(wirejson.AppendString(out, name), ':')
		out = wirejson.AppendRaw(out, raw)
		size += len(name) + raw.Size()
	}
	return append(out, '}'), size, nil
}
