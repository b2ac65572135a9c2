package kinesis

import (
	"errors"
	"slices"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
)

func TestUnservedOperationsAreThoseWithoutAHandler(t *testing.T) {
	s := &Service{}
	for name, op := range kinesisapi.Bind(s).Operations {
		if got, want := unknown(t, op), slices.Contains(unserved, name); got != want {
			t.Errorf("%s: answers as unknown %v, listed as unserved %v", name, got, want)
		}
	}
	served := Bind(s).Operations
	for _, name := range unserved {
		if served[name] != nil {
			t.Errorf("%s is bound", name)
		}
	}
}

// unknown calls an operation on a service without a store: a handler that exists fails in some other way.
func unknown(t *testing.T, op *api.Operation) (is bool) {
	t.Helper()
	defer func() {
		if recover() != nil {
			is = false
		}
	}()
	if op.Invoke == nil {
		return false // it streams: only what is served does
	}
	_, err := op.Invoke(t.Context(), op.New())
	e, ok := errors.AsType[*api.Error](err)
	return ok && e.Code == api.UnknownOperation().Code
}
