package embedded

import (
	"cmp"
	"math/bits"
	"slices"

	"millrace/internal/core/store"
)

// sortFrom is how many batches of a group are brought into the order of partitions. A round of the mover takes a part of the
// partitions at a time and so finds that part of a group in one place: it reads some large pieces, of which each costs as
// much as the bytes of a megabyte.
const sortFrom = 64

// sortAppends brings the batches of a group that is decided into the order of partitions, where sortKeys can; those of a partition
// stay in theirs, and among those of different ones there is none. It makes use of memory that has room.
func (r *groupRoom) sortAppends(appends []store.Append) []store.Append {
	if len(appends) < sortFrom || slices.IsSortedFunc(appends, byPartition) || !r.sortKeys(appends) {
		return appends
	}
	if cap(r.spare) != cap(appends) {
		r.spare = make([]store.Append, 0, cap(appends))
	}
	sorted := r.spare[:len(appends)]
	for at, k := range r.keys {
		sorted[at] = appends[k&(1<<keyPlace-1)]
	}
	r.spare = appends
	return sorted
}

// A key to sort by is a partition's id, counted from the least one, above the place of the batch.
const (
	keyPlace = 24 // bits
	keyDigit = 8  // bits that are sorted by at once
)

// sortKeys makes r.keys and sorts them: digit by digit, from the lowest on, which for the few of ids that were given out together
// takes a tenth of the time of comparing them. False: there are too many, or their ids are too far apart for a key.
func (r *groupRoom) sortKeys(appends []store.Append) bool {
	least, most := appends[0].Partition, appends[0].Partition
	for i := range appends {
		least, most = min(least, appends[i].Partition), max(most, appends[i].Partition)
	}
	width := bits.Len64(uint64(most - least))
	if width+keyPlace > 64 || len(appends) > 1<<keyPlace {
		return false
	}
	r.keys, r.next = r.keys[:0], slices.Grow(r.next[:0], len(appends))[:len(appends)]
	for i := range appends {
		r.keys = append(r.keys, uint64(appends[i].Partition-least)<<keyPlace|uint64(i))
	}
	for shift := keyPlace; shift < keyPlace+width; shift += keyDigit {
		var starts [1 << keyDigit]int // of what has each digit
		for _, k := range r.keys {
			starts[uint8(k>>shift)]++
		}
		at := 0
		for d, n := range starts {
			starts[d], at = at, at+n
		}
		for _, k := range r.keys {
			d := uint8(k >> shift)
			r.next[starts[d]] = k
			starts[d]++
		}
		r.keys, r.next = r.next, r.keys[:len(appends)]
	}
	return true
}

func byPartition(a, b store.Append) int { return cmp.Compare(a.Partition, b.Partition) }
