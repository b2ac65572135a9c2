package journal

import (
	"errors"

	"millrace/internal/core/store"
)

var (
	// errNoGroup: there is nothing here that this file's writer began.
	errNoGroup = errors.New("journal: no group")
	// errTorn: something was begun here and is not whole.
	errTorn = errors.New("journal: group is not whole")
)

// decodeGroup reads header and meta, which b holds whole, with pos as the group's place in the file. Keys
// and values are copied out of b.
func decodeGroup(b []byte, h Header, pos int64) (*Group, error) {
	meta := b[:HeaderSize+h.Meta]
	if le.Uint32(meta[92:]) != headerSum(meta) {
		return nil, errTorn
	}
	g := &Group{Header: h, Pos: pos, Data: store.Group{Seq: h.Seq, Time: h.Time}}
	d := decoder{b: append([]byte(nil), meta[HeaderSize:]...)}
	d.entries(g)
	for range h.Parts {
		g.Data.Parts = append(g.Data.Parts, d.part())
	}
	for range h.Producers {
		v := d.take(producerSize)
		g.Data.Producers = append(g.Data.Producers, store.ProducerChange{
			Kind: store.ProducerKind(v[0]), Producer: store.ProducerID(le.Uint64(v[1:])), Epoch: int16(le.Uint16(v[9:])),
		})
	}
	for range h.Keys {
		g.Data.Keys = append(g.Data.Keys, d.key())
	}
	if d.bad || len(d.b) != 0 {
		return nil, errTorn
	}
	return g, nil
}

type decoder struct {
	b   []byte
	bad bool
}

var zeros [EntrySize]byte

// take returns the next n (at most EntrySize) bytes, or zeros when there are fewer.
func (d *decoder) take(n int) []byte {
	if len(d.b) < n {
		d.bad = true
		return zeros[:n]
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) entries(g *Group) {
	h := &g.Header
	g.Data.Appends = make([]store.Append, h.Appends)
	g.Stored = make([]Stored, h.Appends)
	at := int64(HeaderSize + h.Meta)
	for i := range h.Appends {
		a, s := &g.Data.Appends[i], &g.Stored[i]
		decodeEntry(d.take(EntrySize), a, s)
		s.Pos = g.Pos + at
		at += int64(s.Len)
		d.bad = d.bad || !offsetsFit(a)
	}
	if at != int64(h.Length) {
		d.bad = true
	}
}

// decodeEntry reads one batch of the directory, but for its place.
func decodeEntry(v []byte, a *store.Append, s *Stored) {
	_ = v[EntrySize-1]
	*a = store.Append{
		Partition: store.PartitionID(le.Uint64(v[0:])), Base: store.Offset(le.Uint64(v[8:])),
		AppendTime: int64(le.Uint64(v[16:])), MaxTimestamp: int64(le.Uint64(v[24:])),
		Producer: store.ProducerID(le.Uint64(v[32:])),
		Count:    int32(le.Uint32(v[48:])), LeaderEpoch: int32(le.Uint32(v[52:])), Sequence: int32(le.Uint32(v[56:])),
		Attributes: int16(le.Uint16(v[72:])), ProducerEpoch: int16(le.Uint16(v[74:])), Marker: store.Marker(v[76]),
	}
	*s = Stored{
		KeyID: le.Uint64(v[40:]), Len: le.Uint32(v[60:]), PlainLen: le.Uint32(v[64:]), CRC: le.Uint32(v[68:]),
		Encoding: Encoding(v[77]), Nonce: [12]byte(v[84:96]),
	}
	a.Size, a.Key = int(s.Len), s.KeyID
}

// offsetsFit tells whether a batch takes offsets that there are.
func offsetsFit(a *store.Append) bool {
	return a.Count >= 1 && a.Base >= 0 && a.Base <= store.OffsetMax-store.Offset(a.Count)
}

func (d *decoder) part() store.PartitionChange {
	v := d.take(partBase)
	c := store.PartitionChange{Kind: store.PartitionKind(v[0]), Partition: store.PartitionID(le.Uint64(v[1:]))}
	if c.Kind < store.PartitionCreate || c.Kind > store.PartitionForget {
		d.bad = true
		return c
	}
	v = d.take(partSize(&c) - partBase)
	switch c.Kind {
	case store.PartitionCreate:
		c.Epoch = int32(le.Uint32(v))
		c.Retention = store.Retention{Millis: int64(le.Uint64(v[4:])), Bytes: int64(le.Uint64(v[12:]))}
	case store.PartitionTrim, store.PartitionForget:
		c.To = store.Offset(le.Uint64(v))
	case store.PartitionEpoch:
		c.Epoch = int32(le.Uint32(v))
	case store.PartitionRetention:
		c.Retention = store.Retention{Millis: int64(le.Uint64(v)), Bytes: int64(le.Uint64(v[8:]))}
	case store.PartitionCompaction:
		d.bad = d.bad || v[0] > 1
		c.Compaction = store.Compaction{
			Enabled: v[0] == 1, DeleteMillis: int64(le.Uint64(v[1:])), MinLagMillis: int64(le.Uint64(v[9:])),
			MaxLagMillis: int64(le.Uint64(v[17:])), DirtyMin: int64(le.Uint32(v[25:])),
			RollMillis: int64(le.Uint64(v[29:])), RollBytes: int64(le.Uint64(v[37:])),
		}
	case store.PartitionClose, store.PartitionDelete:
	}
	return c
}

func (d *decoder) key() store.KeyChange {
	v := d.take(keyOverhead)
	keyLen, valueLen := int(le.Uint32(v)), int(le.Uint32(v[4:]))
	deleted := valueLen == 0
	if !deleted {
		valueLen--
	}
	if keyLen > len(d.b) || valueLen > len(d.b)-keyLen {
		d.bad = true
		return store.KeyChange{}
	}
	c := store.KeyChange{Key: d.b[:keyLen:keyLen]}
	if !deleted {
		c.Value = d.b[keyLen : keyLen+valueLen : keyLen+valueLen]
	}
	d.b = d.b[keyLen+valueLen:]
	return c
}
