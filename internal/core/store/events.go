package store

import (
	"cmp"
	"slices"
)

// Events tells what g changed in each partition, one event for each, in order of ids. s is the state
// with g applied and no later group; the bytes are the sum of Append.Size, which a driver sets to
// the sealed size.
func (s *State) Events(g *Group) []Event {
	byID := map[PartitionID]*Event{}
	at := func(id PartitionID) *Event {
		if byID[id] == nil {
			byID[id] = &Event{Partition: id}
		}
		return byID[id]
	}
	for i := range g.Appends {
		e := at(g.Appends[i].Partition)
		e.Change |= ChangedRecords
		e.Bytes += g.Appends[i].Size
	}
	for i := range g.Parts {
		at(g.Parts[i].Partition).Change |= s.partChange(&g.Parts[i], g)
	}
	for id, e := range byID {
		if h, ok := s.Head(id); ok && h.LastStable > 0 && s.HeadChangedSince(id, FieldStable, g.Seq-1) {
			e.Change |= ChangedStable
		}
	}
	events := make([]Event, 0, len(byID))
	for _, e := range byID {
		if e.Change != 0 {
			events = append(events, *e)
		}
	}
	slices.SortFunc(events, func(a, b Event) int { return cmp.Compare(a.Partition, b.Partition) })
	return events
}

func (s *State) partChange(c *PartitionChange, g *Group) Change {
	switch c.Kind {
	case PartitionClose:
		return ChangedClosed
	case PartitionTrim:
		if _, ok := s.Head(c.Partition); ok && s.HeadChangedSince(c.Partition, FieldStart, g.Seq-1) {
			return ChangedTrimmed
		}
	case PartitionDelete:
		return ChangedDeleted
	case PartitionEpoch:
		return ChangedEpoch
	case PartitionCreate, PartitionRetention, PartitionCompaction, PartitionForget:
	}
	return 0
}
