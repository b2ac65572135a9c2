package kafka

import (
	"math/bits"
	"sync"
	"unsafe"
)

// Buffers come in classes of twice the size of the one before, 1 KiB to 16 MiB: fresh memory is dear on virtual
// machines, and requests of producers with deep queues have megabytes. Larger ones are left to the garbage
// collector, which also empties the pools.
const (
	smallestBits = 10
	largestBits  = 24
)

// buffers holds pointers to the first byte of buffers of a class: a pointer goes into a pool without an
// allocation, a slice does not.
var buffers [largestBits - smallestBits + 1]sync.Pool // of *byte

func classOf(n int) int {
	if n <= 1<<smallestBits {
		return 0
	}
	return bits.Len(uint(n-1)) - smallestBits
}

// getBuffer gives n bytes, not zeroed.
func getBuffer(n int) []byte {
	class := classOf(n)
	if class >= len(buffers) {
		return make([]byte, n)
	}
	size := 1 << (class + smallestBits)
	if p, ok := buffers[class].Get().(*byte); ok {
		return unsafe.Slice(p, size)[:n] //nolint:gosec // putBuffer takes buffers of this capacity only
	}
	return make([]byte, n, size)
}

// putBuffer takes back a buffer that starts where getBuffer's did; one of another capacity is dropped.
func putBuffer(b []byte) {
	class := classOf(cap(b))
	if cap(b) > 0 && class < len(buffers) && cap(b) == 1<<(class+smallestBits) {
		buffers[class].Put(unsafe.SliceData(b[:1])) //nolint:gosec // its capacity was checked
	}
}
