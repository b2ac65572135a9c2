package kafka

import (
	"context"
	"errors"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// codes are what errors of the store mean to clients of any operation. Operations that mean something else by one of
// them look before they ask here.
var codes = []struct {
	err  error
	code kafkaapi.Code
}{
	{store.ErrNoPartition, kafkaapi.UnknownTopicOrPartition},
	{catalog.ErrNotFound, kafkaapi.UnknownTopicOrPartition},
	{catalog.ErrExists, kafkaapi.TopicAlreadyExists},
	{catalog.ErrReserved, kafkaapi.TopicAlreadyExists},
	{catalog.ErrName, kafkaapi.InvalidTopicException},
	{catalog.ErrTooMany, kafkaapi.InvalidPartitions},
	{store.ErrOffsetOutOfRange, kafkaapi.OffsetOutOfRange},
	{store.ErrTooLarge, kafkaapi.RecordListTooLarge},
	{store.ErrFull, kafkaapi.KafkaStorageError},
	{store.ErrContention, kafkaapi.CoordinatorLoadInProgress},
	{store.ErrOverloaded, kafkaapi.RequestTimedOut},
	{store.ErrUnknownOutcome, kafkaapi.RequestTimedOut},
	{store.ErrStopped, kafkaapi.CoordinatorNotAvailable},
	{context.DeadlineExceeded, kafkaapi.RequestTimedOut},
	{context.Canceled, kafkaapi.RequestTimedOut},
}

// codeOf is the code of an error; what is not known is logged with what was being done and is UNKNOWN_SERVER_ERROR.
func (b *Broker) codeOf(doing string, err error) kafkaapi.Code {
	if err == nil {
		return kafkaapi.None
	}
	if _, trimmed := errors.AsType[*store.TrimmedError](err); trimmed {
		return kafkaapi.OffsetOutOfRange
	}
	if _, corrupt := errors.AsType[*store.CorruptError](err); corrupt {
		b.log.Error(doing, "err", err)
		return kafkaapi.KafkaStorageError
	}
	for i := range codes {
		if errors.Is(err, codes[i].err) {
			return codes[i].code
		}
	}
	b.log.Error(doing, "err", err)
	return kafkaapi.UnknownServerError
}
