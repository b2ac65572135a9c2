package kinesis

import (
	"errors"
	"fmt"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// apiError turns what the store says into what a client sees. Errors that are already the client's
// stay; what we do not know becomes InternalFailure with the error as its cause.
func apiError(err error) error {
	var e *api.Error
	switch {
	case err == nil, errors.As(err, &e):
		return err
	case errors.Is(err, store.ErrOverloaded):
		e = kinesisapi.ProvisionedThroughputExceededException("Rate exceeded")
	case errors.Is(err, store.ErrFull):
		// AWS has no full disks; the operator of this one reads the client's log too.
		e = api.ServerError("InternalFailure", store.ErrFull.Error())
	case errors.Is(err, catalog.ErrName):
		e = kinesisapi.InvalidArgumentException("The account or region of the request is not valid.")
	case errors.Is(err, store.ErrStopped):
		e = api.ServerError("ServiceUnavailable", "")
		e.Status = 503
	default:
		return api.InternalFailure(err)
	}
	e.Cause = err
	return e
}

// notFoundAs is apiError, but for a stream or shard that does not exist it is as.
func notFoundAs(err, as error) error {
	if errors.Is(err, kinesisapi.ResourceNotFoundException("")) || errors.Is(err, store.ErrNoPartition) {
		return as
	}
	return apiError(err)
}

// Texts of errors, as AWS gives them.
//
// Source: kinesalite, actions/*.js and test/*.js, which were recorded against AWS, unless said
// otherwise (read 2026-11).

func errNotFound(p place) error {
	return kinesisapi.ResourceNotFoundException("Stream " + p.stream + " under account " + p.account + " not found.")
}

func errExists(p place) error {
	return kinesisapi.ResourceInUseException("Stream " + p.stream + " under account " + p.account + " already exists.")
}

func errNotActive(p place, s catalog.State) error {
	return kinesisapi.ResourceInUseException("Stream " + p.stream + " under account " + p.account + " not ACTIVE, instead in state " + s.String())
}

func errNoShard(p place, id string) error {
	return kinesisapi.ResourceNotFoundException("Shard " + id + " in stream " + p.stream + " under account " + p.account + " does not exist")
}

func errBadShardID(p place, id string) error {
	return kinesisapi.ResourceNotFoundException("Could not find shard " + id + " in stream " + p.stream + " under account " + p.account + ".")
}

// errNoStream, errBadARN and errTwoStreams have texts of our own: no record of AWS's was found.
func errNoStream() error {
	return kinesisapi.InvalidArgumentException("Either StreamName or StreamARN must be provided.")
}

func errBadARN(arn string) error {
	return kinesisapi.InvalidArgumentException("StreamARN " + arn + " is not the ARN of a stream.")
}

func errTwoStreams() error {
	return kinesisapi.InvalidArgumentException("StreamName and StreamARN do not name the same stream.")
}

func errInvalidIterator() error { return kinesisapi.InvalidArgumentException("Invalid ShardIterator.") }

func errExpiredIterator(created, now int64) error {
	return kinesisapi.ExpiredIteratorException("Iterator expired. The iterator was created at time " + awsTime(created) +
		" while right now it is " + awsTime(now) + " which is further in the future than the tolerated delay of 300000 milliseconds.")
}

// errInvalidToken and errExpiredToken: AWS's texts are not recorded.
func errInvalidToken() error { return kinesisapi.InvalidArgumentException("Invalid NextToken.") }

func errExpiredToken(created, now int64) error {
	return kinesisapi.ExpiredNextTokenException("NextToken expired. The token was created at time " + awsTime(created) +
		" while right now it is " + awsTime(now) + " which is further in the future than the tolerated delay of 300000 milliseconds.")
}

// awsTime writes ms since 1970 as AWS does in texts: Thu Jan 22 01:22:02 UTC 2015.
func awsTime(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("Mon Jan 02 15:04:05 UTC 2006")
}

// shardRateText is the message of a record or call that is over a shard's quota.
//
// Source: AWS's answer in kinesalite pull request 87.
func shardRateText(p place, s *shard) string {
	return "Rate exceeded for shard " + s.id + " in stream " + p.stream + " under account " + p.account + "."
}

const (
	codeThroughput = "ProvisionedThroughputExceededException"
	codeInternal   = "InternalFailure"
	textInternal   = "Internal service failure."
)

func errShardRate(p place, s *shard) error {
	return kinesisapi.ProvisionedThroughputExceededException(shardRateText(p, s))
}

// errRate is the answer to calls of an operation that come too fast.
func errRate(p place) error {
	if p.stream == "" {
		return kinesisapi.LimitExceededException("Rate exceeded for account " + p.account + ".")
	}
	return kinesisapi.LimitExceededException("Rate exceeded for stream " + p.stream + " under account " + p.account + ".")
}

func errShardLimit(p place, current, limit, more int) error {
	return kinesisapi.LimitExceededException(fmt.Sprintf("This request would exceed the shard limit for the account %s in %s. "+
		"Current shard count for the account: %d. Limit: %d. Number of additional shards that would have resulted from this request: %d. "+
		"Refer to the AWS Service Limits page (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) "+
		"for current limits and how to request higher limits.", p.account, p.region, current, limit, more))
}

// errStreamLimit has a text of our own: no record of AWS's was found.
func errStreamLimit(p place, what string, limit int) error {
	return kinesisapi.LimitExceededException(fmt.Sprintf("This request would exceed the limit of %d %s for the account %s in %s.",
		limit, what, p.account, p.region))
}

func errHashKey(value string) error {
	return kinesisapi.InvalidArgumentException("Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was " + value)
}

func errOrdering(p place, number string) error {
	return kinesisapi.InvalidArgumentException("ExclusiveMinimumSequenceNumber " + number + " used in PutRecord on stream " +
		p.stream + " under account " + p.account + " is invalid.")
}

// errRecordSize words a stream's own limit like a constraint of the model, which only knows the
// largest that any stream can have. AWS counts the partition key too, and names the data all the same.
//
// Source: Kinesis API reference, PutRecords; amazon-kinesis-producer, issue 680, of 2025; moto, tests of its limits (read 2026-11).
func errRecordSize(member string, limit int) error {
	return kinesisapi.ValidationException(fmt.Sprintf("1 validation error detected: "+
		"Value at '%sdata' failed to satisfy constraint: Member must have length less than or equal to %d", member, limit))
}

// errNoKey is what AWS says of a missing member, which the model allows since streams exist that spread
// records by themselves.
func errNoKey(member string) error {
	return kinesisapi.ValidationException("1 validation error detected: Value null at '" + member +
		"partitionKey' failed to satisfy constraint: Member must not be null")
}

// errRequestSize: the text was recorded when the limit was 5 MB (moto, tests of put_records).
func errRequestSize() error {
	return kinesisapi.InvalidArgumentException("Records size exceeds 10 MB limit")
}

// errDryRun is the answer to a request that would have succeeded.
func errDryRun() error {
	return kinesisapi.DryRunOperationException("Request would have succeeded, but DryRun flag is set.")
}
