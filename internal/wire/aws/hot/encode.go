package hot

import (
	"strconv"
	"unsafe"

	"github.com/segmentio/asm/base64"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/wire/aws/codec"
)

// appendString appends a quoted string, which hardly ever needs escapes.
func appendString(b []byte, s string) []byte {
	if !plain(unsafe.Slice(unsafe.StringData(s), len(s))) { //nolint:gosec // only read
		return codec.AppendJSONString(b, s)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendPutRecord(b []byte, out *kinesisapi.PutRecordOutput) []byte {
	b = append(b, `{"ShardId":`...)
	b = appendString(b, out.ShardId)
	b = append(b, `,"SequenceNumber":`...)
	b = appendString(b, out.SequenceNumber)
	if out.EncryptionType != nil {
		b = append(b, `,"EncryptionType":`...)
		b = appendString(b, string(*out.EncryptionType))
	}
	return append(b, '}')
}

func appendPutRecords(b []byte, out *kinesisapi.PutRecordsOutput, sink Sink) []byte {
	b = append(b, '{')
	if out.FailedRecordCount != nil {
		b = append(b, `"FailedRecordCount":`...)
		b = strconv.AppendInt(b, int64(*out.FailedRecordCount), 10)
		b = append(b, ',')
	}
	b = append(b, `"Records":[`...)
	for i := range out.Records {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendResult(room(b, resultRoom, sink), &out.Records[i])
	}
	b = append(b, ']')
	if out.EncryptionType != nil {
		b = append(b, `,"EncryptionType":`...)
		b = appendString(b, string(*out.EncryptionType))
	}
	return append(b, '}')
}

func appendResult(b []byte, e *kinesisapi.PutRecordsResultEntry) []byte {
	b = append(b, '{')
	open := len(b)
	for _, m := range [...]struct {
		name  string
		value *string
	}{
		{`"SequenceNumber":`, e.SequenceNumber},
		{`"ShardId":`, e.ShardId},
		{`"ErrorCode":`, e.ErrorCode},
		{`"ErrorMessage":`, e.ErrorMessage},
	} {
		if m.value == nil {
			continue
		}
		if len(b) > open {
			b = append(b, ',')
		}
		b = append(b, m.name...)
		b = appendString(b, *m.value)
	}
	return append(b, '}')
}

func appendGetRecords(b []byte, out *kinesisapi.GetRecordsOutput, sink Sink) []byte {
	b = append(b, `{"Records":[`...)
	for i := range out.Records {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendRecord(room(b, recordRoom, sink), &out.Records[i], sink)
	}
	b = append(b, ']')
	if out.NextShardIterator != nil {
		b = append(b, `,"NextShardIterator":`...)
		b = appendString(b, *out.NextShardIterator)
	}
	if out.MillisBehindLatest != nil {
		b = append(b, `,"MillisBehindLatest":`...)
		b = strconv.AppendInt(b, *out.MillisBehindLatest, 10)
	}
	if out.ChildShards == nil {
		return append(b, '}')
	}
	// Child shards come once in the life of a shard: the general codec writes them.
	rest := &kinesisapi.GetRecordsOutput{ChildShards: out.ChildShards}
	tail := codec.AppendJSON(nil, outputShape, rest)
	return append(b, tail[len(`{"Records":[]`):]...)
}

var outputShape = kinesisapi.Bind(kinesisapi.Unimplemented{}).Operations["GetRecords"].Output

func appendRecord(b []byte, r *kinesisapi.Record, sink Sink) []byte {
	b = append(b, `{"SequenceNumber":`...)
	b = appendString(b, r.SequenceNumber)
	if r.ApproximateArrivalTimestamp != nil {
		b = append(b, `,"ApproximateArrivalTimestamp":`...)
		b = codec.AppendJSONTime(b, *r.ApproximateArrivalTimestamp)
	}
	b = append(b, `,"Data":"`...)
	b = appendBlob(b, r.Data, sink)
	b = append(b, '"')
	if r.PartitionKey != nil {
		b = append(b, `,"PartitionKey":`...)
		b = appendString(b, *r.PartitionKey)
	}
	if r.EncryptionType != nil {
		b = append(b, `,"EncryptionType":`...)
		b = appendString(b, string(*r.EncryptionType))
	}
	return append(b, '}')
}

// blobPiece is how much of a record is encoded at once: half of Room as text, and a multiple of three,
// so that there is no padding in the middle.
const blobPiece = Room / 2 / 4 * 3

// appendBlob appends base64, in pieces when it is long.
func appendBlob(b, data []byte, sink Sink) []byte {
	for len(data) > blobPiece {
		b = appendBase64(b, data[:blobPiece], sink)
		data = data[blobPiece:]
	}
	return appendBase64(b, data, sink)
}

func appendBase64(b, data []byte, sink Sink) []byte {
	n := base64.StdEncoding.EncodedLen(len(data))
	b = room(b, n, sink)
	start := len(b)
	b = b[:start+n]
	base64.StdEncoding.Encode(b[start:], data)
	return b
}

// What a result and a record need beside data and error text: names, a sequence number of at most 129
// digits, a shard id of 128 or a key of 256 characters that may all be escaped.
const (
	resultRoom = 1 << 10
	recordRoom = 4 << 10
)

// room makes sure of n free bytes, at most half of Room. What needs more than was asked for still fits,
// at the price of a larger buffer.
func room(b []byte, n int, sink Sink) []byte {
	if cap(b)-len(b) < n {
		return sink.Flush(b)
	}
	return b
}
