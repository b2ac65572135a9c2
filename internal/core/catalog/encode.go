package catalog

import (
	"encoding/binary"
	"errors"
	"math"

	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// Versions that begin the values.
const (
	topicVersion  = 1
	chunkVersion  = 1
	numberVersion = 1
	regionVersion = 1
)

// errValue is what a decoder says of bytes that it does not know; open adds the key.
var errValue = errors.New("not a catalogue value of a known version")

// The kinds of keys, the second byte of a key of FamilyTopic.
const (
	kindTopic     = 0x01 // number
	kindChunk     = 0x02 // number, chunk
	kindName      = 0x03 // account 0 region 0 name
	kindKafka     = 0x04 // Kafka name
	kindAttribute = 0x05 // number, attribute name
	kindID        = 0x06 // id
	kindDue       = 0x07 // due time, number
)

func key(kind byte, size int) []byte {
	return append(make([]byte, 0, 2+size), byte(store.FamilyTopic), kind)
}

func topicKey(num uint64) []byte {
	return binary.BigEndian.AppendUint64(key(kindTopic, 8), num)
}

func chunkKey(num uint64, chunk int) []byte {
	k := binary.BigEndian.AppendUint64(key(kindChunk, 12), num)
	return binary.BigEndian.AppendUint32(k, uint32(chunk))
}

// placeKey begins the keys of all names in an account and region.
func placeKey(account, region string) []byte {
	k := append(key(kindName, 128), account...)
	k = append(append(k, 0), region...)
	return append(k, 0)
}

func nameKey(account, region, name string) []byte {
	return append(placeKey(account, region), name...)
}

func kafkaKey(name string) []byte { return append(key(kindKafka, len(name)), name...) }

func attributeKey(num uint64, name string) []byte {
	k := binary.BigEndian.AppendUint64(key(kindAttribute, 8+len(name)), num)
	return append(k, name...)
}

func idKey(id ID) []byte { return append(key(kindID, 16), id[:]...) }

func dueKey(due int64, num uint64) []byte {
	k := binary.BigEndian.AppendUint64(key(kindDue, 16), uint64(due))
	return binary.BigEndian.AppendUint64(k, num)
}

// regionKey holds the default region once it is known.
func regionKey() []byte { return append([]byte{byte(store.FamilySetting)}, "region"...) }

// encodeNumber is the value of the keys that lead to a topic.
func encodeNumber(num uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{numberVersion}, num)
}

func decodeNumber(v []byte) (uint64, error) {
	if len(v) != 9 || v[0] != numberVersion {
		return 0, errValue
	}
	return binary.BigEndian.Uint64(v[1:]), nil
}

func encodeTopic(t *Topic) []byte {
	be := binary.BigEndian
	v := make([]byte, 0, 64+len(t.Account)+len(t.Region)+len(t.Name)+len(t.Kafka))
	v = append(v, topicVersion)
	v = append(v, t.ID[:]...)
	v = append(v, byte(t.State), byte(t.Origin))
	v = be.AppendUint64(v, uint64(t.Created))
	v = be.AppendUint64(v, uint64(t.Due))
	v = be.AppendUint64(v, t.Revision)
	v = be.AppendUint32(v, uint32(t.Partitions))
	for _, s := range []string{t.Account, t.Region, t.Name, t.Kafka} {
		v = append(append(v, byte(len(s))), s...)
	}
	return v
}

func decodeTopic(num uint64, v []byte) (*Topic, error) {
	d := field.Reader{B: v}
	if d.Byte() != topicVersion {
		return nil, errValue
	}
	t := &Topic{Num: num}
	copy(t.ID[:], d.Take(16))
	t.State, t.Origin = State(d.Byte()), Origin(d.Byte())
	t.Created, t.Due = int64(d.Uint64()), int64(d.Uint64())
	t.Revision = d.Uint64()
	t.Partitions = int(d.Uint32())
	t.Account, t.Region, t.Name, t.Kafka = d.Text8(), d.Text8(), d.Text8(), d.Text8()
	t.due = t.Due
	if !d.Done() || t.Partitions > MaxHistory {
		return nil, errValue
	}
	return t, nil
}

// chunkSize is how many partitions stand in one value: with a service's usual 60 bytes each that is
// 20 KiB, so that changing one shard of a large stream stays cheap and reading all is a few keys.
const chunkSize = 256

func encodeChunk(parts []Partition) []byte {
	be := binary.BigEndian
	v := make([]byte, 0, 3+len(parts)*80)
	v = append(v, chunkVersion)
	v = be.AppendUint16(v, uint16(len(parts)))
	for i := range parts {
		v = be.AppendUint64(v, uint64(parts[i].ID))
		v = be.AppendUint64(v, uint64(parts[i].Created))
		v = be.AppendUint16(v, uint16(len(parts[i].Attr)))
		v = append(v, parts[i].Attr...)
	}
	return v
}

// decodeChunk appends the partitions of a chunk to dst; attributes point into v.
func decodeChunk(dst []Partition, v []byte) ([]Partition, error) {
	d := field.Reader{B: v}
	if d.Byte() != chunkVersion {
		return nil, errValue
	}
	n := int(d.Uint16())
	if n == 0 || n > chunkSize {
		return nil, errValue
	}
	for range n {
		p := Partition{ID: store.PartitionID(d.Uint64()), Created: int64(d.Uint64())}
		size := int(d.Uint16())
		if size > MaxAttr {
			return nil, errValue
		}
		if size > 0 {
			p.Attr = d.Take(size)
		}
		if d.Bad {
			return nil, errValue
		}
		dst = append(dst, p)
	}
	if len(d.B) > 0 {
		return nil, errValue
	}
	return dst, nil
}

func decodeRegion(v []byte) (string, error) {
	if len(v) < 2 || v[0] != regionVersion || len(v) > 1+math.MaxUint8 {
		return "", errValue
	}
	return string(v[1:]), nil
}
