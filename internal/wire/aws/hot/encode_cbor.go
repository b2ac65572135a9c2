package hot

import (
	"millrace/internal/api/kinesisapi"
	"millrace/internal/wire/aws/codec"
)

// appendGetRecordsCBOR writes what codec.AppendCBOR would, in pieces.
func appendGetRecordsCBOR(b []byte, out *kinesisapi.GetRecordsOutput, sink Sink) []byte {
	b = codec.OpenCBORMap(b)
	b = codec.AppendCBORString(b, "Records")
	b = codec.AppendCBORListHead(b, len(out.Records))
	for i := range out.Records {
		b = appendRecordCBOR(room(b, recordRoom, sink), &out.Records[i], sink)
	}
	if out.NextShardIterator != nil {
		b = codec.AppendCBORString(b, "NextShardIterator")
		b = codec.AppendCBORString(b, *out.NextShardIterator)
	}
	if out.MillisBehindLatest != nil {
		b = codec.AppendCBORString(b, "MillisBehindLatest")
		b = codec.AppendCBORInt(b, *out.MillisBehindLatest)
	}
	if out.ChildShards == nil {
		return codec.CloseCBORMap(b)
	}
	// The general codec writes child shards, behind an empty list of records that is cut off.
	rest := &kinesisapi.GetRecordsOutput{ChildShards: out.ChildShards}
	tail := codec.AppendCBOR(nil, outputShape, rest)
	return append(b, tail[len("\xbf\x67Records\x80"):]...)
}

func appendRecordCBOR(b []byte, r *kinesisapi.Record, sink Sink) []byte {
	b = codec.OpenCBORMap(b)
	b = codec.AppendCBORString(b, "SequenceNumber")
	b = codec.AppendCBORString(b, r.SequenceNumber)
	if r.ApproximateArrivalTimestamp != nil {
		b = codec.AppendCBORString(b, "ApproximateArrivalTimestamp")
		b = codec.AppendCBORTime(b, *r.ApproximateArrivalTimestamp)
	}
	b = codec.AppendCBORString(b, "Data")
	b = codec.AppendCBORBlobHead(b, len(r.Data))
	b = appendRaw(b, r.Data, sink)
	if r.PartitionKey != nil {
		b = codec.AppendCBORString(b, "PartitionKey")
		b = codec.AppendCBORString(b, *r.PartitionKey)
	}
	if r.EncryptionType != nil {
		b = codec.AppendCBORString(b, "EncryptionType")
		b = codec.AppendCBORString(b, string(*r.EncryptionType))
	}
	return codec.CloseCBORMap(b)
}

// appendRaw appends data, or writes it from where it is when it is long.
func appendRaw(b, data []byte, sink Sink) []byte {
	if len(data) <= Room/4 {
		return append(room(b, len(data), sink), data...)
	}
	b = sink.Flush(b)
	sink.Flush(data)
	return b
}
