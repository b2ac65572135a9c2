package catalog

import (
	"errors"
	"fmt"

	"millrace/internal/core/store"
)

// ID is a topic's id outside: random, never used again.
type ID [16]byte

// State says where in its life a topic is.
type State uint8

// The states. Permanent: they stand in values.
const (
	StateActive   State = 1
	StateCreating State = 2 // becomes active at Due
	StateDeleting State = 3 // is removed at Due
	StateUpdating State = 4
)

func (s State) String() string {
	switch s {
	case StateActive:
		return "ACTIVE"
	case StateCreating:
		return "CREATING"
	case StateDeleting:
		return "DELETING"
	case StateUpdating:
		return "UPDATING"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Origin says which protocol made a topic; the rules for its shards depend on it.
type Origin uint8

// The origins. Permanent: they stand in values.
const (
	OriginKinesis Origin = 1
	OriginKafka   Origin = 2
	// OriginTable is that of internal topics: captures of changes of a table. They have no name in their account and region, so that
	// Kinesis has no streams of them, and cannot be written by clients.
	OriginTable Origin = 3
)

// Topic is one topic as the catalogue knows it.
type Topic struct {
	Num     uint64 // dense, from 1, never reused; Create sets it
	ID      ID
	Account string // 12 digits
	Region  string // empty: the default region
	Name    string // unique in account and region, 1 to 249 bytes; of internal topics the table's, 3 to 255
	Kafka   string // unique among all topics, 1 to 249 bytes; Create sets it; of internal topics the newest has it
	Origin  Origin
	State   State
	Created int64 // ms since 1970, store time
	Due     int64 // ms since 1970 when the state ends; 0: it does not end by itself
	// Revision rises with every change of the topic, its attributes and partitions, so that a copy in
	// memory is known to be current by reading one key.
	Revision   uint64
	Partitions int // how many there ever were; indexes are 0 to Partitions-1

	due int64 // as stored
}

// Partition is one partition of a topic.
type Partition struct {
	ID      store.PartitionID // 0: forgotten, there is nothing in the store any more
	Created int64             // ms since 1970, store time
	Attr    []byte            // of the service that made it, at most MaxAttr bytes; nil: none
}

// Limits of what a catalogue value may hold.
const (
	MaxName       = 249    // Kafka's limit for a topic name; Kinesis names end at 128
	MaxAttr       = 1024   // bytes of a partition's attribute: 256 of them stay far below a value's 2 MiB
	MaxPartitions = 10_000 // that a topic gets at once: as many as one transaction can create
	// MaxHistory is how many partitions a topic may ever have, forgotten ones included: they are read
	// together, 10 MB then.
	MaxHistory = 100_000
)

// Errors to compare with errors.Is.
var (
	ErrNotFound = errors.New("catalog: no such topic")
	ErrExists   = errors.New("catalog: name is taken in its account and region")
	ErrReserved = errors.New("catalog: Kafka name is taken")
	ErrName     = errors.New("catalog: name, account or region is not well-formed")
	ErrTooMany  = errors.New("catalog: more partitions than a topic can have")
	ErrTooLarge = errors.New("catalog: attribute is too large")
)
