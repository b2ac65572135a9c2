package offset

import (
	"encoding/binary"
	"errors"
	"fmt"

	"millrace/internal/core/store"
)

// The kinds of keys, the second byte.
const (
	kindCommitted = 0x01
	kindPending   = 0x02
	kindHolder    = 0x03 // a producer holds pending offsets of a group
)

// MaxGroup is the longest name of a group in bytes: half of what a string of the protocol can hold, so that
// every key stays below the store's limit.
const MaxGroup = 16 << 10

// ErrGroup is the name of a group that is too long.
var ErrGroup = errors.New("offset: name of the group is too long")

// errKey is a key of the family that is not laid out as it should be.
var errKey = errors.New("not a key of offsets")

const partitionSize = 12 // bytes of topic and partition in a key

func checkGroup(group string) error {
	if len(group) > MaxGroup {
		return ErrGroup
	}
	return nil
}

func prefix(kind byte, size int) []byte {
	return append(make([]byte, 0, 2+size), byte(store.FamilyKafkaOffset), kind)
}

func appendGroup(k []byte, group string) []byte {
	k = binary.BigEndian.AppendUint16(k, uint16(len(group)))
	return append(k, group...)
}

func appendPartition(k []byte, p Partition) []byte {
	k = binary.BigEndian.AppendUint64(k, p.Topic)
	return binary.BigEndian.AppendUint32(k, uint32(p.Index))
}

// groupKey begins the keys of a group's committed offsets.
func groupKey(group string) []byte {
	return appendGroup(prefix(kindCommitted, 2+len(group)+partitionSize), group)
}

func committedKey(group string, p Partition) []byte { return appendPartition(groupKey(group), p) }

// producerKey begins the keys of a producer's pending offsets.
func producerKey(producer store.ProducerID) []byte {
	return binary.BigEndian.AppendUint64(prefix(kindPending, 64), uint64(producer))
}

// pendingGroupKey begins the keys of a producer's pending offsets of one group.
func pendingGroupKey(producer store.ProducerID, group string) []byte {
	return appendGroup(producerKey(producer), group)
}

func pendingKey(producer store.ProducerID, group string, p Partition) []byte {
	return appendPartition(pendingGroupKey(producer, group), p)
}

// holdersKey begins the keys that name the producers with pending offsets of a group.
func holdersKey(group string) []byte { return appendGroup(prefix(kindHolder, 10+len(group)), group) }

func holderKey(group string, producer store.ProducerID) []byte {
	return binary.BigEndian.AppendUint64(holdersKey(group), uint64(producer))
}

// after is the first key that does not begin with k. No prefix here is made of 0xff alone.
func after(k []byte) []byte {
	end := append([]byte(nil), k...)
	for i := len(end) - 1; ; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
}

// cutGroup splits what follows the kind into a group and the rest.
func cutGroup(b []byte) (group string, rest []byte, err error) {
	if len(b) < 2 {
		return "", nil, errKey
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; n > MaxGroup || n > len(b) {
		return "", nil, errKey
	}
	return string(b[:n]), b[n:], nil
}

func cutPartition(b []byte) (Partition, error) {
	if len(b) != partitionSize {
		return Partition{}, errKey
	}
	return Partition{Topic: binary.BigEndian.Uint64(b), Index: int32(binary.BigEndian.Uint32(b[8:]))}, nil
}

// parseKey takes a key of kindCommitted apart.
func parseKey(k []byte) (group string, p Partition, err error) {
	if len(k) < 2 || k[1] != kindCommitted {
		return "", Partition{}, errKey
	}
	group, rest, err := cutGroup(k[2:])
	if err == nil {
		p, err = cutPartition(rest)
	}
	return group, p, err
}

// parsePending takes a key of kindPending apart.
func parsePending(k []byte) (group string, p Partition, err error) {
	if len(k) < 10 || k[1] != kindPending {
		return "", Partition{}, errKey
	}
	group, rest, err := cutGroup(k[10:])
	if err == nil {
		p, err = cutPartition(rest)
	}
	return group, p, err
}

// parseHolder takes a key of kindHolder apart.
func parseHolder(k []byte) (group string, producer store.ProducerID, err error) {
	if len(k) < 2 || k[1] != kindHolder {
		return "", 0, errKey
	}
	group, rest, err := cutGroup(k[2:])
	if err != nil || len(rest) != 8 {
		return "", 0, errKey
	}
	return group, store.ProducerID(binary.BigEndian.Uint64(rest)), nil
}

// corrupt names the key whose value cannot be read.
func corrupt(k []byte, err error) error {
	return &store.CorruptError{File: fmt.Sprintf("offset key %x", k), Reason: err.Error()}
}
