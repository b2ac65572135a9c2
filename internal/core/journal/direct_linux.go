package journal

import (
	"os"

	"golang.org/x/sys/unix"
)

// OpenDirect opens a file of the operating system for reads and writes past the page cache: of buffers and
// places that are aligned to PageSize. What is written is on the disk when the write returns.
//
// Errors: the file system does not know them.
func OpenDirect(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|unix.O_DIRECT|unix.O_DSYNC, 0)
}
