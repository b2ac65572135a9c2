package offset

import (
	"encoding/binary"
	"errors"
)

// MaxMetadata is the default of offset.metadata.max.bytes: what a client may attach to an offset.
const MaxMetadata = 4096

const valueVersion = 1

// valueSize is a value without metadata.
const valueSize = 1 + 8 + 4 + 8

// maxValueMetadata bounds what is decoded: a string of the protocol.
const maxValueMetadata = 1<<15 - 1

var errValue = errors.New("not an offset of a known version")

// Partition is a partition of a topic by the topic's number in the catalogue.
type Partition struct {
	Topic uint64
	Index int32
}

// Entry is an offset that a group has committed, or is about to.
type Entry struct {
	Partition
	Offset      int64
	LeaderEpoch int32  // -1 when the client did not tell
	Metadata    string // the client's, returned as it came; at most MaxMetadata bytes unless configured
	Time        int64  // of the commit, ms since 1970, store time
}

func (c *Entry) encode() []byte {
	v := make([]byte, 0, valueSize+len(c.Metadata))
	v = append(v, valueVersion)
	v = binary.BigEndian.AppendUint64(v, uint64(c.Offset))
	v = binary.BigEndian.AppendUint32(v, uint32(c.LeaderEpoch))
	v = binary.BigEndian.AppendUint64(v, uint64(c.Time))
	return append(v, c.Metadata...)
}

// decode reads what encode wrote; the partition stands in the key.
func (c *Entry) decode(v []byte) error {
	if len(v) < valueSize || v[0] != valueVersion || len(v) > valueSize+maxValueMetadata {
		return errValue
	}
	c.Offset = int64(binary.BigEndian.Uint64(v[1:]))
	c.LeaderEpoch = int32(binary.BigEndian.Uint32(v[9:]))
	c.Time = int64(binary.BigEndian.Uint64(v[13:]))
	c.Metadata = string(v[valueSize:])
	return nil
}
