package kafka

import (
	"slices"
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store/storetest"
)

// listed are the names of all topics that Metadata tells, and which of them are internal.
func listed(t *testing.T, b *Broker) (names, inside []string) {
	t.Helper()
	for _, topic := range ask[*kafkaapi.MetadataResponse](t, b, 12, &kafkaapi.MetadataRequest{}).Topics {
		if names = append(names, *topic.Name); topic.IsInternal {
			inside = append(inside, *topic.Name)
		}
	}
	return names, inside
}

func TestInternalTopicsAreShownOnceACoordinatorWasAskedFor(t *testing.T) {
	s := storetest.NewModel()
	b := open(t, s)
	for _, name := range []string{"A", "__consumer_offsetz", "z"} {
		makeTopic(t, b, name, 1)
	}
	if names, inside := listed(t, b); len(names) != 3 || len(inside) != 0 {
		t.Fatalf("before: got %q, internal %q", names, inside)
	}
	ask[*kafkaapi.FindCoordinatorResponse](t, b, 4, &kafkaapi.FindCoordinatorRequest{CoordinatorKeys: []string{"g"}})
	ask[*kafkaapi.FindCoordinatorResponse](t, b, 4, &kafkaapi.FindCoordinatorRequest{KeyType: coordinatorTxn, CoordinatorKeys: []string{"x"}})
	names, inside := listed(t, b)
	if want := []string{"A", offsetsTopic, "__consumer_offsetz", transactionsTopic, "z"}; !slices.Equal(names, want) || !slices.Equal(inside, []string{offsetsTopic, transactionsTopic}) {
		t.Fatalf("after: got %q, internal %q; want %q", names, inside, want)
	}
	one := ask[*kafkaapi.MetadataResponse](t, b, 12, &kafkaapi.MetadataRequest{Topics: []kafkaapi.MetadataRequestTopic{{Name: new(offsetsTopic)}}}).Topics[0]
	byID := ask[*kafkaapi.MetadataResponse](t, b, 12, &kafkaapi.MetadataRequest{Topics: []kafkaapi.MetadataRequestTopic{{TopicID: one.TopicID}}}).Topics[0]
	if one.ErrorCode != kafkaapi.None || len(one.Partitions) != 50 || byID.Name == nil || *byID.Name != offsetsTopic {
		t.Errorf("by name: got %d partitions, %v; by id: %+v", len(one.Partitions), one.ErrorCode, byID.Name)
	}
	offsets := ask[*kafkaapi.ListOffsetsResponse](t, b, 7, &kafkaapi.ListOffsetsRequest{ReplicaID: -1, Topics: []kafkaapi.ListOffsetsRequestListOffsetsTopic{
		{Name: offsetsTopic, Partitions: []kafkaapi.ListOffsetsRequestListOffsetsPartition{{Timestamp: -1, CurrentLeaderEpoch: -1}}},
	}})
	if p := offsets.Topics[0].Partitions[0]; p.ErrorCode != kafkaapi.None || p.Offset != 0 {
		t.Errorf("its end: got %+v, want 0", p)
	}
	producers := ask[*kafkaapi.DescribeProducersResponse](t, b, 0, &kafkaapi.DescribeProducersRequest{
		Topics: []kafkaapi.DescribeProducersRequestTopicRequest{{Name: offsetsTopic, PartitionIndexes: []int32{49, 50}}},
	}).Topics[0].Partitions
	if p := producers[0]; p.ErrorCode != kafkaapi.None || len(p.ActiveProducers) > 0 {
		t.Errorf("producers of its last partition: got %+v, want none", p)
	}
	if code := producers[1].ErrorCode; code != kafkaapi.UnknownTopicOrPartition {
		t.Errorf("producers of a partition above: got %v, want %v", code, kafkaapi.UnknownTopicOrPartition)
	}
	again := ask[*kafkaapi.CreateTopicsResponse](t, b, 7, &kafkaapi.CreateTopicsRequest{Topics: []kafkaapi.CreateTopicsRequestCreatableTopic{{Name: offsetsTopic, NumPartitions: 1, ReplicationFactor: 1}}})
	if code := again.Topics[0].ErrorCode; code != kafkaapi.TopicAlreadyExists {
		t.Errorf("create: got %v", code)
	}
	configs := ask[*kafkaapi.DescribeConfigsResponse](t, b, 4, &kafkaapi.DescribeConfigsRequest{
		Resources: []kafkaapi.DescribeConfigsRequestDescribeConfigsResource{{ResourceType: 2, ResourceName: offsetsTopic, ConfigurationKeys: []string{"cleanup.policy"}}},
	})
	if v := configs.Results[0].Configs; len(v) != 1 || *v[0].Value != "compact" {
		t.Errorf("configs: got %+v", configs.Results[0])
	}
}

func TestInternalTopicsAreStillShownAfterARestart(t *testing.T) {
	s := storetest.NewModel()
	b := open(t, s)
	makeTopic(t, b, "t", 1)
	commit(t, b, 9, offsetsOf("g", "t", 1))
	if _, inside := listed(t, open(t, s)); !slices.Equal(inside, []string{offsetsTopic}) {
		t.Errorf("after a restart: got %q", inside)
	}
}

func TestOffsetsOfInternalTopicsAreKeptApart(t *testing.T) {
	s := storetest.NewModel()
	b := open(t, s)
	ask[*kafkaapi.FindCoordinatorResponse](t, b, 4, &kafkaapi.FindCoordinatorRequest{CoordinatorKeys: []string{"g"}})
	ask[*kafkaapi.FindCoordinatorResponse](t, b, 4, &kafkaapi.FindCoordinatorRequest{KeyType: coordinatorTxn, CoordinatorKeys: []string{"x"}})
	commit(t, b, 9, offsetsOf("g", offsetsTopic, 5))
	commit(t, b, 9, offsetsOf("g", transactionsTopic, 6))
	for topic, want := range map[string]int64{offsetsTopic: 5, transactionsTopic: 6} {
		res := ask[*kafkaapi.OffsetFetchResponse](t, b, 8, &kafkaapi.OffsetFetchRequest{Groups: []kafkaapi.OffsetFetchRequestGroup{
			{GroupID: "g", Topics: []kafkaapi.OffsetFetchRequestTopics{{Name: topic, PartitionIndexes: []int32{0}}}},
		}})
		if got := res.Groups[0].Topics[0].Partitions[0]; got.CommittedOffset != want {
			t.Errorf("%s: got %d, want %d", topic, got.CommittedOffset, want)
		}
	}
}
