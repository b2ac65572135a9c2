package produce

import (
	"context"
	"errors"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// codeOf is the one place where errors of the store become Kafka's codes, with a text where the code's own does not
// say enough. What it does not know is retriable: NOT_LEADER_OR_FOLLOWER makes a client look again and repeat the
// batch under the same sequence number.
func codeOf(err error) (kafkaapi.Code, string) {
	switch {
	case err == nil:
		return kafkaapi.None, ""
	case errors.Is(err, store.ErrOutOfSequence):
		return kafkaapi.OutOfOrderSequenceNumber, ""
	case errors.Is(err, store.ErrProducerFenced):
		return kafkaapi.InvalidProducerEpoch, ""
	case errors.Is(err, store.ErrInvalidTxn):
		return kafkaapi.InvalidTxnState, ""
	case errors.Is(err, store.ErrNoPartition):
		return kafkaapi.UnknownTopicOrPartition, ""
	case errors.Is(err, store.ErrClosed):
		return kafkaapi.PolicyViolation, ClosedText
	case errors.Is(err, store.ErrTooLarge):
		return kafkaapi.MessageTooLarge, ""
	case errors.Is(err, store.ErrInvalidBatch):
		return kafkaapi.InvalidRecord, ""
	case errors.Is(err, store.ErrFull):
		return kafkaapi.KafkaStorageError, "The disk is full."
	case errors.Is(err, store.ErrUnknownOutcome), errors.Is(err, context.DeadlineExceeded), errors.Is(err, store.ErrOverloaded):
		return kafkaapi.RequestTimedOut, ""
	}
	return kafkaapi.NotLeaderOrFollower, ""
}

// ClosedText is what a producer is told when a shard of a stream was split or merged.
const ClosedText = "The topic is a Kinesis stream with a closed shard (it was split or merged). Kafka's partitioners cannot skip a closed partition: " +
	"write to the stream by Kinesis."
