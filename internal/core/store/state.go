package store

import (
	"maps"
	"math"
	"slices"
)

// State is heads, producers and open transactions after some group. It is not safe for
// concurrent use; a driver keeps two: one that it decides on, one that readers see.
type State struct {
	seq        uint64
	time       int64
	partitions Table[partition]
	producers  map[ProducerID]*producer
	lastID     PartitionID          // the largest id ever created
	compacted  map[PartitionID]bool // partitions with Compaction.Enabled

	// Sequences of the last groups that deleted a partition and a producer: what is missing now may
	// have been there for a snapshot before them.
	partitionsDeleted uint64
	producersDeleted  uint64

	warmed uint64
}

// partition has what an append of loose records needs in its first 128 bytes, of the 256 that are allocated for it: two
// lines of memory.
type partition struct {
	// The append of the group being decided that takes further loose records.
	looseGroup uint64
	looseIndex int

	open    map[ProducerID]Offset // first offset of the open transaction here
	changed [6]uint64             // sequence of the last group that changed each field, by bit
	head    Head

	producers map[ProducerID]*entry
	aborted   []Aborted // in order of Last, those that end at or after Start

	_ [256 - 224]byte
}

// entry is what a partition remembers of a producer: its last batches, oldest first.
type entry struct {
	epoch int16
	last  []LastBatch
}

// LastBatch is one remembered batch of a producer.
type LastBatch struct {
	First, Last int32 // sequence numbers
	Base        Offset
	AppendTime  int64
}

type producer struct {
	epoch   int16
	open    map[PartitionID]Offset
	changed uint64
}

// NewState returns the state before the first group.
func NewState() *State {
	return &State{producers: map[ProducerID]*producer{}, compacted: map[PartitionID]bool{}}
}

// Sequence is that of the last group decided or applied.
func (s *State) Sequence() uint64 { return s.seq }

// Time is store time of the last group, ms since 1970.
func (s *State) Time() int64 { return s.time }

// Head returns a partition's head.
func (s *State) Head(id PartitionID) (Head, bool) {
	p := s.partitions.Get(id)
	if p == nil {
		return Head{}, false
	}
	return p.head, true
}

// HeadChangedSince tells whether a field of fields was changed by a group after seq.
func (s *State) HeadChangedSince(id PartitionID, fields HeadField, seq uint64) bool {
	p := s.partitions.Get(id)
	if p == nil {
		return id <= s.lastID && s.partitionsDeleted > seq
	}
	for bit := range p.changed {
		if fields&(1<<bit) != 0 && p.changed[bit] > seq {
			return true
		}
	}
	return false
}

// Producer returns a producer with its open partitions.
func (s *State) Producer(id ProducerID) (Producer, bool) {
	p, ok := s.producers[id]
	if !ok {
		return Producer{}, false
	}
	return Producer{Epoch: p.epoch, Open: p.openPartitions(math.MaxInt)}, true
}

// ProducerPartitions lists the partitions that remember batches of a producer, in order: those whose
// kept state changes when the producer is deleted.
func (s *State) ProducerPartitions(id ProducerID) []PartitionID {
	var ids []PartitionID
	for partition, p := range s.partitions.All() {
		if _, ok := p.producers[id]; ok {
			ids = append(ids, partition)
		}
	}
	return ids
}

// ProducerChangedSince tells whether a producer was changed by a group after seq.
func (s *State) ProducerChangedSince(id ProducerID, seq uint64) bool {
	p, ok := s.producers[id]
	if !ok {
		return s.producersDeleted > seq
	}
	return p.changed > seq
}

// Partitions lists ids upwards of from, which is one of them.
func (s *State) Partitions(from PartitionID, limit int) []PartitionID {
	var ids []PartitionID
	for id := range s.partitions.From(from) {
		if len(ids) == limit {
			break
		}
		ids = append(ids, id)
	}
	return ids
}

// Compacted lists the partitions that are compacted, in order.
func (s *State) Compacted() []PartitionID { return sortedKeys(s.compacted) }

// Aborted returns the aborted transactions that have a batch in [from, to), in order of Last.
func (s *State) Aborted(id PartitionID, from, to Offset) []Aborted {
	p := s.partitions.Get(id)
	if p == nil {
		return nil
	}
	var found []Aborted
	for _, a := range p.aborted {
		if a.First < to && a.Last >= from {
			found = append(found, a)
		}
	}
	return found
}

func (p *producer) openPartitions(limit int) []OpenPartition {
	if len(p.open) == 0 {
		return nil
	}
	open := make([]OpenPartition, 0, len(p.open))
	for id, first := range p.open {
		open = append(open, OpenPartition{id, first})
	}
	slices.SortFunc(open, func(a, b OpenPartition) int {
		if a.Partition < b.Partition {
			return -1
		}
		return 1
	})
	return open[:min(limit, len(open))]
}

// Apply makes a group that was decided elsewhere, or read back, part of s.
//
// The order inside of a group is fixed: creations, producers, appends, other changes of
// partitions, then producers and partitions that go.
func (s *State) Apply(g *Group) {
	s.seq, s.time = g.Seq, max(s.time, g.Time)
	for i := range g.Parts {
		if g.Parts[i].Kind == PartitionCreate {
			s.applyPart(&g.Parts[i])
		}
	}
	for i := range g.Producers {
		if g.Producers[i].Kind == ProducerInit {
			s.applyProducer(&g.Producers[i])
		}
	}
	s.warmed = s.warmAppends(g.Appends)
	for i := range g.Appends {
		s.applyAppend(&g.Appends[i])
	}
	for i := range g.Parts {
		if k := g.Parts[i].Kind; k != PartitionCreate && k != PartitionDelete {
			s.applyPart(&g.Parts[i])
		}
	}
	for i := range g.Parts {
		if g.Parts[i].Kind == PartitionDelete {
			s.applyPart(&g.Parts[i])
		}
	}
	for i := range g.Producers {
		if g.Producers[i].Kind == ProducerDelete {
			s.applyProducer(&g.Producers[i])
		}
	}
}

func (s *State) applyPart(c *PartitionChange) {
	if c.Kind == PartitionCreate {
		p := &partition{head: Head{Epoch: c.Epoch, Retention: c.Retention}}
		p.touch(FieldAll, s.seq)
		s.partitions.Set(c.Partition, p)
		s.lastID = max(s.lastID, c.Partition)
		return
	}
	p := s.partitions.Get(c.Partition)
	if p == nil {
		return
	}
	switch c.Kind {
	case PartitionClose:
		p.head.Closed = true
		p.touch(FieldOpen, s.seq)
	case PartitionTrim:
		s.trim(p, c.To)
	case PartitionEpoch:
		p.head.Epoch = c.Epoch
		p.looseGroup = 0 // later records of this group need a batch with the new epoch
		p.touch(FieldEpoch, s.seq)
	case PartitionRetention:
		p.head.Retention = c.Retention
		p.touch(FieldRetention, s.seq)
	case PartitionCompaction:
		s.setCompaction(c.Partition, p, c.Compaction)
		p.touch(FieldRetention, s.seq)
	case PartitionForget:
		p.forgetAborted(c.To)
		p.touch(FieldRetention, s.seq) // so that drivers keep the state anew
	case PartitionDelete:
		for id := range p.open {
			if pr := s.producers[id]; pr != nil {
				delete(pr.open, c.Partition)
				pr.changed = s.seq
			}
		}
		s.partitions.Delete(c.Partition)
		delete(s.compacted, c.Partition)
		s.partitionsDeleted = s.seq
	case PartitionCreate:
	}
}

func (s *State) trim(p *partition, to Offset) {
	to = min(to, p.head.Next)
	if to <= p.head.Start {
		return
	}
	p.head.Start = to
	p.touch(FieldStart, s.seq)
	p.forgetAborted(to)
}

func (p *partition) forgetAborted(to Offset) {
	p.aborted = slices.DeleteFunc(p.aborted, func(a Aborted) bool { return a.Last < to })
}

func (s *State) setCompaction(id PartitionID, p *partition, c Compaction) {
	p.head.Compaction = c
	if c.Enabled {
		s.compacted[id] = true
	} else {
		delete(s.compacted, id)
	}
}

func (s *State) applyProducer(c *ProducerChange) {
	if c.Kind == ProducerDelete {
		delete(s.producers, c.Producer)
		s.producersDeleted = s.seq
		for _, p := range s.partitions.All() {
			delete(p.producers, c.Producer)
		}
		return
	}
	p, ok := s.producers[c.Producer]
	if !ok {
		p = &producer{}
		s.producers[c.Producer] = p
	}
	p.epoch, p.changed = c.Epoch, s.seq
}

func (s *State) applyAppend(a *Append) {
	p := s.partitions.Get(a.Partition)
	if p == nil {
		return
	}
	s.advance(p, a.Next(), a.AppendTime)
	if a.Producer == NoProducer {
		p.setStable(s.seq)
		return
	}
	switch {
	case a.Marker != MarkerNone:
		s.endOpen(p, a)
	default:
		p.remember(a)
		if a.Attributes&attrTransactional != 0 {
			s.extendOpen(p, a)
		}
	}
	p.setStable(s.seq)
}

// advance moves the head to next; the caller sets LastStable.
func (s *State) advance(p *partition, next Offset, appendTime int64) {
	p.head.Next = next
	p.head.LastAppend = max(p.head.LastAppend, appendTime)
	p.touch(FieldNext, s.seq)
}

func (p *partition) remember(a *Append) {
	if a.Sequence < 0 {
		return
	}
	e := p.producers[a.Producer]
	if e == nil {
		e = &entry{}
		if p.producers == nil {
			p.producers = map[ProducerID]*entry{}
		}
		p.producers[a.Producer] = e
	}
	if e.epoch != a.ProducerEpoch {
		e.epoch, e.last = a.ProducerEpoch, e.last[:0]
	}
	if len(e.last) == LastBatches {
		e.last = append(e.last[:0], e.last[1:]...)
	}
	e.last = append(e.last, LastBatch{a.Sequence, addSequence(a.Sequence, a.Count-1), a.Base, a.AppendTime})
}

func (s *State) extendOpen(p *partition, a *Append) {
	if _, ok := p.open[a.Producer]; ok {
		return
	}
	if p.open == nil {
		p.open = map[ProducerID]Offset{}
	}
	p.open[a.Producer] = a.Base
	pr := s.producers[a.Producer]
	if pr == nil {
		return
	}
	if pr.open == nil {
		pr.open = map[PartitionID]Offset{}
	}
	pr.open[a.Partition] = a.Base
	pr.changed = s.seq
}

func (s *State) endOpen(p *partition, a *Append) {
	first, ok := p.open[a.Producer]
	if !ok {
		return
	}
	delete(p.open, a.Producer)
	if a.Marker == MarkerAbort {
		p.aborted = append(p.aborted, Aborted{a.Producer, first, a.Base})
	}
	if pr := s.producers[a.Producer]; pr != nil {
		delete(pr.open, a.Partition)
		pr.changed = s.seq
	}
}

func (p *partition) setStable(seq uint64) {
	stable := p.head.Next
	if len(p.open) > 0 { // to begin with a map costs more than the rest
		for _, first := range p.open {
			stable = min(stable, first)
		}
	}
	if stable != p.head.LastStable {
		p.head.LastStable = stable
		p.touch(FieldStable, seq)
	}
}

func (p *partition) touch(fields HeadField, seq uint64) {
	for bit := range p.changed {
		if fields&(1<<bit) != 0 {
			p.changed[bit] = seq
		}
	}
}

// addSequence adds to a sequence number, which goes on with 0 after the largest int32, as Kafka's.
func addSequence(seq, n int32) int32 {
	return int32((int64(seq) + int64(n)) % (math.MaxInt32 + 1))
}

// Clone returns a state that is changed apart from s.
func (s *State) Clone() *State {
	c := *s
	c.compacted = maps.Clone(s.compacted)
	c.partitions = Table[partition]{}
	for id, p := range s.partitions.All() {
		q := *p
		q.open, q.aborted = maps.Clone(p.open), slices.Clone(p.aborted)
		q.producers = make(map[ProducerID]*entry, len(p.producers))
		for pid, e := range p.producers {
			q.producers[pid] = &entry{epoch: e.epoch, last: slices.Clone(e.last)}
		}
		c.partitions.Set(id, &q)
	}
	c.producers = make(map[ProducerID]*producer, len(s.producers))
	for id, p := range s.producers {
		q := *p
		q.open = maps.Clone(p.open)
		c.producers[id] = &q
	}
	return &c
}
