//go:build system

package sdk

import (
	"maps"
	"testing"
)

const (
	notFound = "ResourceNotFoundException"
	invalid  = "InvalidArgumentException"
	inUse    = "ResourceInUseException"
	limit    = "LimitExceededException"
)

// refusals has an error of every operation; the stream has two shards and no policy.
func (s *scenario) refusals(t *testing.T) {
	absent := "Stream absent under account " + accessKey + " not found."
	absentARN := "arn:aws:kinesis:" + region + ":" + accessKey + ":stream/absent"
	for operation, more := range map[string]object{ // of a stream by name, which is not there
		"AddTagsToStream":               {"Tags": object{"a": "b"}},
		"DecreaseStreamRetentionPeriod": {"RetentionPeriodHours": 24},
		"DeleteStream":                  {},
		"DescribeStream":                {},
		"DisableEnhancedMonitoring":     {"ShardLevelMetrics": []string{"ALL"}},
		"EnableEnhancedMonitoring":      {"ShardLevelMetrics": []string{"ALL"}},
		"IncreaseStreamRetentionPeriod": {"RetentionPeriodHours": 48},
		"ListTagsForStream":             {},
		"MergeShards":                   {"ShardToMerge": "shardId-000000000000", "AdjacentShardToMerge": "shardId-000000000001"},
		"PutRecord":                     {"PartitionKey": "k", "Data": "x"},
		"PutRecords":                    {"Records": []object{{"PartitionKey": "k", "Data": "x"}}},
		"RemoveTagsFromStream":          {"TagKeys": []string{"a"}},
		"StartStreamEncryption":         {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
		"StopStreamEncryption":          {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
		"UpdateShardCount":              {"TargetShardCount": 4, "ScalingType": "UNIFORM_SCALING"},
	} {
		if !served()[operation] {
			continue
		}
		in := object{"StreamName": "absent"}
		maps.Copy(in, more)
		s.refuse(t, operation, in, notFound, absent)
	}
	for operation, more := range map[string]object{ // of one by ARN
		"ListStreamConsumers":    {},
		"RegisterStreamConsumer": {"ConsumerName": "reader"},
		"UpdateMaxRecordSize":    {"MaxRecordSizeInKiB": 2048},
		"UpdateStreamMode":       {"StreamModeDetails": object{"StreamMode": "ON_DEMAND"}},
	} {
		in := object{"StreamARN": absentARN}
		maps.Copy(in, more)
		s.refuse(t, operation, in, notFound, absent)
	}
	for operation, more := range map[string]object{ // of a resource
		"GetResourcePolicy":   {},
		"ListTagsForResource": {},
		"TagResource":         {"Tags": object{"a": "b"}},
		"UntagResource":       {"TagKeys": []string{"a"}},
	} {
		in := object{"ResourceARN": absentARN}
		maps.Copy(in, more)
		s.refuse(t, operation, in, notFound, absent)
	}
	s.refuseTheirOwn(t)
}

// refuseTheirOwn has the errors that belong to one operation.
func (s *scenario) refuseTheirOwn(t *testing.T) {
	here := " under account " + accessKey
	gone := "Consumer " + s.consumer + " under stream " + s.stream + here + " not found."
	s.refuse(t, "CreateStream", s.named(object{"ShardCount": 1}), inUse, "Stream "+s.stream+here+" already exists.")
	s.refuse(t, "DeleteResourcePolicy", object{"ResourceARN": s.arn}, notFound, "No resource policy found for resource ARN "+s.arn+".")
	s.refuse(t, "DeregisterStreamConsumer", object{"ConsumerARN": s.consumer}, notFound, gone)
	s.refuse(t, "DescribeStreamConsumer", object{"ConsumerARN": s.consumer}, notFound, gone)
	s.refuse(t, "GetRecords", object{"ShardIterator": "AAAAnotaniterator"}, invalid, "Invalid ShardIterator.")
	s.refuse(t, "GetShardIterator", s.named(object{"ShardId": "shardId-000000000007", "ShardIteratorType": "LATEST"}), notFound,
		"Shard shardId-000000000007 in stream "+s.stream+here+" does not exist")
	s.refuse(t, "ListShards", s.named(object{"NextToken": "x"}), invalid, "NextToken and StreamName cannot be provided together.")
	s.refuse(t, "ListStreams", object{"NextToken": "x"}, invalid, "Invalid NextToken.")
	s.refuse(t, "PutResourcePolicy", object{"ResourceARN": s.arn, "Policy": "no policy"}, invalid,
		"The resource policy is not valid: it must be a JSON object that has each member once.")
	s.refuse(t, "SplitShard", s.named(object{"ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "0"}), invalid,
		"NewStartingHashKey 0 used in SplitShard() on shard shardId-000000000000 in stream "+s.stream+here+
			" is not both greater than one plus the shard's StartingHashKey 0 and less than the shard's EndingHashKey 170141183460469231731687303715884105727.")
	if cannot[s.program+" SubscribeToShard"] == "" {
		s.refuse(t, "SubscribeToShard", object{
			"ConsumerARN": s.consumer, "ShardId": "shardId-000000000000", "StartingPosition": object{"Type": "LATEST"},
		}, notFound, gone)
	}
	s.refuse(t, "UpdateAccountSettings", object{"MinimumThroughputBillingCommitment": object{"Status": "SIDEWAYS"}}, "ValidationException",
		"1 validation error detected: Value 'SIDEWAYS' at 'minimumThroughputBillingCommitment.status' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [ENABLED, DISABLED]")
	s.refuse(t, "UpdateStreamRecordDistributionStrategy", object{"StreamARN": s.arn, "RecordDistributionStrategy": "AUTO"}, invalid,
		"RecordDistributionStrategy AUTO is only supported for streams in ON_DEMAND mode.")
	s.refuse(t, "UpdateStreamWarmThroughput", s.named(object{"WarmThroughputMiBps": 50}), invalid,
		"WarmThroughputMiBps is only supported for streams in ON_DEMAND mode.")
}

// throttled asks a server that allows one call in minutes: operations that take no stream fail in no other way.
func (s *scenario) throttled(t *testing.T, c *caller) {
	t.Helper()
	for _, operation := range []string{"DescribeAccountSettings", "DescribeLimits"} {
		c.call(t, operation, object{})
		c.refuse(t, operation, object{}, limit, "Rate exceeded for account "+accessKey+".")
	}
	maps.Copy(s.refused, c.refused)
}
