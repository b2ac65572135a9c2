package mem

import (
	"testing"

	"millrace/internal/core/blob"
	"millrace/internal/core/blob/blobtest"
	"millrace/internal/core/clock"
)

func TestStore(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blob.Store { return New(clock.Real()) })
}
