package embedded

import "golang.org/x/sys/unix"

// adviseHuge asks for large pages: bytes that are written all over 64 MiB miss the tables of small ones.
func adviseHuge(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) } // a hint
