package embedded

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"millrace/internal/core/store"
)

// offsetMap remembers for each key the last offset that it has: by 16 bytes of the key's SHA-256, so that nobody can
// make two keys that are taken for one. A slot is 24 bytes; the table is at most three quarters full.
type offsetMap struct {
	slots []offsetSlot // a power of two
	used  int
	most  int // keys
}

type offsetSlot struct {
	hash [16]byte
	next store.Offset // one more than the offset; 0: the slot is empty
}

const firstSlots = 1 << 10

func hashKey(key []byte) (h [16]byte) {
	sum := sha256.Sum256(key)
	copy(h[:], sum[:])
	return h
}

// fits tells whether n more keys have room, and is true for any number when there are none yet.
func (m *offsetMap) fits(n int) bool { return m.used == 0 || m.used+n <= m.most }

// put remembers the offset of a key, which is above those that it had.
func (m *offsetMap) put(key []byte, at store.Offset) {
	if 4*(m.used+1) > 3*len(m.slots) {
		m.grow()
	}
	h := hashKey(key)
	s := m.slot(&h)
	if s.next == 0 {
		s.hash = h
		m.used++
	}
	s.next = at + 1
}

// replaces tells whether a later record has the key.
func (m *offsetMap) replaces(key []byte, at store.Offset) bool {
	if m.used == 0 {
		return false
	}
	h := hashKey(key)
	return m.slot(&h).next > at+1
}

// slot is that of a key, or the empty one where it would be.
func (m *offsetMap) slot(h *[16]byte) *offsetSlot {
	mask := uint64(len(m.slots) - 1)
	for i := binary.LittleEndian.Uint64(h[:]) & mask; ; i = (i + 1) & mask {
		if s := &m.slots[i]; s.next == 0 || bytes.Equal(s.hash[:], h[:]) {
			return s
		}
	}
}

func (m *offsetMap) grow() {
	old := m.slots
	m.slots = make([]offsetSlot, max(2*len(old), firstSlots))
	for i := range old {
		if s := &old[i]; s.next != 0 {
			*m.slot(&s.hash) = *s
		}
	}
}
