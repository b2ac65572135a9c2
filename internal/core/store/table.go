package store

import (
	"iter"
	"maps"
	"slices"
)

// Table keeps one T for each of some partitions. Since their ids are dense, finding one takes two loads from memory that
// is mostly near: a group may name thousands of partitions, for each of which a map would wait. Its zero value is empty. It is
// safe for concurrent reading.
type Table[T any] struct {
	low  []*tablePage[T]          // ids below lowPages * tablePageSize
	high map[uint64]*tablePage[T] // all others, which only an old and busy store has
	n    int
}

const (
	// tablePageSize is how many ids a page has: 4 KiB of pointers.
	tablePageSize = 512
	// lowPages bounds the list of pages to 512 KiB, for 33 million ids.
	lowPages = 64 << 10
)

type tablePage[T any] struct {
	n     int
	items [tablePageSize]*T
}

// Get finds what is kept for a partition; nil: nothing.
func (t *Table[T]) Get(id PartitionID) *T {
	n := uint64(id) / tablePageSize
	var p *tablePage[T]
	if n < uint64(len(t.low)) {
		p = t.low[n]
	} else if t.high != nil {
		p = t.high[n]
	}
	if p == nil {
		return nil
	}
	return p.items[id%tablePageSize]
}

// Set keeps v, which is not nil, for a partition.
func (t *Table[T]) Set(id PartitionID, v *T) {
	p := t.page(uint64(id) / tablePageSize)
	if p.items[id%tablePageSize] == nil {
		p.n++
		t.n++
	}
	p.items[id%tablePageSize] = v
}

func (t *Table[T]) page(n uint64) *tablePage[T] {
	if n >= lowPages {
		if t.high == nil {
			t.high = map[uint64]*tablePage[T]{}
		}
		if t.high[n] == nil {
			t.high[n] = &tablePage[T]{}
		}
		return t.high[n]
	}
	if more := int(n) + 1 - len(t.low); more > 0 {
		t.low = append(t.low, make([]*tablePage[T], more)...)
	}
	if t.low[n] == nil {
		t.low[n] = &tablePage[T]{}
	}
	return t.low[n]
}

// Delete forgets a partition.
func (t *Table[T]) Delete(id PartitionID) {
	if t.Get(id) == nil {
		return
	}
	n := uint64(id) / tablePageSize
	p := t.page(n)
	p.items[id%tablePageSize] = nil
	t.n--
	if p.n--; p.n > 0 {
		return
	}
	if n < lowPages {
		t.low[n] = nil
	} else {
		delete(t.high, n)
	}
}

// Len is how many partitions there are.
func (t *Table[T]) Len() int { return t.n }

// All goes through the partitions in order of ids, which may be deleted meanwhile, but not set.
func (t *Table[T]) All() iter.Seq2[PartitionID, *T] { return t.From(0) }

// From is All for ids upwards of one.
func (t *Table[T]) From(from PartitionID) iter.Seq2[PartitionID, *T] {
	return func(yield func(PartitionID, *T) bool) {
		first := uint64(from) / tablePageSize
		for n := first; n < uint64(len(t.low)); n++ {
			if !t.low[n].each(n, from, yield) {
				return
			}
		}
		for _, n := range slices.Sorted(maps.Keys(t.high)) {
			if n >= first && !t.high[n].each(n, from, yield) {
				return
			}
		}
	}
}

func (p *tablePage[T]) each(n uint64, from PartitionID, yield func(PartitionID, *T) bool) bool {
	if p == nil {
		return true
	}
	for i, v := range &p.items { // not of a copy: what is deleted meanwhile is not told of
		id := PartitionID(n*tablePageSize + uint64(i))
		if v != nil && id >= from && !yield(id, v) {
			return false
		}
	}
	return true
}
