// Package bufpool pools the buffers of requests and answers.
//
// Buffers come in classes of four times the size of the one before, 4 KiB to 1 MiB. Larger ones are
// left to the garbage collector: a pool of them would keep for ever what one burst needed.
package bufpool

import (
	"math/bits"
	"sync"
	"unsafe"
)

const (
	smallest = 12 // the smallest class is 1<<12 bytes
	classes  = 5
)

// Smallest is the capacity of the smallest buffers, enough for most answers.
const Smallest = 1 << smallest

// buffers holds for each class pointers to the first byte of buffers of its capacity: a pointer goes
// into a pool without an allocation, a slice does not.
var buffers [classes]sync.Pool // of *byte

// class is the smallest class that holds n bytes, or classes when none does.
func class(n int) int {
	if n <= 1<<smallest {
		return 0
	}
	return min((bits.Len(uint(n-1))-smallest+1)/2, classes)
}

// Get gives n bytes, not zeroed.
func Get(n int) []byte {
	c := class(n)
	if c == classes {
		return make([]byte, n)
	}
	if p, ok := buffers[c].Get().(*byte); ok {
		return unsafe.Slice(p, capacity(c))[:n] //nolint:gosec // Put takes buffers of this capacity only
	}
	return make([]byte, n, capacity(c))
}

// Put takes a buffer back, which must start where Get's did, if its capacity is that of a class.
func Put(b []byte) {
	c := class(cap(b))
	if c < classes && cap(b) == capacity(c) {
		buffers[c].Put(unsafe.SliceData(b[:1])) //nolint:gosec // its capacity was checked
	}
}

// capacity is that of a class's buffers.
func capacity(class int) int { return 1 << (smallest + 2*class) }
