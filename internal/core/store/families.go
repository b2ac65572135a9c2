package store

// Family is the first byte of every key: who owns it and how the rest is laid out.
//
// Permanent: a number is never given another meaning. A store refuses to open when it
// holds a family that the binary does not know.
type Family byte

// The families. 0x00 belongs to the drivers and cannot be read or written through Tx.
const (
	FamilyDriver  Family = 0x00 // the driver's own: level, partition states, file lists
	FamilyCounter Family = 0x01 // dense numbers, never reused: name → uint64
	FamilyLease   Family = 0x02 // core/lease
	FamilySetting Family = 0x03 // settings of the whole store: default region, cluster id, root keys' names
	FamilyDataKey Family = 0x04 // data keys of topics and tables, wrapped by the root key
	FamilyTopic   Family = 0x10 // topics and streams: catalogue, names, shards, tags
	FamilyQuota   Family = 0x11 // quotas and account settings of streams

	FamilyKafkaGroup  Family = 0x20 // consumer groups: members, generation, assignment
	FamilyKafkaOffset Family = 0x21 // committed offsets of groups, and those of open transactions
	FamilyKafkaTxn    Family = 0x22 // transactional ids
	FamilyKafkaConfig Family = 0x23 // configs of topics and brokers
	FamilyKafkaUser   Family = 0x24 // SCRAM credentials

	FamilyTable Family = 0x30 // tables of DynamoDB: catalogue, items, states

	FamilyMetric Family = 0x38 // metrics of CloudWatch: names, points
)

// Level is the format level of a store. A binary reads levels 1 to LevelRead, and writes a new
// store at LevelWrite; it refuses a store whose level is above LevelRead.
type Level uint32

// The levels of this binary.
const (
	LevelRead  Level = 1
	LevelWrite Level = 1
)

// Known tells whether this binary knows the family.
func (f Family) Known() bool {
	switch f {
	case FamilyDriver, FamilyCounter, FamilyLease, FamilySetting, FamilyDataKey, FamilyTopic, FamilyQuota,
		FamilyKafkaGroup, FamilyKafkaOffset, FamilyKafkaTxn, FamilyKafkaConfig, FamilyKafkaUser,
		FamilyTable, FamilyMetric:
		return true
	}
	return false
}
