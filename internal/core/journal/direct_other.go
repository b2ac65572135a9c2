//go:build !linux

package journal

import (
	"errors"
	"os"
)

// OpenDirect opens a file for reads and writes past the page cache. Here there are none.
func OpenDirect(string, bool) (*os.File, error) { return nil, errors.ErrUnsupported }
