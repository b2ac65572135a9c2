package journal

import (
	"os"

	"golang.org/x/sys/unix"
)

// OpenDirect opens a file of the operating system for writes past the page cache: from buffers and to places
// that are aligned to PageSize.
//
// Errors: the file system does not know direct writes.
func OpenDirect(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|unix.O_DIRECT, 0)
}
