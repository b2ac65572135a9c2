package journal

import "unsafe"

// Aligned returns an empty buffer of n bytes capacity, n a multiple of PageSize, that begins at a page.
func Aligned(n int) []byte {
	b := make([]byte, n+PageSize)
	skip := PageSize - int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))%PageSize) //nolint:gosec // looks at the address only
	return b[skip%PageSize : skip%PageSize : skip%PageSize+n]
}
