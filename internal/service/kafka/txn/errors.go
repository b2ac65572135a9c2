package txn

import (
	"errors"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// refusal carries a code out of a transaction of the store, which then writes nothing.
type refusal kafkaapi.Code

func (r refusal) Error() string { return "txn: " + kafkaapi.Code(r).Name() }

// refuse is nil for None.
func refuse(code kafkaapi.Code) error {
	if code == kafkaapi.None {
		return nil
	}
	return refusal(code)
}

// isRefusal tells an answer from a failure.
func isRefusal(err error) bool {
	var r refusal
	return errors.As(err, &r)
}

// codeOf is what a client is told. All failures of the store become a code that clients try again after they have
// looked for the coordinator: each operation here may be repeated.
func codeOf(err error) kafkaapi.Code {
	var r refusal
	switch {
	case err == nil:
		return kafkaapi.None
	case errors.As(err, &r):
		return kafkaapi.Code(r)
	case errors.Is(err, store.ErrContention), errors.Is(err, store.ErrOverloaded):
		return kafkaapi.CoordinatorLoadInProgress // the same coordinator, a little later
	case errors.Is(err, store.ErrProducerFenced):
		return kafkaapi.ProducerFenced // the store knows a newer epoch than the record: the next Init takes it over
	}
	return kafkaapi.CoordinatorNotAvailable
}
