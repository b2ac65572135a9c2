package kinesis

import "unsafe"

// bytesOf is s as bytes without a copy. Nobody may write to them.
func bytesOf(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // read only: hashed, or copied by the store
}

// stringOf is b as a string without a copy, for bytes that are not written any more while it is used:
// filled once by us, or pinned by the store until the answer is sent.
func stringOf(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // see above
}
