package dynamodb

import (
	"bytes"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbstreamsapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/capture"
	"millrace/internal/wire/aws/codec"
)

// TopicView shows a capture to readers of its topic: as GetRecords shows its records, each as JSON, under the keys of its item as JSON. Safe for
// concurrent use.
type TopicView struct{ view *streamView }

// maxTopicStreams bounds the streams of one table that are looked through for the one of a topic: one a minute for a day.
const maxTopicStreams = 1440

// TopicView returns how a topic of a table is shown: as its stream is, or with both images when it has none.
//
// Errors: catalog.ErrNotFound when nothing is known of the table any more, *store.CorruptError, those of the store.
func (s *Service) TopicView(tx store.ReadTx, topic *catalog.Topic) (*TopicView, error) {
	p := place{account: topic.Account, region: topic.Region, table: topic.Name}
	if p.region == "" {
		if err := s.cat.LoadRegion(tx); err != nil {
			return nil, err
		}
		p.region, _ = s.cat.Region()
	}
	r, err := s.streamOf(tx, p, topic.Num)
	if err != nil {
		return nil, err
	}
	v := &streamView{stream: r, now: tx.Now()}
	if v.parts, err = s.cat.Partitions(tx, topic); err != nil {
		return nil, err
	}
	v.slices, err = slicesOf(v.parts)
	return &TopicView{v}, err
}

// streamOf finds the stream whose changes a topic has.
func (s *Service) streamOf(tx store.ReadTx, p place, topic uint64) (*stream, error) {
	from := streamsKey(kindStream, nil, p)
	to := bytes.Clone(from)
	to[len(to)-1]++
	kvs, err := tx.Scan(from, to, maxTopicStreams, true)
	if err != nil {
		return nil, err
	}
	for _, kv := range kvs {
		at, ok := streamPlaceOf(kv.Key[2:])
		if !ok {
			return nil, corrupt("key of a stream")
		}
		if r, err := decodeStream(at, kv.Value); err != nil || r.topic == topic {
			return r, err
		}
	}
	t, err := s.readTable(tx, p)
	if err == nil && t == nil {
		err = catalog.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &stream{at: streamPlace{place: p}, topic: topic, view: viewBoth, hash: t.hash, sort: t.sort}, nil
}

func slicesOf(parts []catalog.Partition) ([]capture.Slice, error) {
	all := make([]capture.Slice, len(parts))
	for i := range parts {
		slice, ok := capture.DecodeSlice(parts[i].Attr)
		if !ok {
			return nil, corrupt("slice of a capture")
		}
		all[i] = slice
	}
	return all, nil
}

// recordShape is that of one record of GetRecords.
var recordShape = func() *api.Shape {
	for _, m := range dynamodbstreamsapi.Bind(nil).Operations["GetRecords"].Output.Members {
		if m.Name == "Records" {
			return m.Shape.Elem
		}
	}
	panic("dynamodb: GetRecords has no records")
}()

// Show returns the key and value of a change at r.Offset of a partition, appended at r.Timestamp (ms).
//
// Errors: capture.ErrRecord, value.ErrCorrupt.
func (t *TopicView) Show(partition int, r *batch.Record) (key, value []byte, err error) {
	shown, _, err := t.view.record(partition, store.Offset(r.Offset), r.Timestamp, r.Value)
	if err != nil {
		return nil, nil, err
	}
	return shown.Dynamodb.Keys, codec.AppendJSON(nil, recordShape, &shown), nil
}
