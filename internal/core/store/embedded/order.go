package embedded

import (
	"slices"

	"millrace/internal/core/store"
)

// sortFrom is how many batches of a group are brought into the order of partitions. A round of the mover takes a part of the
// partitions at a time and so finds that part of a group in one place: it reads some large pieces, of which each costs as
// much as the bytes of a megabyte.
const sortFrom = 64

// sortAppends brings the batches of a group that is decided into the order of partitions; those of a partition stay in theirs, and
// among those of different ones there is none. It makes use of memory that has room.
func (r *groupRoom) sortAppends(appends []store.Append) []store.Append {
	if len(appends) < sortFrom || slices.IsSortedFunc(appends, byPartition) {
		return appends
	}
	r.keys = r.keys[:0]
	for i := range appends {
		id := uint64(appends[i].Partition)
		if id >= 1<<40 || i >= 1<<24 {
			return appends
		}
		r.keys = append(r.keys, id<<24|uint64(i))
	}
	slices.Sort(r.keys)
	if cap(r.spare) != cap(appends) {
		r.spare = make([]store.Append, 0, cap(appends))
	}
	sorted := r.spare[:len(appends)]
	for at, k := range r.keys {
		sorted[at] = appends[k&(1<<24-1)]
	}
	r.spare = appends
	return sorted
}

func byPartition(a, b store.Append) int {
	switch {
	case a.Partition < b.Partition:
		return -1
	case a.Partition > b.Partition:
		return 1
	}
	return 0
}
