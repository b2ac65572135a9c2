package store

// Thousands of partitions do not stay in the processor's memory. A load from one waits some 100 ns, and a group that decides, applies
// and indexes its batches one after the other would wait for each. So it first reads a word of each: these loads do not
// depend on each other, and a processor has many under way at once.

// warmFrom is how many partitions are worth it.
const warmFrom = 16

// Warm reads what deciding appends will look at.
func (s *State) Warm(reqs []AppendRequest) {
	if len(reqs) < warmFrom {
		return
	}
	var sum uint64
	for i := range reqs {
		if p := s.partitions.Get(reqs[i].Partition); p != nil {
			sum += p.word()
		}
	}
	s.warmed = sum
}

// warmAppends is Warm for a group that was decided elsewhere. The sum is for nothing but that the compiler has to make it.
func (s *State) warmAppends(appends []Append) (sum uint64) {
	if len(appends) < warmFrom {
		return 0
	}
	for i := range appends {
		if p := s.partitions.Get(appends[i].Partition); p != nil {
			sum += p.word()
		}
	}
	return sum
}

// word reads from both lines that an append needs.
func (p *partition) word() uint64 { return p.looseGroup + uint64(p.head.Next) }
