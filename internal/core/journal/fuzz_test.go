package journal

import (
	"bytes"
	"runtime"
	"testing"

	"millrace/internal/core/store"
)

// allocated runs fn and returns the bytes that it allocated.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// maxPerByte bounds what decoding allocates for each byte that it was given: an entry of 96 bytes becomes two structs of
// less than 300, and a key's 8 bytes become 48, which slices that grow double.
const maxPerByte = 24

// FuzzDecodeGroup decodes any bytes whose sum is right, as a forger would write them.
func FuzzDecodeGroup(f *testing.F) {
	f.Add(seal(f, everything(1), header7, 0))
	f.Add(seal(f, large(2), header7, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHeader(b)
		if err != nil || len(b) < HeaderSize+h.Meta {
			return
		}
		b = bytes.Clone(b)
		le.PutUint32(b[92:], headerSum(b[:HeaderSize+h.Meta]))
		var g *Group
		n := allocated(func() { g, err = decodeGroup(b, h, PageSize) })
		if limit := uint64(maxPerByte*len(b) + 64<<10); n > limit {
			t.Fatalf("%d bytes were allocated for a group of %d, limit %d", n, len(b), limit)
		}
		if err != nil {
			return
		}
		if metaSize(&g.Data) != h.Meta {
			t.Fatalf("a group with %d bytes of meta was read as one with %d", h.Meta, metaSize(&g.Data))
		}
		again := make([]byte, h.Meta)
		putMeta(again, &g.Data, g.Stored)
		back, err := decodeGroup(append(bytes.Clone(b[:HeaderSize]), again...), withSum(h, b, again), PageSize)
		if err == nil && len(back.Data.Keys) != len(g.Data.Keys) {
			t.Fatalf("%d keys became %d", len(g.Data.Keys), len(back.Data.Keys))
		}
	})
}

func withSum(h Header, head, meta []byte) Header {
	b := append(bytes.Clone(head[:HeaderSize]), meta...)
	le.PutUint32(head[92:], headerSum(b))
	return h
}

// FuzzWalk walks files of any bytes behind a good file page.
func FuzzWalk(f *testing.F) {
	f.Add(file(f, header7, 16<<10, everything(1), everything(2)).b[PageSize:])
	f.Add(file(f, header7, 12<<10, everything(1)).b[PageSize:]) // small: large inputs are mutated a few times a second
	f.Fuzz(func(t *testing.T, b []byte) {
		m := bytesFile(append(header7.page(), b...))
		n := allocated(func() {
			_, _ = Walk(m, testFile, header7, int64(len(m.b)), 0, func(g *Group) error {
				if g.Pos+int64(g.Header.Length) > int64(len(m.b)) {
					t.Fatalf("a group at %d with %d bytes in a file of %d", g.Pos, g.Header.Length, len(m.b))
				}
				_ = CheckBatches(m, testFile, g)
				return nil
			})
		})
		_, _ = WalkBatches(m, testFile, header7, int64(len(m.b)), func(a *store.Append, s *Stored) error {
			if s.Pos+int64(s.Len) > int64(len(m.b)) {
				t.Fatalf("a batch of %d bytes at %d in a file of %d", s.Len, s.Pos, len(m.b))
			}
			return nil
		})
		if limit := uint64(maxPerByte*len(m.b) + 2*windowSize); n > limit {
			t.Fatalf("%d bytes were allocated for a file of %d, limit %d", n, len(m.b), limit)
		}
	})
}
