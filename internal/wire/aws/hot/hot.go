package hot

import (
	"sync"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/wire/aws/bufpool"
)

// Codec is the pair of functions for one operation.
type Codec struct {
	// Decode gives the input, which is valid and lives in s and body until s is put back, or nil for
	// a body it does not know.
	Decode func(body []byte, s *Scratch) any
	// Encode appends the output to b, which has Room bytes, flushing full pieces through sink, and
	// gives what is left.
	Encode func(b []byte, out any, sink Sink) []byte
	// EncodeCBOR is Encode in CBOR; nil where the general codec is good enough.
	EncodeCBOR func(b []byte, out any, sink Sink) []byte

	// Size and Append are there instead of Encode for answers that are sent whole, since a sum of them stands in their head: Append
	// appends the output to a buffer with room for Size bytes.
	Size   func(out any) int
	Append func(b []byte, out any) []byte
}

// Sink takes pieces of an answer.
type Sink interface {
	// Flush writes b and gives it back empty. It keeps nothing of b.
	Flush(b []byte) []byte
}

// Room is how much of an answer is written at once: large enough that system calls do not count, small
// enough that the buffer stays in the second-level cache.
const Room = 64 << 10

// For gives the codec of an operation, nil for most.
func For(b *api.Binding, operation string) *Codec {
	switch b.TargetPrefix {
	case "Kinesis_20131202":
		return kinesis[operation]
	case "DynamoDB_20120810":
		if codec := dynamodb[operation]; codec != nil {
			return codec(b.Form)
		}
	}
	return nil
}

var kinesis = map[string]*Codec{
	"PutRecord": {
		Decode: func(body []byte, s *Scratch) any {
			if in := s.putRecord(body); in != nil {
				return in
			}
			return nil
		},
		Encode: func(b []byte, out any, _ Sink) []byte { return appendPutRecord(b, out.(*kinesisapi.PutRecordOutput)) },
	},
	"PutRecords": {
		Decode: func(body []byte, s *Scratch) any {
			if in := s.putRecords(body); in != nil {
				return in
			}
			return nil
		},
		Encode: func(b []byte, out any, sink Sink) []byte {
			return appendPutRecords(b, out.(*kinesisapi.PutRecordsOutput), sink)
		},
	},
	"GetRecords": {
		Decode: func(body []byte, s *Scratch) any {
			if in := s.getRecords(body); in != nil {
				return in
			}
			return nil
		},
		Encode: func(b []byte, out any, sink Sink) []byte {
			return appendGetRecords(b, out.(*kinesisapi.GetRecordsOutput), sink)
		},
		EncodeCBOR: func(b []byte, out any, sink Sink) []byte {
			return appendGetRecordsCBOR(b, out.(*kinesisapi.GetRecordsOutput), sink)
		},
	},
}

// maxEntries is the most records of a call, after the model.
const maxEntries = 500

// Scratch holds a decoded input. One serves one request at a time.
type Scratch struct {
	one  kinesisapi.PutRecordInput
	many kinesisapi.PutRecordsInput
	get  kinesisapi.GetRecordsInput

	entries []kinesisapi.PutRecordsRequestEntry
	keys    []string // what the entries' PartitionKey and ExplicitHashKey point to
	data    []byte   // pooled; what Data points into
	used    int      // bytes of data

	stream, arn string // kept from call to call: the same producer sends the same names
	iterator    string
	limit       int32
	sequence    string
	dryRun      bool

	tables *tables // nil until a call of DynamoDB came
}

var scratches = sync.Pool{New: func() any { return new(Scratch) }}

// Get takes a scratch from the pool.
func Get() *Scratch { return scratches.Get().(*Scratch) }

// Put gives it back. Nothing that was decoded with it may be used any more.
func (s *Scratch) Put() {
	if s.data != nil {
		bufpool.Put(s.data)
		s.data = nil
	}
	clear(s.entries)
	clear(s.keys)
	s.one, s.many, s.get = kinesisapi.PutRecordInput{}, kinesisapi.PutRecordsInput{}, kinesisapi.GetRecordsInput{}
	s.iterator, s.sequence = "", ""
	if s.tables != nil {
		s.tables.release()
	}
	scratches.Put(s)
}

// reserve makes room for the data of a body, which is at most three quarters of it, and for strings.
func (s *Scratch) reserve(body []byte) {
	if s.data != nil {
		bufpool.Put(s.data)
	}
	s.data = bufpool.Get(len(body)/4*3 + 3)
	s.used = 0
	s.entries = s.entries[:0]
	s.keys = s.keys[:0]
}

// keep gives old when it equals b, else a new string: repeated names cost nothing.
func keep(old *string, b []byte) *string {
	if *old != string(b) {
		*old = string(b)
	}
	return old
}
