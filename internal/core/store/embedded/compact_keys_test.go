package embedded

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"millrace/internal/core/store"
)

func TestOffsetMapRemembersTheLastOffsetOfEachKey(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	m := offsetMap{most: 3000}
	naive := map[string]store.Offset{}
	for at := range store.Offset(20_000) {
		key := fmt.Appendf(nil, "key %d", rng.IntN(3000))
		m.put(key, at)
		naive[string(key)] = at
	}
	for i := range 4000 {
		key := fmt.Appendf(nil, "key %d", i)
		last, ok := naive[string(key)]
		for _, at := range []store.Offset{max(last-1, 0), last, last + 1} {
			if got, want := m.replaces(key, at), ok && at < last; got != want {
				t.Errorf("%s at %d: replaced: %v, want %v (last is %d)", key, at, got, want, last)
			}
		}
	}
	if m.used != len(naive) || 4*m.used > 3*len(m.slots) || len(m.slots) > 4096 {
		t.Errorf("%d keys of %d in %d slots", m.used, len(naive), len(m.slots))
	}
}

func TestOffsetMapOfDefaultSizeTakes24MiB(t *testing.T) {
	most := Options{}.withDefaults().CompactionKeys
	slots := firstSlots
	for 4*most > 3*slots {
		slots *= 2
	}
	if bytes := slots * 24; bytes != 24<<20 {
		t.Errorf("%d keys take a table of %d bytes", most, bytes)
	}
	m := offsetMap{most: 3}
	if !m.fits(100) {
		t.Error("a batch with more keys than fit is not taken alone")
	}
	m.put([]byte("a"), 1)
	if !m.fits(2) || m.fits(3) {
		t.Errorf("with one of three keys: fits(2) is %v, fits(3) is %v", m.fits(2), m.fits(3))
	}
}
