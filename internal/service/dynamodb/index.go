package dynamodb

import (
	"encoding/binary"
	"slices"
	"strings"

	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/value"
)

// projection says which attributes of an item an index has. Permanent.
type projection uint8

const (
	projectAll     projection = 1
	projectKeys    projection = 2
	projectInclude projection = 3
)

// index is a secondary index of a table. Like the table it is never changed once it was read or written.
type index struct {
	name    string
	num     uint32 // in its table, from 1, never used again
	local   bool
	hash    []string // one to four attributes; of a local index the table's one
	sort    []string // none to four; of a local index one
	project projection
	include []string // attributes beside the keys, sorted; only of projectInclude

	state       state // of its own: an index may be made and changed while its table is active
	backfilling bool  // while creating: items that were there before it are being added
	online      bool  // while creating: it was added to a table that was there; AWS shows Backfilling only then

	throughput
	next                 *throughput // what it becomes when its update ends
	increased, decreased int64       // ms; 0: never
	decreases            int64       // on the day of decreased
	maxRead, maxWrite    int64       // on demand; 0: no limit
	warmRead, warmWrite  int64       // 0: as indexes begin
}

func (ix *index) clone() *index {
	c := *ix
	c.hash, c.sort, c.include = slices.Clone(ix.hash), slices.Clone(ix.sort), slices.Clone(ix.include)
	if ix.next != nil {
		next := *ix.next
		c.next = &next
	}
	return &c
}

// keyNames are the names of the key attributes of the index alone.
func (ix *index) keyNames() []string { return slices.Concat(ix.hash, ix.sort) }

// written says that rows of the index are kept: no longer when it is being deleted.
func (ix *index) written() bool { return ix.state != stateDeleting }

// busy says that the index is being created, changed or deleted.
func (ix *index) busy() bool { return ix.state != stateActive }

// projects says whether the index has an attribute of its items.
func (ix *index) projects(t *table, name string) bool {
	return ix.project == projectAll || slices.Contains(ix.hash, name) || slices.Contains(ix.sort, name) ||
		name == t.hash || name == t.sort || slices.Contains(ix.include, name)
}

// index finds an index by its name; nil when there is none.
func (t *table) index(name string) *index {
	for _, ix := range t.indexes {
		if ix.name == name {
			return ix
		}
	}
	return nil
}

// locals says whether the table has local indexes; then it has item collections.
func (t *table) locals() bool {
	return slices.ContainsFunc(t.indexes, func(ix *index) bool { return ix.local })
}

// byName are the indexes whose rows are kept, in the order in which AWS finds what is wrong with an item.
func (t *table) byName() []*index {
	var out []*index
	for _, ix := range t.indexes {
		if ix.written() {
			out = append(out, ix)
		}
	}
	slices.SortFunc(out, func(a, b *index) int { return strings.Compare(a.name, b.name) })
	return out
}

// indexKeyNames are the names of all key attributes of indexes.
func (t *table) indexKeyNames() []string {
	var out []string
	for _, ix := range t.indexes {
		for _, name := range ix.keyNames() {
			if !slices.Contains(out, name) && name != t.hash && name != t.sort {
				out = append(out, name)
			}
		}
	}
	return out
}

// indexesIdle says that no index is being created, changed or deleted.
func (t *table) indexesIdle() bool { return !slices.ContainsFunc(t.indexes, (*index).busy) }

// finishIndexes ends what indexes of a table go through whose time has come: an index that was added begins to be filled.
func (t *table) finishIndexes(now int64) {
	var left []*index
	for _, ix := range t.indexes {
		switch ix.state {
		case stateDeleting:
			continue
		case stateUpdating:
			if ix = ix.clone(); ix.next != nil {
				ix.apply(*ix.next, now)
			}
			ix.state, ix.next = stateActive, nil
		case stateCreating:
			if ix = ix.clone(); ix.online {
				ix.backfilling = true
			} else {
				ix.state = stateActive
			}
		case stateActive:
		}
		left = append(left, ix)
	}
	if len(left) < len(t.indexes) {
		t.indexes = left
		t.prune()
	}
	t.indexes = left
}

// prune forgets the attributes that are no longer the key of anything.
func (t *table) prune() {
	used := append(t.keyNames(), t.indexKeyNames()...)
	t.attributes = slices.DeleteFunc(slices.Clone(t.attributes), func(a expr.KeyAttribute) bool { return !slices.Contains(used, a.Name) })
}

// apply changes the throughput and notes when it did.
func (ix *index) apply(next throughput, now int64) {
	if next.billing == provisioned && ix.billing == provisioned {
		if next.read > ix.read || next.write > ix.write {
			ix.increased = now
		}
		if next.read < ix.read || next.write < ix.write {
			ix.decreases = decreasesOn(now, ix.decreased, ix.decreases) + 1
			ix.decreased = now
		}
	}
	if next.billing != ix.billing {
		ix.maxRead, ix.maxWrite = 0, 0
	}
	ix.throughput = next
	ix.warmRead, ix.warmWrite = max(ix.warmRead, next.read), max(ix.warmWrite, next.write)
}

// indexPrefix is what the keys of an index's rows begin with.
func indexPrefix(table uint64, num uint32) []byte {
	k := make([]byte, 0, 128)
	k = binary.BigEndian.AppendUint64(append(k, byte(store.FamilyTable), kindIndex), table)
	return binary.BigEndian.AppendUint32(k, num)
}

// keyKinds are the types of key attributes, in the order of names.
func (t *table) keyKinds(names []string) []expr.KeyAttribute {
	out := make([]expr.KeyAttribute, len(names))
	for i, name := range names {
		out[i] = t.attribute(name)
	}
	return out
}

// schema is the index's for key conditions.
func (ix *index) schema(t *table) expr.KeySchema {
	return expr.KeySchema{Partition: t.keyKinds(ix.hash), Sort: t.keyKinds(ix.sort)}
}

// allKeys are the key attributes of an index and of its table, each once.
func (ix *index) allKeys(t *table) []expr.KeyAttribute {
	names := ix.keyNames()
	for _, name := range t.keyNames() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return t.keyKinds(names)
}

// image is what the index has of a stored item, in the item's form.
//
// Errors: value.ErrCorrupt.
func (ix *index) image(t *table, stored []byte) ([]byte, error) {
	if ix.project == projectAll {
		return stored, nil
	}
	view, err := value.Open(stored)
	if err != nil {
		return nil, err
	}
	var b value.Builder
	c := b.Open(value.KindNone)
	for i := range view.Len() {
		name, raw := view.Attr(i)
		if raw == nil {
			return nil, value.ErrCorrupt
		}
		if ix.projects(t, name) {
			b.Name(name)
			b.Done(b.Raw(raw))
		}
	}
	if _, err := b.Close(c); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
