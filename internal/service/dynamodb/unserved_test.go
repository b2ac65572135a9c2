package dynamodb

import (
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

func TestServedOperationsAreThoseWithAHandler(t *testing.T) {
	s := &Service{}
	all := dynamodbapi.Bind(s).Operations
	for name, op := range all {
		if got, want := unknown(t, op), !served[name]; got != want {
			t.Errorf("%s: answers as unknown %v, listed as unserved %v", name, got, want)
		}
	}
	bound := Bind(s).Operations
	if len(bound) != len(served) {
		t.Errorf("bound are %d operations, listed %d", len(bound), len(served))
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
	_, err := op.Invoke(t.Context(), op.New())
	e := api.AsError(err)
	return e != nil && e.Code == api.UnknownOperation().Code
}
