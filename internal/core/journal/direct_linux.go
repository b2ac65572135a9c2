package journal

import (
	"os"

	"golang.org/x/sys/unix"
)

// OpenDirect opens a file of the operating system for reads and writes past the page cache: of buffers and
// places that are aligned to PageSize. What is written to a synced one is on the disk when the write returns, else it is
// after a sync of the file.
//
// Errors: the file system does not know them.
func OpenDirect(path string, synced bool) (*os.File, error) {
	flags := os.O_RDWR | unix.O_DIRECT
	if synced {
		flags |= unix.O_DSYNC
	}
	return os.OpenFile(path, flags, 0)
}
