package dynamodb

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"maps"
	"slices"
	"strings"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/service/dynamodb/value"
)

// Codes of cancellation reasons. Source: API reference, TransactWriteItems (read 2026-11).
const (
	reasonNone      = "None"
	reasonCondition = "ConditionalCheckFailed"
	reasonInvalid   = "ValidationError"
	reasonConflict  = "TransactionConflict"
	reasonSize      = "ItemCollectionSizeLimitExceeded"

	reasonThroughput = "ProvisionedThroughputExceeded"
	reasonThrottling = "ThrottlingError"
)

const (
	textManyOnOne = "Transaction request cannot include multiple operations on one item"
	textConflict  = "Transaction is ongoing for the item"
)

// reasons are why a transaction is cancelled, one for each action in its order.
type reasons []dynamodbapi.CancellationReason

func newReasons(n int) reasons {
	r := make(reasons, n)
	for i := range r {
		r[i].Code = new(reasonNone)
	}
	return r
}

func (r reasons) set(i int, code, message string) {
	r[i].Code, r[i].Message = &code, &message
}

// invalid notes what is wrong with an action, if that cancels; other errors are the call's own.
func (r reasons) invalid(i int, err error) error {
	if v, ok := errors.AsType[*value.Error](err); ok {
		r.set(i, reasonInvalid, v.Error())
		return nil
	}
	if code := throttled(err); code != "" {
		r.set(i, code, api.AsError(err).Message)
		return nil
	}
	e, ok := errors.AsType[*api.Error](err)
	if ok && e.Code == "ItemCollectionSizeLimitExceededException" {
		r.set(i, reasonSize, e.Message)
		return nil
	}
	if !ok || e.Code != "ValidationException" || isEmptyKey(e.Message) {
		return err
	}
	r.set(i, reasonInvalid, e.Message)
	return nil
}

// cancelled is the error of a transaction that has a reason; nil when all are None.
func (r reasons) cancelled() error {
	codes := make([]string, len(r))
	for i := range r {
		codes[i] = *r[i].Code
	}
	if !slices.ContainsFunc(codes, func(c string) bool { return c != reasonNone }) {
		return nil
	}
	return dynamodbapi.TransactionCanceledException(
		"Transaction cancelled, please refer cancellation reasons for specific reasons ["+strings.Join(codes, ", ")+"]",
		&dynamodbapi.TransactionCanceledExceptionFields{CancellationReasons: r})
}

// digest is of all that a transaction does, whatever the order in which its maps were written. The zero digest is of nothing.
type digest struct{ h hash.Hash }

func newDigest() digest { return digest{sha256.New()} }

// add takes pieces, each with its length; nil and empty differ.
func (d digest) add(pieces ...[]byte) {
	for _, p := range pieces {
		n := uint64(len(p)) + 1
		if p == nil {
			n = 0
		}
		d.h.Write(binary.BigEndian.AppendUint64(nil, n))
		d.h.Write(p)
	}
}

func (d digest) text(s *string) {
	if s == nil {
		d.add(nil)
		return
	}
	d.add([]byte{}, []byte(*s))
}

func (d digest) names(names map[string]string) {
	for _, alias := range slices.Sorted(maps.Keys(names)) {
		d.add([]byte(alias), []byte(names[alias]))
	}
}

func (d digest) sum() (out [sha256.Size]byte) {
	if d.h == nil {
		return out
	}
	copy(out[:], d.h.Sum(nil))
	return out
}
