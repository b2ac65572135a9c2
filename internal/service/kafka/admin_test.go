package kafka

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

func TestDescribeClusterTellsOfBrokersOnly(t *testing.T) {
	b := open(t, storetest.NewModel())
	res := ask[*kafkaapi.DescribeClusterResponse](t, b, 2, &kafkaapi.DescribeClusterRequest{EndpointType: 1, IncludeClusterAuthorizedOperations: true})
	if res.ErrorCode != kafkaapi.None || res.ClusterID != b.cluster || res.ControllerID != 0 || len(res.Brokers) != 1 ||
		res.Brokers[0].Host != "localhost" || res.Brokers[0].Port != 9092 || res.ClusterAuthorizedOperations != 1<<5|1<<7|1<<8|1<<9|1<<10|1<<11|1<<12 {
		t.Errorf("got %+v", res)
	}
	for kind, want := range map[int8]kafkaapi.Code{2: kafkaapi.MismatchedEndpointType, 9: kafkaapi.UnsupportedEndpointType} {
		if res := ask[*kafkaapi.DescribeClusterResponse](t, b, 2, &kafkaapi.DescribeClusterRequest{EndpointType: kind}); res.ErrorCode != want {
			t.Errorf("endpoints of kind %d: got %s, want %s", kind, res.ErrorCode, want)
		}
	}
}

// Texts recorded from a broker of Apache Kafka 4.3.1 (2026-11).
func TestElectionsAndReassignmentsHaveNothingToDo(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("t", 1))
	res := ask[*kafkaapi.ElectLeadersResponse](t, b, 2, &kafkaapi.ElectLeadersRequest{TopicPartitions: []kafkaapi.ElectLeadersRequestTopicPartitions{
		{Topic: "t", Partitions: []int32{0, 99}}, {Topic: "none", Partitions: []int32{0}},
	}})
	var got []string
	for _, topic := range res.ReplicaElectionResults {
		for _, p := range topic.PartitionResult {
			got = append(got, refused(p.ErrorCode, p.ErrorMessage))
		}
	}
	want := []string{
		"ELECTION_NOT_NEEDED: Leader election not needed for topic partition.", "UNKNOWN_TOPIC_OR_PARTITION: No such partition as t-99",
		"UNKNOWN_TOPIC_OR_PARTITION: No such topic as none",
	}
	if !slices.Equal(got, want) {
		t.Errorf("elections:\ngot  %q\nwant %q", got, want)
	}
	if all := ask[*kafkaapi.ElectLeadersResponse](t, b, 2, &kafkaapi.ElectLeadersRequest{}); all.ErrorCode != kafkaapi.None || len(all.ReplicaElectionResults) != 0 {
		t.Errorf("elections everywhere: got %+v", all)
	}

	for _, c := range []struct {
		topic    string
		index    int32
		replicas []int32
		want     string
	}{
		{"t", 0, []int32{0}, ""},
		{"t", 0, []int32{0, 0}, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes the broker 0 more than once."},
		{"t", 0, []int32{9}, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker 9, but no such broker is registered."},
		{"t", 0, []int32{}, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes an empty replica list."},
		{"t", 0, nil, "NO_REASSIGNMENT_IN_PROGRESS: No partition reassignment is in progress."},
		{"t", 77, []int32{0}, "UNKNOWN_TOPIC_OR_PARTITION: Unable to find partition t:77."},
		{"none", 0, []int32{0}, "UNKNOWN_TOPIC_OR_PARTITION: Unable to find a topic named none."},
	} {
		res := ask[*kafkaapi.AlterPartitionReassignmentsResponse](t, b, 1, &kafkaapi.AlterPartitionReassignmentsRequest{
			Topics: []kafkaapi.AlterPartitionReassignmentsRequestReassignableTopic{{
				Name: c.topic, Partitions: []kafkaapi.AlterPartitionReassignmentsRequestReassignablePartition{{PartitionIndex: c.index, Replicas: c.replicas}},
			}},
		})
		p := res.Responses[0].Partitions[0]
		if got := refused(p.ErrorCode, p.ErrorMessage); got != c.want {
			t.Errorf("%s-%d to %v:\ngot  %s\nwant %s", c.topic, c.index, c.replicas, got, c.want)
		}
	}
	three := topicOf("three", 1)
	three.ReplicationFactor = 3
	mustCreate(t, b, three)
	for _, may := range []bool{false, true} {
		res := ask[*kafkaapi.AlterPartitionReassignmentsResponse](t, b, 1, &kafkaapi.AlterPartitionReassignmentsRequest{
			AllowReplicationFactorChange: may,
			Topics: []kafkaapi.AlterPartitionReassignmentsRequestReassignableTopic{{
				Name: "three", Partitions: []kafkaapi.AlterPartitionReassignmentsRequestReassignablePartition{{Replicas: []int32{0}}},
			}},
		})
		topic, _ := b.topic(t.Context(), "three")
		p := res.Responses[0].Partitions[0]
		want := map[bool]string{false: "INVALID_REPLICATION_FACTOR: The replication factor is changed from 3 to 1; 3", true: "; 1"}[may]
		if got := fmt.Sprint(refused(p.ErrorCode, p.ErrorMessage), "; ", topic.replicas); got != want {
			t.Errorf("to one replica, allowed %v: got %s, want %s", may, got, want)
		}
	}
	if res := ask[*kafkaapi.ListPartitionReassignmentsResponse](t, b, 0, &kafkaapi.ListPartitionReassignmentsRequest{}); len(res.Topics) != 0 {
		t.Errorf("reassignments: got %+v", res.Topics)
	}
}

// Texts recorded from a broker of Apache Kafka 4.3.1 (2026-11), but for the last.
func TestFeaturesStayAtTheirLevels(t *testing.T) {
	b := open(t, storetest.NewModel())
	const failed = "INVALID_UPDATE_VERSION: The update failed for all features since the following feature had an error: "
	for _, c := range []struct {
		kind    int8
		feature string
		level   int16
		want    string
	}{
		{1, "metadata.version", 30, ""},
		{2, "transaction.version", 2, ""},
		{1, "metadata.version", 29, failed + "Invalid update version 29 for feature metadata.version. Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."},
		{1, "metadata.version", 99, failed + "Invalid update version 99 for feature metadata.version. Local controller 0 only supports versions 7-30"},
		{1, "bogus", 1, failed + "Invalid update version 1 for feature bogus. Local controller 0 does not support this feature."},
		{3, "metadata.version", 29, failed + "Invalid update version 29 for feature metadata.version. The level stays 30 here."},
	} {
		res := ask[*kafkaapi.UpdateFeaturesResponse](t, b, 2, &kafkaapi.UpdateFeaturesRequest{
			FeatureUpdates: []kafkaapi.UpdateFeaturesRequestFeatureUpdateKey{{Feature: c.feature, MaxVersionLevel: c.level, UpgradeType: c.kind}},
		})
		if got := refused(res.ErrorCode, res.ErrorMessage); got != c.want {
			t.Errorf("%s to %d, kind %d:\ngot  %s\nwant %s", c.feature, c.level, c.kind, got, c.want)
		}
	}
}

func TestQuorumIsTheBroker(t *testing.T) {
	b := open(t, storetest.NewModel())
	quorum := func(name string) kafkaapi.DescribeQuorumResponsePartitionData {
		return ask[*kafkaapi.DescribeQuorumResponse](t, b, 2, &kafkaapi.DescribeQuorumRequest{
			Topics: []kafkaapi.DescribeQuorumRequestTopicData{{TopicName: name, Partitions: []kafkaapi.DescribeQuorumRequestPartitionData{{}}}},
		}).Topics[0].Partitions[0]
	}
	if p := quorum("__cluster_metadata"); p.ErrorCode != kafkaapi.None || p.LeaderID != 0 || len(p.CurrentVoters) != 1 || p.CurrentVoters[0].LastFetchTimestamp <= 0 {
		t.Errorf("got %+v", p)
	}
	if p := quorum("other"); p.ErrorCode != kafkaapi.UnknownTopicOrPartition {
		t.Errorf("of another topic: got %+v", p)
	}
	if res := ask[*kafkaapi.DescribeQuorumResponse](t, b, 2, &kafkaapi.DescribeQuorumRequest{}); res.ErrorCode != kafkaapi.InvalidRequest {
		t.Errorf("of none: got %+v", res)
	}
}

func TestClientsAreAskedForNoTelemetry(t *testing.T) {
	b := open(t, storetest.NewModel())
	res := ask[*kafkaapi.GetTelemetrySubscriptionsResponse](t, b, 0, &kafkaapi.GetTelemetrySubscriptionsRequest{})
	if res.ErrorCode != kafkaapi.None || res.ClientInstanceID == (kafkaapi.UUID{}) || len(res.RequestedMetrics) != 0 || res.PushIntervalMs != 300_000 {
		t.Errorf("got %+v", res)
	}
	again := ask[*kafkaapi.GetTelemetrySubscriptionsResponse](t, b, 0, &kafkaapi.GetTelemetrySubscriptionsRequest{ClientInstanceID: res.ClientInstanceID})
	if again.ClientInstanceID != res.ClientInstanceID {
		t.Errorf("a client's id became %s, want %s", again.ClientInstanceID, res.ClientInstanceID)
	}
	for _, c := range []struct {
		req  kafkaapi.PushTelemetryRequest
		want kafkaapi.Code
	}{
		{kafkaapi.PushTelemetryRequest{}, kafkaapi.InvalidRequest},
		{kafkaapi.PushTelemetryRequest{ClientInstanceID: res.ClientInstanceID, SubscriptionID: 7}, kafkaapi.UnknownSubscriptionID},
		{kafkaapi.PushTelemetryRequest{ClientInstanceID: res.ClientInstanceID, Metrics: make([]byte, 1<<20+1)}, kafkaapi.TelemetryTooLarge},
		{kafkaapi.PushTelemetryRequest{ClientInstanceID: res.ClientInstanceID, Terminating: true}, kafkaapi.None},
	} {
		if got := ask[*kafkaapi.PushTelemetryResponse](t, b, 0, &c.req).ErrorCode; got != c.want {
			t.Errorf("subscription %d, %d bytes: got %s, want %s", c.req.SubscriptionID, len(c.req.Metrics), got, c.want)
		}
	}
}

func TestResourcesWithConfigsAreListed(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("b", 1), topicOf("a", 1))
	for _, c := range []struct {
		version int16
		kinds   []int8
		want    string
	}{
		{1, nil, "NONE [2:a 2:b 4:0 8:0]"},
		{1, []int8{resourceBroker}, "NONE [4:0]"},
		{1, []int8{resourceGroup}, "NONE []"},
		{0, nil, "NONE []"},
		{1, []int8{77}, "UNSUPPORTED_VERSION []"},
	} {
		res := ask[*kafkaapi.ListConfigResourcesResponse](t, b, c.version, &kafkaapi.ListConfigResourcesRequest{ResourceTypes: c.kinds})
		var got []string
		for _, r := range res.ConfigResources {
			got = append(got, fmt.Sprintf("%d:%s", r.ResourceType, r.ResourceName))
		}
		if text := fmt.Sprint(res.ErrorCode, " ", got); text != c.want {
			t.Errorf("version %d, kinds %v: got %s, want %s", c.version, c.kinds, text, c.want)
		}
	}
}

func TestSizesOfPartitionsAreTold(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("t", 3), topicOf("u", 1))
	topic, _ := b.topic(t.Context(), "t")
	var w batch.Builder
	w.Start(nil, 0)
	w.Add(&batch.Record{Value: []byte(strings.Repeat("v", 500))})
	finished := w.Finish(batch.Fields{ProducerID: batch.NoProducer, ProducerEpoch: batch.NoProducer, BaseSequence: batch.NoProducer})
	if res, err := b.store.Append(t.Context(), []store.AppendRequest{{Partition: topic.partitions[1].id, Batch: finished}}); err != nil || res[0].Err != nil {
		t.Fatal(err, res)
	}
	for _, c := range []struct {
		topics []kafkaapi.DescribeLogDirsRequestDescribableLogDirTopic
		want   string
	}{
		{nil, fmt.Sprintf("[t-0:0 t-1:%d t-2:0 u-0:0]", len(finished))},
		{[]kafkaapi.DescribeLogDirsRequestDescribableLogDirTopic{{Topic: "t", Partitions: []int32{1, 9}}, {Topic: "none", Partitions: []int32{0}}}, fmt.Sprintf("[t-1:%d]", len(finished))},
		{[]kafkaapi.DescribeLogDirsRequestDescribableLogDirTopic{}, "[]"},
	} {
		res := ask[*kafkaapi.DescribeLogDirsResponse](t, b, 4, &kafkaapi.DescribeLogDirsRequest{Topics: c.topics})
		if res.ErrorCode != kafkaapi.None || len(res.Results) != 1 || res.Results[0].LogDir == "" {
			t.Fatalf("got %+v", res)
		}
		var got []string
		for _, topic := range res.Results[0].Topics {
			for _, p := range topic.Partitions {
				got = append(got, fmt.Sprintf("%s-%d:%d", topic.Name, p.PartitionIndex, p.PartitionSize))
			}
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%+v: got %v, want %s", c.topics, got, c.want)
		}
	}
}

func TestPartitionsAreAlreadyInTheOneFolder(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("t", 2))
	type dir = kafkaapi.AlterReplicaLogDirsRequestAlterReplicaLogDir
	type topics = []kafkaapi.AlterReplicaLogDirsRequestAlterReplicaLogDirTopic
	res := ask[*kafkaapi.AlterReplicaLogDirsResponse](t, b, 2, &kafkaapi.AlterReplicaLogDirsRequest{Dirs: []dir{
		{Path: b.logDir(), Topics: topics{{Name: "t", Partitions: []int32{0, 1, 2}}, {Name: "none", Partitions: []int32{0}}}},
		{Path: "/other", Topics: topics{{Name: "t", Partitions: []int32{0}}, {Name: "none", Partitions: []int32{0}}}},
	}})
	var got []string
	for _, topic := range res.Results {
		for _, p := range topic.Partitions {
			got = append(got, fmt.Sprintf("%s-%d:%d", topic.TopicName, p.PartitionIndex, p.ErrorCode))
		}
	}
	want := fmt.Sprintf("[t-0:0 t-1:0 t-2:%d none-0:%[1]d t-0:%d none-0:%[2]d]", kafkaapi.UnknownTopicOrPartition, kafkaapi.LogDirNotFound)
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
