package storetest

import (
	"testing"

	"millrace/internal/core/store"
)

func TestModelKeepsTheContract(t *testing.T) {
	Run(t, func(*testing.T) store.Store { return NewModel() },
		WithClock(func(_ *testing.T, now func() int64) store.Store { return NewModel(WithModelClock(now)) }))
}
