//go:build system

package sdk

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"testing"

	"millrace/internal/service/kinesis"
	"millrace/test/process"
)

// served are the operations of the service model that the server knows.
func served() map[string]bool {
	names := map[string]bool{}
	for name := range kinesis.Bind(&kinesis.Service{}).Operations {
		names[name] = true
	}
	return names
}

// cannot are operations that a client has no way to call.
var cannot = map[string]string{"awscli SubscribeToShard": "the CLI has no commands whose answers stay open"}

// TestPythonClientsCallEveryServedOperation plays one scenario with boto3 and with the AWS CLI: every operation that is
// served answers once at least, with what it must, and refuses once at least, with AWS's code and text.
func TestPythonClientsCallEveryServedOperation(t *testing.T) {
	folder := models(t)
	for _, program := range []string{"boto3", "awscli"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel() // a client mostly waits for its server, and the server for the disk
			endpoint := start(t, process.Options{Args: noQuotas}).Endpoint()
			s := &scenario{caller: startCaller(t, program, endpoint, folder), stream: "everything"}
			s.arn = "arn:aws:kinesis:" + region + ":" + accessKey + ":stream/" + s.stream
			s.play(t)
			s.throttled(t, startCaller(t, program, start(t, process.Options{Args: []string{"--kinesis-quotas", "0.001"}}).Endpoint(), folder))
			for _, name := range slices.Sorted(maps.Keys(served())) {
				if cannot[program+" "+name] != "" {
					continue
				}
				if !s.answered[name] || !s.refused[name] {
					t.Errorf("%s: answered %v, refused %v, want both", name, s.answered[name], s.refused[name])
				}
			}
		})
	}
}

// scenario is one stream's life, step by step.
type scenario struct {
	*caller
	stream, arn string
	consumer    string // its ARN
}

func (s *scenario) play(t *testing.T) {
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"create", s.create},
		{"put-and-read", s.putAndRead},
		{"tags", s.tags},
		{"settings", s.settings},
		{"consumer", s.consume},
		{"policies", s.policies},
		{"refusals", s.refusals},
		{"encryption", s.encryption},
		{"reshard", s.reshard},
		{"mode", s.mode},
		{"delete", s.delete},
	} {
		if !t.Run(step.name, step.run) {
			t.FailNow() // the steps build on each other
		}
	}
}

// named adds the stream's name to an input.
func (s *scenario) named(more object) object {
	in := object{"StreamName": s.stream}
	maps.Copy(in, more)
	return in
}

// summary is the description of the stream when it is ACTIVE.
func (s *scenario) summary(t *testing.T) object {
	t.Helper()
	var d object
	until(t, s.stream+" to be ACTIVE", func() bool {
		d, _ = s.call(t, "DescribeStreamSummary", s.named(nil))["StreamDescriptionSummary"].(object)
		return d["StreamStatus"] == "ACTIVE"
	})
	return d
}

// wants compares members of an answer, as text: numbers are what JSON makes of them. Members that belong to pages are
// not looked at, as the CLI follows pages and leaves them out.
func wants(t *testing.T, what string, got object, want object) {
	t.Helper()
	for name, value := range want {
		if g, w := fmt.Sprint(got[name]), fmt.Sprint(value); g != w {
			t.Errorf("%s: %s is %s, want %s, in %v", what, name, g, w, got)
		}
	}
}

// list is a member that is a list of objects.
func list(answer object, member string) []object {
	var all []object
	elements, _ := answer[member].([]any)
	for _, e := range elements {
		if o, ok := e.(object); ok {
			all = append(all, o)
		}
	}
	return all
}

func (s *scenario) create(t *testing.T) {
	s.call(t, "CreateStream", s.named(object{"ShardCount": 2, "Tags": object{"made": "here"}}))
	wants(t, "summary", s.summary(t), object{
		"StreamARN": s.arn, "OpenShardCount": 2, "RetentionPeriodHours": 24, "EncryptionType": "NONE", "ConsumerCount": 0, "MaxRecordSizeInKiB": 1024,
	})
	described, _ := s.call(t, "DescribeStream", s.named(nil))["StreamDescription"].(object)
	wants(t, "DescribeStream", described, object{"StreamARN": s.arn, "StreamStatus": "ACTIVE"})
	if got := list(described, "Shards"); len(got) != 2 {
		t.Errorf("DescribeStream: got shards %v, want two", got)
	}
	wants(t, "ListStreams", s.call(t, "ListStreams", object{}), object{"StreamNames": []string{s.stream}})
	wants(t, "DescribeLimits", s.call(t, "DescribeLimits", object{}), object{"OpenShardCount": 2, "OnDemandStreamCount": 0})
}

func (s *scenario) putAndRead(t *testing.T) {
	one := s.call(t, "PutRecord", s.named(object{"PartitionKey": "schlüssel", "ExplicitHashKey": "0", "Data": "first"}))
	wants(t, "PutRecord", one, object{"ShardId": "shardId-000000000000"})
	many := s.call(t, "PutRecords", s.named(object{"Records": []object{
		{"PartitionKey": "k", "ExplicitHashKey": "0", "Data": "second"}, {"PartitionKey": "k", "ExplicitHashKey": "0", "Data": "third ✓"},
	}}))
	wants(t, "PutRecords", many, object{"FailedRecordCount": 0})
	if got := list(s.call(t, "ListShards", s.named(nil)), "Shards"); len(got) != 2 {
		t.Errorf("ListShards: got %v, want two", got)
	}
	it := s.call(t, "GetShardIterator", s.named(object{"ShardId": one["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}))
	page := s.call(t, "GetRecords", object{"ShardIterator": it["ShardIterator"]})
	wants(t, "GetRecords", page, object{"MillisBehindLatest": 0})
	s.wantRecords(t, list(page, "Records"), one["SequenceNumber"])
}

// wantRecords compares records with what putAndRead put.
func (s *scenario) wantRecords(t *testing.T, got []object, first any) {
	t.Helper()
	if len(got) != 3 {
		t.Fatalf("got %d records, want 3: %v", len(got), got)
	}
	for i, data := range []string{"first", "second", "third ✓"} {
		wants(t, fmt.Sprint("record ", i), got[i], object{"Data": base64.StdEncoding.EncodeToString([]byte(data))})
	}
	wants(t, "record 0", got[0], object{"PartitionKey": "schlüssel", "SequenceNumber": first})
}

func (s *scenario) tags(t *testing.T) {
	s.call(t, "AddTagsToStream", s.named(object{"Tags": object{"team": "rivers", "größe": "groß"}}))
	s.call(t, "RemoveTagsFromStream", s.named(object{"TagKeys": []string{"team"}}))
	s.call(t, "TagResource", object{"ResourceARN": s.arn, "Tags": object{"a": "1", "b": "2"}})
	s.call(t, "UntagResource", object{"ResourceARN": s.arn, "TagKeys": []string{"b"}})
	want := []object{{"Key": "a", "Value": "1"}, {"Key": "größe", "Value": "groß"}, {"Key": "made", "Value": "here"}}
	wants(t, "ListTagsForStream", s.call(t, "ListTagsForStream", s.named(nil)), object{"Tags": want})
	wants(t, "ListTagsForResource", s.call(t, "ListTagsForResource", object{"ResourceARN": s.arn}), object{"Tags": want})
}

func (s *scenario) settings(t *testing.T) {
	s.call(t, "IncreaseStreamRetentionPeriod", s.named(object{"RetentionPeriodHours": 48}))
	wants(t, "increased", s.summary(t), object{"RetentionPeriodHours": 48})
	s.call(t, "DecreaseStreamRetentionPeriod", s.named(object{"RetentionPeriodHours": 25}))
	wants(t, "decreased", s.summary(t), object{"RetentionPeriodHours": 25})
	metrics := []string{"IncomingBytes", "OutgoingBytes"}
	enabled := s.call(t, "EnableEnhancedMonitoring", s.named(object{"ShardLevelMetrics": metrics}))
	wants(t, "EnableEnhancedMonitoring", enabled, object{"CurrentShardLevelMetrics": []string{}, "DesiredShardLevelMetrics": metrics})
	disabled := s.call(t, "DisableEnhancedMonitoring", s.named(object{"ShardLevelMetrics": metrics[:1]}))
	wants(t, "DisableEnhancedMonitoring", disabled, object{"CurrentShardLevelMetrics": metrics, "DesiredShardLevelMetrics": metrics[1:]})
	s.call(t, "UpdateMaxRecordSize", object{"StreamARN": s.arn, "MaxRecordSizeInKiB": 2048})
	wants(t, "UpdateMaxRecordSize", s.summary(t), object{"MaxRecordSizeInKiB": 2048})
}

func (s *scenario) consume(t *testing.T) {
	out, _ := s.call(t, "RegisterStreamConsumer", object{"StreamARN": s.arn, "ConsumerName": "reader"})["Consumer"].(object)
	s.consumer, _ = out["ConsumerARN"].(string)
	until(t, "the consumer to be ACTIVE", func() bool {
		d, _ := s.call(t, "DescribeStreamConsumer", object{"ConsumerARN": s.consumer})["ConsumerDescription"].(object)
		wants(t, "DescribeStreamConsumer", d, object{"StreamARN": s.arn, "ConsumerName": "reader"})
		return d["ConsumerStatus"] == "ACTIVE"
	})
	if got := list(s.call(t, "ListStreamConsumers", object{"StreamARN": s.arn}), "Consumers"); len(got) != 1 || got[0]["ConsumerARN"] != s.consumer {
		t.Errorf("ListStreamConsumers: got %v, want %s", got, s.consumer)
	}
	if cannot[s.program+" SubscribeToShard"] == "" {
		event := s.call(t, "SubscribeToShard", object{
			"ConsumerARN": s.consumer, "ShardId": "shardId-000000000000", "StartingPosition": object{"Type": "TRIM_HORIZON"},
		})
		records := list(event, "Records")
		s.wantRecords(t, records, records[0]["SequenceNumber"])
	}
	s.call(t, "DeregisterStreamConsumer", object{"ConsumerARN": s.consumer})
	until(t, "the consumer to be gone", func() bool {
		return len(list(s.call(t, "ListStreamConsumers", object{"StreamARN": s.arn}), "Consumers")) == 0
	})
}

func (s *scenario) policies(t *testing.T) {
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + accessKey +
		`"},"Action":"kinesis:GetRecords","Resource":"` + s.arn + `"}]}`
	s.call(t, "PutResourcePolicy", object{"ResourceARN": s.arn, "Policy": policy})
	wants(t, "GetResourcePolicy", s.call(t, "GetResourcePolicy", object{"ResourceARN": s.arn}), object{"Policy": policy})
	s.call(t, "DeleteResourcePolicy", object{"ResourceARN": s.arn})
	wants(t, "GetResourcePolicy", s.call(t, "GetResourcePolicy", object{"ResourceARN": s.arn}), object{"Policy": "{}"})
}

// encryption begins and ends, and what was put stays readable.
func (s *scenario) encryption(t *testing.T) {
	in := s.named(object{"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"})
	s.call(t, "StartStreamEncryption", in)
	wants(t, "StartStreamEncryption", s.summary(t), object{"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"})
	put := s.call(t, "PutRecord", s.named(object{"PartitionKey": "k", "ExplicitHashKey": "0", "Data": "sealed"}))
	wants(t, "PutRecord", put, object{"EncryptionType": "KMS"})
	s.call(t, "StopStreamEncryption", in)
	wants(t, "StopStreamEncryption", s.summary(t), object{"EncryptionType": "NONE"})
	it := s.call(t, "GetShardIterator", s.named(object{"ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}))
	records := list(s.call(t, "GetRecords", object{"ShardIterator": it["ShardIterator"]}), "Records")
	if len(records) != 4 {
		t.Fatalf("got %d records, want 4: %v", len(records), records)
	}
	wants(t, "the sealed record", records[3], object{"Data": base64.StdEncoding.EncodeToString([]byte("sealed")), "EncryptionType": "KMS"})
}

func (s *scenario) reshard(t *testing.T) {
	s.call(t, "SplitShard", s.named(object{"ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "42"}))
	wants(t, "split", s.summary(t), object{"OpenShardCount": 3})
	s.call(t, "MergeShards", s.named(object{"ShardToMerge": "shardId-000000000002", "AdjacentShardToMerge": "shardId-000000000003"}))
	wants(t, "merged", s.summary(t), object{"OpenShardCount": 2})
	scaled := s.call(t, "UpdateShardCount", s.named(object{"TargetShardCount": 4, "ScalingType": "UNIFORM_SCALING"}))
	wants(t, "UpdateShardCount", scaled, object{"CurrentShardCount": 2, "TargetShardCount": 4, "StreamARN": s.arn})
	wants(t, "scaled", s.summary(t), object{"OpenShardCount": 4})
	open := list(s.call(t, "ListShards", s.named(object{"ShardFilter": object{"Type": "AT_LATEST"}})), "Shards")
	if len(open) != 4 {
		t.Errorf("ListShards AT_LATEST: got %v, want four", open)
	}
}

func (s *scenario) mode(t *testing.T) {
	enabled, _ := s.call(t, "UpdateAccountSettings", object{"MinimumThroughputBillingCommitment": object{"Status": "ENABLED"}})["MinimumThroughputBillingCommitment"].(object)
	wants(t, "UpdateAccountSettings", enabled, object{"Status": "ENABLED"})
	shown, _ := s.call(t, "DescribeAccountSettings", object{})["MinimumThroughputBillingCommitment"].(object)
	wants(t, "DescribeAccountSettings", shown, object{"Status": "ENABLED"})
	s.call(t, "UpdateStreamMode", object{"StreamARN": s.arn, "StreamModeDetails": object{"StreamMode": "ON_DEMAND"}})
	wants(t, "UpdateStreamMode", s.summary(t), object{"StreamModeDetails": object{"StreamMode": "ON_DEMAND"}})
	warm := s.call(t, "UpdateStreamWarmThroughput", s.named(object{"WarmThroughputMiBps": 50}))
	wants(t, "UpdateStreamWarmThroughput", warm, object{"WarmThroughput": object{"TargetMiBps": 50, "CurrentMiBps": 0}})
	s.summary(t)
	s.call(t, "UpdateStreamRecordDistributionStrategy", object{"StreamARN": s.arn, "RecordDistributionStrategy": "AUTO"})
	wants(t, "UpdateStreamRecordDistributionStrategy", s.summary(t), object{"RecordDistributionStrategy": "AUTO"})
}

func (s *scenario) delete(t *testing.T) {
	s.call(t, "DeleteStream", s.named(nil))
	until(t, "the stream to be gone", func() bool {
		return fmt.Sprint(s.call(t, "ListStreams", object{})["StreamNames"]) == "[]"
	})
	s.refuse(t, "DescribeStreamSummary", s.named(nil), notFound, "Stream "+s.stream+" under account "+accessKey+" not found.")
}
