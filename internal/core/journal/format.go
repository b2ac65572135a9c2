package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

const (
	// PageSize is what groups are aligned to: 4 KiB, the sector of today's disks and the page of
	// the cache, so that no write reads a page first.
	PageSize = 4096

	// HeaderSize is the bytes of a group's header.
	HeaderSize = 96
	// EntrySize is the bytes of one batch in the directory.
	EntrySize = 96

	// MaxGroupSize bounds what a group's header can make a reader read: a transaction of 64 MiB with
	// its directory, and a seal size of others before it.
	MaxGroupSize = 160 << 20

	groupMagic    = 0x47524c4d // "MLRG"
	formatVersion = 1
)

// FlagClean marks the empty group of a clean stop: all before it is on disk.
const FlagClean = 1

// Encoding says how a batch's bytes are stored. Permanent.
type Encoding uint8

// The encodings.
const (
	Plain  Encoding = 0
	Zstd   Encoding = 1
	Sealed Encoding = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum is CRC32C, the sum of all our formats.
func Sum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// Header is what begins a group.
type Header struct {
	Flags   uint16
	FileID  uint64 // random, of the file
	FileSeq uint64 // the file's number
	Seq     uint64 // the group's number: one more than the one before
	Durable uint64 // all groups up to this one were on disk when this one was written
	Time    int64  // store time, ms since 1970
	Length  int    // header, meta and batches, without the zeros that follow
	Meta    int    // directory, partitions, producers and keys

	Appends, Parts, Producers, Keys int
}

// Padded is the group's length up to where the next one may begin.
func (h *Header) Padded() int { return Pad(h.Length) }

// Pad rounds up to the next multiple of PageSize.
func Pad(n int) int { return (n + PageSize - 1) &^ (PageSize - 1) }

// Stored says where and how the bytes of a batch are kept.
type Stored struct {
	Pos      int64 // in the file
	Len      uint32
	PlainLen uint32
	CRC      uint32 // of the stored bytes
	Encoding Encoding
	KeyID    uint64
	Nonce    [12]byte
}

// Group is a group that was read back.
type Group struct {
	Header Header
	Pos    int64       // in the file
	Data   store.Group // Appends without payloads
	Stored []Stored    // beside Data.Appends
}

// Bound is the most bytes that Seal writes for g, padded.
func Bound(g *store.Group) int {
	n := HeaderSize + metaSize(g)
	for i := range g.Appends {
		n += g.Appends[i].Size
	}
	return Pad(n)
}

func metaSize(g *store.Group) int {
	n := EntrySize * len(g.Appends)
	for i := range g.Parts {
		n += partSize(&g.Parts[i])
	}
	n += producerSize * len(g.Producers)
	for i := range g.Keys {
		n += keyOverhead + len(g.Keys[i].Key) + len(g.Keys[i].Value)
	}
	return n
}

const (
	partBase     = 1 + 8     // kind, partition
	producerSize = 1 + 8 + 2 // kind, producer, epoch
	keyOverhead  = 4 + 4     // key length, value length + 1, or 0 for a deleted key
)

func partSize(c *store.PartitionChange) int {
	switch c.Kind {
	case store.PartitionCreate:
		return partBase + 4 + 16
	case store.PartitionTrim:
		return partBase + 8
	case store.PartitionEpoch:
		return partBase + 4
	case store.PartitionRetention:
		return partBase + 16
	case store.PartitionForget:
		return partBase + 8
	case store.PartitionCompaction:
		return partBase + 1 + 3*8 + 4 + 2*8
	case store.PartitionClose, store.PartitionDelete:
	}
	return partBase
}

// Seal writes g behind dst, whose capacity takes Bound(g) more bytes and which is then padded with
// zeros, and returns it. h gives file, flags and Durable; the rest of it is filled. keys has the data
// keys that appends name. stored, one for each append, is filled with Pos counted from pos, the
// group's place in the file.
func Seal(dst []byte, g *store.Group, h *Header, pos int64, keys datakey.Keys, stored []Stored) ([]byte, error) {
	start := len(dst)
	h.Seq, h.Time, h.Meta = g.Seq, g.Time, metaSize(g)
	h.Appends, h.Parts, h.Producers, h.Keys = len(g.Appends), len(g.Parts), len(g.Producers), len(g.Keys)
	if cap(dst)-start < HeaderSize+h.Meta {
		return dst, errors.New("journal: buffer is smaller than the group's bound")
	}
	dst = dst[:start+HeaderSize+h.Meta]
	for i := range g.Appends {
		at := len(dst)
		dst = g.Appends[i].AppendSealed(dst)
		s := Stored{Pos: pos + int64(at-start), PlainLen: uint32(len(dst) - at)}
		if key := g.Appends[i].Key; key != 0 {
			if keys[key] == nil || cap(dst)-len(dst) < store.SealOverhead {
				return dst, fmt.Errorf("journal: no room for a batch under data key %d, or the key is not there", key)
			}
			var sealed []byte
			sealed, s.Nonce = datakey.Seal(keys[key], datakey.PlaceOf(&g.Appends[i]), dst[at:])
			dst = dst[:at+len(sealed)]
			s.Encoding, s.KeyID = Sealed, key
		}
		s.Len, s.CRC = uint32(len(dst)-at), Sum(dst[at:])
		stored[i] = s
	}
	h.Length = len(dst) - start
	if h.Length > MaxGroupSize {
		return dst, store.ErrTooLarge
	}
	putMeta(dst[start+HeaderSize:], g, stored)
	putHeader(dst[start:], h)
	end := start + Pad(h.Length)
	if cap(dst) < end {
		return dst, errors.New("journal: buffer is smaller than the group's bound")
	}
	clear(dst[len(dst):end])
	return dst[:end], nil
}

var le = binary.LittleEndian

func putHeader(b []byte, h *Header) {
	le.PutUint32(b[0:], groupMagic)
	le.PutUint16(b[4:], formatVersion)
	le.PutUint16(b[6:], h.Flags)
	le.PutUint64(b[8:], h.FileID)
	le.PutUint64(b[16:], h.FileSeq)
	le.PutUint64(b[24:], h.Seq)
	le.PutUint64(b[32:], h.Durable)
	le.PutUint64(b[40:], uint64(h.Time))
	le.PutUint64(b[48:], uint64(h.Length))
	le.PutUint32(b[56:], uint32(h.Meta))
	le.PutUint32(b[60:], uint32(h.Appends))
	le.PutUint32(b[64:], uint32(h.Parts))
	le.PutUint32(b[68:], uint32(h.Producers))
	le.PutUint32(b[72:], uint32(h.Keys))
	clear(b[76:92])
	le.PutUint32(b[92:], headerSum(b[:HeaderSize+h.Meta]))
}

func headerSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:92], castagnoli), castagnoli, b[HeaderSize:])
}

// readHeader decodes a header without looking at its sum.
func readHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize || le.Uint32(b) != groupMagic {
		return Header{}, errNoGroup
	}
	if v := le.Uint16(b[4:]); v != formatVersion {
		return Header{}, fmt.Errorf("journal: group of version %d, this binary knows %d", v, formatVersion)
	}
	h := Header{
		Flags: le.Uint16(b[6:]), FileID: le.Uint64(b[8:]), FileSeq: le.Uint64(b[16:]), Seq: le.Uint64(b[24:]),
		Durable: le.Uint64(b[32:]), Time: int64(le.Uint64(b[40:])),
		Meta:    int(le.Uint32(b[56:])),
		Appends: int(le.Uint32(b[60:])), Parts: int(le.Uint32(b[64:])), Producers: int(le.Uint32(b[68:])), Keys: int(le.Uint32(b[72:])),
	}
	length := le.Uint64(b[48:])
	if length > MaxGroupSize || uint64(h.Meta)+HeaderSize > length || !h.countsFit() {
		return Header{}, errTorn
	}
	h.Length = int(length)
	return h, nil
}

// countsFit checks each count against the bytes that its elements need at least.
func (h *Header) countsFit() bool {
	return h.Appends*EntrySize+h.Parts*partBase+h.Producers*producerSize+h.Keys*keyOverhead <= h.Meta
}

func putMeta(b []byte, g *store.Group, stored []Stored) {
	for i := range g.Appends {
		putEntry(b, &g.Appends[i], &stored[i])
		b = b[EntrySize:]
	}
	for i := range g.Parts {
		b = putPart(b, &g.Parts[i])
	}
	for _, c := range g.Producers {
		b[0] = byte(c.Kind)
		le.PutUint64(b[1:], uint64(c.Producer))
		le.PutUint16(b[9:], uint16(c.Epoch))
		b = b[producerSize:]
	}
	for i := range g.Keys {
		b = putKey(b, &g.Keys[i])
	}
}

func putEntry(b []byte, a *store.Append, s *Stored) {
	le.PutUint64(b[0:], uint64(a.Partition))
	le.PutUint64(b[8:], uint64(a.Base))
	le.PutUint64(b[16:], uint64(a.AppendTime))
	le.PutUint64(b[24:], uint64(a.MaxTimestamp))
	le.PutUint64(b[32:], uint64(a.Producer))
	le.PutUint64(b[40:], s.KeyID)
	le.PutUint32(b[48:], uint32(a.Count))
	le.PutUint32(b[52:], uint32(a.LeaderEpoch))
	le.PutUint32(b[56:], uint32(a.Sequence))
	le.PutUint32(b[60:], s.Len)
	le.PutUint32(b[64:], s.PlainLen)
	le.PutUint32(b[68:], s.CRC)
	le.PutUint16(b[72:], uint16(a.Attributes))
	le.PutUint16(b[74:], uint16(a.ProducerEpoch))
	b[76] = byte(a.Marker)
	b[77] = byte(s.Encoding)
	clear(b[78:84])
	copy(b[84:96], s.Nonce[:])
}

func putPart(b []byte, c *store.PartitionChange) []byte {
	b[0] = byte(c.Kind)
	le.PutUint64(b[1:], uint64(c.Partition))
	v := b[partBase:]
	switch c.Kind {
	case store.PartitionCreate:
		le.PutUint32(v, uint32(c.Epoch))
		le.PutUint64(v[4:], uint64(c.Retention.Millis))
		le.PutUint64(v[12:], uint64(c.Retention.Bytes))
	case store.PartitionTrim, store.PartitionForget:
		le.PutUint64(v, uint64(c.To))
	case store.PartitionEpoch:
		le.PutUint32(v, uint32(c.Epoch))
	case store.PartitionRetention:
		le.PutUint64(v, uint64(c.Retention.Millis))
		le.PutUint64(v[8:], uint64(c.Retention.Bytes))
	case store.PartitionCompaction:
		putCompaction(v, &c.Compaction)
	case store.PartitionClose, store.PartitionDelete:
	}
	return b[partSize(c):]
}

func putCompaction(v []byte, c *store.Compaction) {
	v[0] = 0
	if c.Enabled {
		v[0] = 1
	}
	le.PutUint64(v[1:], uint64(c.DeleteMillis))
	le.PutUint64(v[9:], uint64(c.MinLagMillis))
	le.PutUint64(v[17:], uint64(c.MaxLagMillis))
	le.PutUint32(v[25:], uint32(c.DirtyMin))
	le.PutUint64(v[29:], uint64(c.RollMillis))
	le.PutUint64(v[37:], uint64(c.RollBytes))
}

func putKey(b []byte, k *store.KeyChange) []byte {
	le.PutUint32(b, uint32(len(k.Key)))
	if k.Value == nil {
		le.PutUint32(b[4:], 0)
	} else {
		le.PutUint32(b[4:], uint32(len(k.Value))+1)
	}
	n := keyOverhead + copy(b[keyOverhead:], k.Key)
	n += copy(b[n:], k.Value)
	return b[n:]
}
