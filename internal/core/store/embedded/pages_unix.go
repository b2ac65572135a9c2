//go:build unix

package embedded

import "golang.org/x/sys/unix"

// takePages returns n bytes that begin at a page and are outside of Go's heap: so many at once would else let the heap grow
// by twice as much before it is looked through.
//
// Errors: no memory.
func takePages(n int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil {
		adviseHuge(b)
	}
	return b, err
}

// givePages gives back what takePages has returned.
func givePages(b []byte) error { return unix.Munmap(b) }
