package store

import (
	"encoding/binary"
	"errors"
	"slices"
)

// The encoding of a partition's and a producer's state, as drivers keep it between groups.
// Permanent: see docs/format/state.md. All numbers are varints unless said. Version 2 is version 1 and how a partition is
// compacted; it is written for partitions where that is not the zero value.
const (
	stateVersion     = 1
	stateVersionComp = 2
)

var errStateEncoding = errors.New("store: state is not well-formed")

// AppendPartitionState appends a partition's state to b; false when there is no such partition.
func (s *State) AppendPartitionState(b []byte, id PartitionID) ([]byte, bool) {
	p := s.partitions.Get(id)
	if p == nil {
		return b, false
	}
	h := &p.head
	version := byte(stateVersion)
	if h.Compaction != (Compaction{}) {
		version = stateVersionComp
	}
	b = append(b, version)
	for _, v := range []int64{int64(h.Start), int64(h.Next), int64(h.Epoch), b2i(h.Closed), h.LastAppend, h.Retention.Millis, h.Retention.Bytes} {
		b = binary.AppendVarint(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(p.producers)))
	for _, pid := range sortedKeys(p.producers) {
		e := p.producers[pid]
		b = binary.AppendVarint(b, int64(pid))
		b = binary.AppendVarint(b, int64(e.epoch))
		b = binary.AppendUvarint(b, uint64(len(e.last)))
		for _, l := range e.last {
			for _, v := range []int64{int64(l.First), int64(l.Last), int64(l.Base), l.AppendTime} {
				b = binary.AppendVarint(b, v)
			}
		}
	}
	b = binary.AppendUvarint(b, uint64(len(p.open)))
	for _, pid := range sortedKeys(p.open) {
		b = binary.AppendVarint(b, int64(pid))
		b = binary.AppendVarint(b, int64(p.open[pid]))
	}
	b = binary.AppendUvarint(b, uint64(len(p.aborted)))
	for _, a := range p.aborted {
		for _, v := range []int64{int64(a.Producer), int64(a.First), int64(a.Last)} {
			b = binary.AppendVarint(b, v)
		}
	}
	if version == stateVersionComp {
		b = h.Compaction.append(b)
	}
	return b, true
}

func (c *Compaction) append(b []byte) []byte {
	for _, v := range []int64{b2i(c.Enabled), c.DeleteMillis, c.MinLagMillis, c.MaxLagMillis, c.DirtyMin, c.RollMillis, c.RollBytes} {
		b = binary.AppendVarint(b, v)
	}
	return b
}

func (d *stateDecoder) compaction() Compaction {
	return Compaction{
		Enabled: d.varint() != 0, DeleteMillis: d.varint(), MinLagMillis: d.varint(), MaxLagMillis: d.varint(),
		DirtyMin: d.varint(), RollMillis: d.varint(), RollBytes: d.varint(),
	}
}

// AppendProducerState appends a producer's state to b; false when there is no such producer.
func (s *State) AppendProducerState(b []byte, id ProducerID) ([]byte, bool) {
	p, ok := s.producers[id]
	if !ok {
		return b, false
	}
	return binary.AppendVarint(append(b, stateVersion), int64(p.epoch)), true
}

// Producers lists the producers' ids in order.
func (s *State) Producers() []ProducerID { return sortedKeys(s.producers) }

// LastPartitionID is the largest id that was ever created.
func (s *State) LastPartitionID() PartitionID { return s.lastID }

// Restore sets the state's position; partitions and producers are restored beside it.
func (s *State) Restore(seq uint64, timeMillis int64, lastID PartitionID) {
	s.seq, s.time, s.lastID = seq, timeMillis, max(lastID, s.lastID)
}

// RestoreProducer reads what AppendProducerState wrote; before the partitions.
func (s *State) RestoreProducer(id ProducerID, b []byte) error {
	d := stateDecoder{b: b}
	d.version(stateVersion)
	p := &producer{epoch: int16(d.varint()), changed: s.seq}
	if d.end() != nil {
		return d.err
	}
	s.producers[id] = p
	return nil
}

// RestorePartition reads what AppendPartitionState wrote.
func (s *State) RestorePartition(id PartitionID, b []byte) error {
	d := stateDecoder{b: b}
	version := d.version(stateVersionComp)
	p := &partition{}
	h := &p.head
	h.Start, h.Next, h.Epoch = Offset(d.varint()), Offset(d.varint()), int32(d.varint())
	h.Closed = d.varint() != 0
	h.LastAppend = d.varint()
	h.Retention = Retention{Millis: d.varint(), Bytes: d.varint()}
	d.entries(p)
	for range d.count(2) {
		pid, first := ProducerID(d.varint()), Offset(d.varint())
		if p.open == nil {
			p.open = map[ProducerID]Offset{}
		}
		p.open[pid] = first
	}
	for range d.count(3) {
		p.aborted = append(p.aborted, Aborted{ProducerID(d.varint()), Offset(d.varint()), Offset(d.varint())})
	}
	if version == stateVersionComp {
		h.Compaction = d.compaction()
	}
	if d.end() != nil {
		return d.err
	}
	if h.Start < 0 || h.Next < h.Start {
		return errStateEncoding
	}
	p.touch(FieldAll, s.seq)
	p.setStable(s.seq)
	s.partitions.Set(id, p)
	s.lastID = max(s.lastID, id)
	s.setCompaction(id, p, h.Compaction)
	s.reopen(id, p)
	return nil
}

// reopen tells the producers of a restored partition's open transactions.
func (s *State) reopen(id PartitionID, p *partition) {
	for pid, first := range p.open {
		if pr := s.producers[pid]; pr != nil {
			if pr.open == nil {
				pr.open = map[PartitionID]Offset{}
			}
			pr.open[id] = first
		}
	}
}

func (d *stateDecoder) entries(p *partition) {
	for range d.count(3) {
		pid := ProducerID(d.varint())
		e := &entry{epoch: int16(d.varint())}
		n := d.count(4)
		if n > LastBatches {
			d.err = errStateEncoding
			return
		}
		for range n {
			e.last = append(e.last, LastBatch{int32(d.varint()), int32(d.varint()), Offset(d.varint()), d.varint()})
		}
		if p.producers == nil {
			p.producers = map[ProducerID]*entry{}
		}
		p.producers[pid] = e
	}
}

type stateDecoder struct {
	b   []byte
	err error
}

// version reads the first byte, which is from 1 to most.
func (d *stateDecoder) version(most byte) byte {
	if len(d.b) == 0 || d.b[0] < 1 || d.b[0] > most {
		d.b, d.err = nil, errStateEncoding
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *stateDecoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.b, d.err = nil, errStateEncoding
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads how many elements of at least size bytes follow.
func (d *stateDecoder) count(size int) int {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > uint64(len(d.b)/size) {
		d.b, d.err = nil, errStateEncoding
		return 0
	}
	d.b = d.b[n:]
	return int(v)
}

func (d *stateDecoder) end() error {
	if d.err == nil && len(d.b) != 0 {
		d.err = errStateEncoding
	}
	return d.err
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func sortedKeys[K ~int64 | ~uint64, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
