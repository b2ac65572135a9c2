package embedded

import (
	"bytes"
	"sync/atomic"
)

const (
	// keptSlots is how many values are kept at most: tables, topics and positions that calls read all the time.
	keptSlots = 512

	// keptBytes is the largest value that is kept, with its key: at most 4 MiB in all.
	keptBytes = 8 << 10

	// keptAfter is for how many groups nobody must have written to a key's bucket before its value is kept: what is written as
	// often as it is read would be copied for nothing.
	keptAfter = 64
)

// keptKeys keeps values of keys that are read again and again and seldom written, such as the record of a table that each
// call begins with: a read of Pebble costs microseconds, and some more when the value lies in a table on disk.
//
// A value stands for as long as its bucket's last writer is the one that was known when it was read. That is what a
// transaction compares anyway for a key that it has read (see conflicts): a value that is found here is as good as one
// read from Pebble in the same moment.
//
//	slot of the key's bucket:  asked  the last key that was not found here, by its hash
//	                           value  of the key that was not found twice in a row
type keptKeys struct {
	slots [keptSlots]struct {
		asked atomic.Uint64
		value atomic.Pointer[keptKey]
	}
}

// keptKey does not change.
type keptKey struct {
	key   []byte
	value []byte // nil: there is no such key
	last  uint64 // last writer of the bucket
}

// get gives a copy of the value that a snapshot of seq has; known is false when it is not kept.
func (h *keptKeys) get(c *conflicts, key []byte, hash, seq uint64) (value []byte, ok, known bool) {
	k := h.slots[hash%keptSlots].value.Load()
	if k == nil || k.last > seq || c.last[hash%buckets].Load() != k.last || !bytes.Equal(k.key, key) {
		return nil, false, false
	}
	return bytes.Clone(k.value), k.value != nil, true
}

// keep takes what a snapshot of seq has read of a key, if it was asked for twice in a row. last is the bucket's last writer
// before it was read. Only if that is no later than seq, and so applied, and still the last, is the value that of last.
func (h *keptKeys) keep(c *conflicts, key, value []byte, hash, last, seq uint64) {
	if last+keptAfter > seq || len(key)+len(value) > keptBytes || c.last[hash%buckets].Load() != last {
		return
	}
	slot := &h.slots[hash%keptSlots]
	if slot.asked.Load() != hash {
		slot.asked.Store(hash)
		return
	}
	slot.value.Store(&keptKey{key: bytes.Clone(key), value: bytes.Clone(value), last: last})
}
