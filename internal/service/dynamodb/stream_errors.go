package dynamodb

import (
	"millrace/internal/api"
	"millrace/internal/api/dynamodbstreamsapi"
)

// Texts of errors of DynamoDB Streams. Those of the exceptions are AWS's model's and what users of the service reported; those of
// ValidationException are our own where nothing was found.

func errNoStream(arn string) error {
	return dynamodbstreamsapi.ResourceNotFoundException("Requested resource not found: Stream: " + api.Clip(arn) + " not found")
}

func errNoShard() error {
	return dynamodbstreamsapi.ResourceNotFoundException("Requested resource not found: Shard does not exist")
}

func errTrimmed() error {
	return dynamodbstreamsapi.TrimmedDataAccessException("The data you are trying to access has been trimmed.")
}

func errExpired() error {
	return dynamodbstreamsapi.ExpiredIteratorException("The provided iterator exceeds the maximum age allowed.")
}

func errBadStream(arn string) error { return errInvalid("Invalid StreamArn: " + api.Clip(arn)) }

func errBadIterator() error { return errInvalid("Invalid ShardIterator") }
