package catalog

import (
	"encoding/binary"

	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// attrProduced is the name of the time beside a topic when Kafka's clients last produced to it: a version and ms since
// 1970. Permanent.
const (
	attrProduced    = "kafka.produced"
	producedVersion = 1
)

// producedEvery is how often the time is written at most: one small commit an hour for a topic under load. What is
// kept may be that much too early.
const producedEvery = 3_600_000

// KafkaProduced keeps that clients of Kafka produce to topic num at now (ms since 1970, store time). It reads one key
// and writes at most once an hour, so a broker calls it once an hour for each topic that it is sent batches for, and
// before the first of them is acknowledged.
//
// Errors: ErrNotFound, *store.CorruptError, those of tx.
func KafkaProduced(tx store.Tx, num uint64, now int64) error {
	last, ok, err := lastProduced(tx, num)
	if err != nil || ok && now < last+producedEvery {
		return err
	}
	if _, ok, err = tx.Get(topicKey(num)); err != nil {
		return err
	}
	if !ok {
		return ErrNotFound // nothing would ever delete the time
	}
	return tx.Set(attributeKey(num, attrProduced), binary.BigEndian.AppendUint64([]byte{producedVersion}, uint64(now)))
}

// KafkaProducedSince tells whether clients of Kafka may have produced to topic num at since (ms since 1970, store
// time) or later. It errs by an hour on the safe side.
//
// Errors: *store.CorruptError, those of tx.
func KafkaProducedSince(tx store.ReadTx, num uint64, since int64) (bool, error) {
	last, ok, err := lastProduced(tx, num)
	return ok && last+producedEvery >= since, err
}

func lastProduced(tx store.ReadTx, num uint64) (int64, bool, error) {
	k := attributeKey(num, attrProduced)
	v, ok, err := tx.Get(k)
	if err != nil || !ok {
		return 0, false, err
	}
	if len(v) != 9 || v[0] != producedVersion {
		return 0, false, corrupt(k, errValue)
	}
	return int64(binary.BigEndian.Uint64(v[1:])), true, nil
}

// All returns at most limit topics of all accounts and regions in order of number, those after after, and whether
// there are more.
//
// Errors: *store.CorruptError, those of tx.
func (c *Catalog) All(tx store.ReadTx, after uint64, limit int) ([]*Topic, bool, error) {
	found, err := tx.Scan(topicKey(after+1), key(kindTopic+1, 0), limit+1, false)
	if err != nil {
		return nil, false, err
	}
	more := len(found) > limit
	topics := make([]*Topic, 0, limit)
	for _, kv := range found[:min(limit, len(found))] {
		d := field.Reader{B: kv.Key}
		d.Take(2)
		t, err := decodeTopic(d.Uint64(), kv.Value)
		if err != nil {
			return nil, false, corrupt(kv.Key, err)
		}
		topics = append(topics, t)
	}
	return topics, more, nil
}
