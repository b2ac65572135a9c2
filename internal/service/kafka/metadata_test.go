package kafka

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/api/kafkaapi/kbin"
	"millrace/internal/core/store/storetest"
)

// metadata asks for topics by name, as a client that lets them be made.
func metadata(t *testing.T, b *Broker, names ...string) *kafkaapi.MetadataResponse {
	t.Helper()
	req := kafkaapi.NewMetadataRequest()
	req.Topics = []kafkaapi.MetadataRequestTopic{}
	for _, name := range names {
		req.Topics = append(req.Topics, kafkaapi.MetadataRequestTopic{Name: &name})
	}
	return ask[*kafkaapi.MetadataResponse](t, b, 9, &req)
}

// told are the topics of an answer: name, error, partitions.
func told(m *kafkaapi.MetadataResponse) []string {
	var all []string
	for _, topic := range m.Topics {
		name := "null"
		if topic.Name != nil {
			name = *topic.Name
		}
		all = append(all, fmt.Sprint(name, " ", topic.ErrorCode, " ", len(topic.Partitions)))
	}
	return all
}

func TestMetadataTellsTheBrokerAtTheListenerOfTheClient(t *testing.T) {
	b := open(t, storetest.NewModel())
	m := metadata(t, b)
	if len(m.Brokers) != 1 || m.Brokers[0].NodeID != 0 || m.Brokers[0].Host != "localhost" || m.Brokers[0].Port != 9092 || m.Brokers[0].Rack != nil {
		t.Errorf("brokers: got %+v", m.Brokers)
	}
	if m.ControllerID != 0 || m.ClusterID == nil || *m.ClusterID != b.cluster || m.ClusterAuthorizedOperations != -2147483648 {
		t.Errorf("cluster: got controller %d, id %v, operations %d", m.ControllerID, m.ClusterID, m.ClusterAuthorizedOperations)
	}
}

func TestMetadataWithoutTopicsMeansAllOrNone(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("b", 2), topicOf("a", 1), topicOf("__consumer_offsets", 1))
	all := "[__consumer_offsets NONE 1 a NONE 1 b NONE 2]"
	for _, c := range []struct {
		version int16
		req     kafkaapi.MetadataRequest
		want    string
	}{
		{0, kafkaapi.MetadataRequest{Topics: []kafkaapi.MetadataRequestTopic{}}, all},
		{1, kafkaapi.MetadataRequest{Topics: []kafkaapi.MetadataRequestTopic{}}, "[]"},
		{1, kafkaapi.MetadataRequest{}, all},
		{13, kafkaapi.MetadataRequest{}, all},
	} {
		m := ask[*kafkaapi.MetadataResponse](t, b, c.version, &c.req)
		if got := fmt.Sprint(told(m)); got != c.want {
			t.Errorf("version %d, null %v: got %s, want %s", c.version, c.req.Topics == nil, got, c.want)
		}
		for _, topic := range m.Topics {
			if topic.IsInternal != (*topic.Name == "__consumer_offsets") {
				t.Errorf("%s: internal %v", *topic.Name, topic.IsInternal)
			}
		}
	}
}

func TestMetadataPutsErrorsInTheirPlaces(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("here", 2))
	known, _ := b.topic(t.Context(), "here")
	here, none, bad := "here", "none", "b a d"
	req := kafkaapi.MetadataRequest{
		Topics: []kafkaapi.MetadataRequestTopic{
			{Name: &none}, {Name: &here}, {Name: &bad}, {TopicID: kafkaapi.UUID{7}}, {TopicID: known.id},
		},
		IncludeTopicAuthorizedOperations: true,
	}
	m := ask[*kafkaapi.MetadataResponse](t, b, 12, &req)
	want := []string{"none UNKNOWN_TOPIC_OR_PARTITION 0", "here NONE 2", "b a d INVALID_TOPIC_EXCEPTION 0", "null UNKNOWN_TOPIC_ID 0", "here NONE 2"}
	if got := told(m); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if m.Topics[3].TopicID != (kafkaapi.UUID{7}) || m.Topics[1].TopicID != known.id {
		t.Errorf("ids: got %s, %s", m.Topics[3].TopicID, m.Topics[1].TopicID)
	}
	const everything = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	if m.Topics[1].TopicAuthorizedOperations != everything || m.Topics[0].TopicAuthorizedOperations != -2147483648 {
		t.Errorf("operations: got %d and %d", m.Topics[1].TopicAuthorizedOperations, m.Topics[0].TopicAuthorizedOperations)
	}
	for i, p := range m.Topics[1].Partitions {
		if p.PartitionIndex != int32(i) || p.LeaderID != 0 || p.LeaderEpoch != 0 || p.ErrorCode != kafkaapi.None {
			t.Errorf("partition %d: got %+v", i, p)
		}
	}
}

func TestMetadataMakesTopicsWhereClientAndBrokerAllowIt(t *testing.T) {
	s := storetest.NewModel()
	open := func(configs map[string]string) *Broker {
		b, err := New(Options{Store: s, Configs: configs})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return b
	}
	b := open(map[string]string{"num.partitions": "3"})
	long := strings.Repeat("n", 250)
	unknown, invalid := " UNKNOWN_TOPIC_OR_PARTITION 0", " INVALID_TOPIC_EXCEPTION 0"
	for _, want := range [][]string{
		{"new" + unknown, "new" + unknown, "b a d" + invalid, "__consumer_offsets" + unknown, "ddb.table" + unknown, long + invalid, "ne_w" + unknown, "ne.w" + unknown},
		{"new NONE 3", "new NONE 3", "b a d" + invalid, "__consumer_offsets" + unknown, "ddb.table" + unknown, long + invalid, "ne_w NONE 3", "ne.w" + unknown},
	} {
		if got := told(metadata(t, b, "new", "new", "b a d", "__consumer_offsets", "ddb.table", long, "ne_w", "ne.w")); !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	name := "asked"
	m := ask[*kafkaapi.MetadataResponse](t, b, 9, &kafkaapi.MetadataRequest{Topics: []kafkaapi.MetadataRequestTopic{{Name: &name}}})
	if got := told(m); got[0] != "asked UNKNOWN_TOPIC_OR_PARTITION 0" {
		t.Errorf("a client that does not let it be made: got %q", got)
	}
	if got := told(metadata(t, open(map[string]string{"auto.create.topics.enable": "false"}), "asked")); got[0] != "asked UNKNOWN_TOPIC_OR_PARTITION 0" {
		t.Errorf("a broker that does not: got %q", got)
	}
}

func TestMetadataIsCurrentWhateverAnotherBrokerDid(t *testing.T) {
	s := storetest.NewModel()
	a, b := open(t, s), open(t, s)
	mustCreate(t, a, topicOf("t", 1))
	if got := told(metadata(t, b, "t")); got[0] != "t NONE 1" {
		t.Fatalf("got %q", got)
	}
	ask[*kafkaapi.CreatePartitionsResponse](t, a, 3, &kafkaapi.CreatePartitionsRequest{
		Topics: []kafkaapi.CreatePartitionsRequestCreatePartitionsTopic{{Name: "t", Count: 4}},
	})
	if got := told(metadata(t, b, "t")); got[0] != "t NONE 4" {
		t.Errorf("after partitions were added: got %q", got)
	}
	ask[*kafkaapi.DeleteTopicsResponse](t, a, 5, &kafkaapi.DeleteTopicsRequest{TopicNames: []string{"t"}})
	req := kafkaapi.MetadataRequest{}
	if got := told(ask[*kafkaapi.MetadataResponse](t, b, 9, &req)); len(got) != 0 {
		t.Errorf("after it was deleted: got %q", got)
	}
	mustCreate(t, a, topicOf("t", 2))
	if got := told(metadata(t, b, "t")); got[0] != "t NONE 2" {
		t.Errorf("after it was made again: got %q", got)
	}
}

// describePage asks for a page of topics and returns "name/first-last" of each, or its error, and the cursor.
func describePage(t *testing.T, b *Broker, limit int32, cursor *kafkaapi.DescribeTopicPartitionsRequestCursor, names ...string) ([]string, string) {
	t.Helper()
	req := &kafkaapi.DescribeTopicPartitionsRequest{ResponsePartitionLimit: limit, Cursor: cursor}
	for _, name := range names {
		req.Topics = append(req.Topics, kafkaapi.DescribeTopicPartitionsRequestTopicRequest{Name: name})
	}
	res := ask[*kafkaapi.DescribeTopicPartitionsResponse](t, b, 0, req)
	var got []string
	for _, topic := range res.Topics {
		text := *topic.Name + "/" + topic.ErrorCode.Name()
		if n := len(topic.Partitions); n > 0 {
			text = fmt.Sprintf("%s/%d-%d", *topic.Name, topic.Partitions[0].PartitionIndex, topic.Partitions[n-1].PartitionIndex)
		}
		got = append(got, text)
	}
	next := ""
	if res.NextCursor != nil {
		next = fmt.Sprintf("%s/%d", res.NextCursor.TopicName, res.NextCursor.PartitionIndex)
	}
	return got, next
}

func TestTopicsAreDescribedInPages(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("a", 3), topicOf("b", 4), topicOf("c", 1))
	at := func(name string, index int32) *kafkaapi.DescribeTopicPartitionsRequestCursor {
		return &kafkaapi.DescribeTopicPartitionsRequestCursor{TopicName: name, PartitionIndex: index}
	}
	for _, c := range []struct {
		limit  int32
		cursor *kafkaapi.DescribeTopicPartitionsRequestCursor
		names  []string
		want   string
		next   string
	}{
		{2000, nil, nil, "[a/0-2 b/0-3 c/0-0]", ""},
		{5, nil, nil, "[a/0-2 b/0-1]", "b/2"},
		{5, at("b", 2), nil, "[b/2-3 c/0-0]", ""},
		{3, nil, nil, "[a/0-2]", "b/0"},
		{3, at("b", 0), []string{"c", "a", "b"}, "[b/0-2]", "b/3"},
		{2000, nil, []string{"c", "none", "a", "c"}, "[a/0-2 c/0-0 none/UNKNOWN_TOPIC_OR_PARTITION]", ""},
		{3, nil, []string{"c", "a"}, "[a/0-2]", "c/0"},
		{2000, at("aa", 7), nil, "[b/0-3 c/0-0]", ""},
		{0, nil, nil, "[a/0-0]", "a/1"},
	} {
		got, next := describePage(t, b, c.limit, c.cursor, c.names...)
		if fmt.Sprint(got) != c.want || next != c.next {
			t.Errorf("limit %d, cursor %+v, topics %q: got %v, next %q, want %s, next %q", c.limit, c.cursor, c.names, got, next, c.want, c.next)
		}
	}
}

// TestAnswersAreWrittenInEveryVersion writes answers of all kinds, since what an answer leaves nil some version may not.
func TestAnswersAreWrittenInEveryVersion(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("t", 2))
	name, none, value := "t", "none", "5"
	requests := []kafkaapi.Request{
		&kafkaapi.MetadataRequest{Topics: []kafkaapi.MetadataRequestTopic{{Name: &name}, {Name: &none}}},
		&kafkaapi.DescribeClusterRequest{EndpointType: 1, IncludeClusterAuthorizedOperations: true},
		&kafkaapi.DescribeTopicPartitionsRequest{ResponsePartitionLimit: 1},
		&kafkaapi.CreateTopicsRequest{Topics: []kafkaapi.CreateTopicsRequestCreatableTopic{topicOf("made", 1), topicOf("no good", 1)}, ValidateOnly: true},
		&kafkaapi.DeleteTopicsRequest{TopicNames: []string{"none"}, Topics: []kafkaapi.DeleteTopicsRequestDeleteTopicState{{Name: &none}}},
		&kafkaapi.CreatePartitionsRequest{Topics: []kafkaapi.CreatePartitionsRequestCreatePartitionsTopic{{Name: "t", Count: 5}, {Name: "none"}}, ValidateOnly: true},
		&kafkaapi.DescribeConfigsRequest{Resources: []kafkaapi.DescribeConfigsRequestDescribeConfigsResource{
			{ResourceType: resourceTopic, ResourceName: "t"},
			{ResourceType: resourceBroker, ResourceName: "0"},
			{ResourceType: resourceTopic, ResourceName: "none"},
			{ResourceType: resourceGroup, ResourceName: "g"},
		}, IncludeSynonyms: true, IncludeDocumentation: true},
		&kafkaapi.AlterConfigsRequest{Resources: []kafkaapi.AlterConfigsRequestAlterConfigsResource{{ResourceType: resourceTopic, ResourceName: "t"}, {}}, ValidateOnly: true},
		&kafkaapi.IncrementalAlterConfigsRequest{Resources: []kafkaapi.IncrementalAlterConfigsRequestAlterConfigsResource{{
			ResourceType: resourceTopic, ResourceName: "t",
			Configs: []kafkaapi.IncrementalAlterConfigsRequestAlterableConfig{{Name: "retention.ms", Value: &value}},
		}}, ValidateOnly: true},
		&kafkaapi.ListConfigResourcesRequest{},
		&kafkaapi.AlterReplicaLogDirsRequest{Dirs: []kafkaapi.AlterReplicaLogDirsRequestAlterReplicaLogDir{{
			Path: "/none", Topics: []kafkaapi.AlterReplicaLogDirsRequestAlterReplicaLogDirTopic{{Name: "t", Partitions: []int32{0}}},
		}}},
		&kafkaapi.DescribeLogDirsRequest{},
		&kafkaapi.ElectLeadersRequest{TopicPartitions: []kafkaapi.ElectLeadersRequestTopicPartitions{{Topic: "t", Partitions: []int32{0, 9}}}},
		&kafkaapi.AlterPartitionReassignmentsRequest{Topics: []kafkaapi.AlterPartitionReassignmentsRequestReassignableTopic{{
			Name: "t", Partitions: []kafkaapi.AlterPartitionReassignmentsRequestReassignablePartition{{Replicas: []int32{0}}, {}},
		}}},
		&kafkaapi.ListPartitionReassignmentsRequest{},
		&kafkaapi.DescribeQuorumRequest{Topics: []kafkaapi.DescribeQuorumRequestTopicData{{TopicName: metadataTopic, Partitions: []kafkaapi.DescribeQuorumRequestPartitionData{{}}}}},
		&kafkaapi.UpdateFeaturesRequest{FeatureUpdates: []kafkaapi.UpdateFeaturesRequestFeatureUpdateKey{{Feature: "metadata.version", MaxVersionLevel: 30, UpgradeType: 1}}},
		&kafkaapi.GetTelemetrySubscriptionsRequest{},
		&kafkaapi.PushTelemetryRequest{},
	}
	for _, served := range kafkaapi.Served() {
		at := slices.IndexFunc(requests, func(r kafkaapi.Request) bool { return r.RequestKey() == served.Key })
		if at < 0 {
			continue
		}
		for v := served.Min; v <= served.Max; v++ {
			w := kbin.NewWriter(nil)
			ask[kafkaapi.Message](t, b, v, requests[at]).Encode(&w, v)
			if err := w.Err(); err != nil || w.Len() == 0 {
				t.Errorf("%s version %d: %d bytes, %v", served.Key, v, w.Len(), err)
			}
		}
	}
}

func TestTheBrokerHasTheIDItIsGiven(t *testing.T) {
	for _, configs := range []map[string]string{{"node.id": "7"}, {"broker.id": "7"}, {"node.id": "7", "broker.id": "7"}} {
		s := storetest.NewModel()
		b, err := New(Options{Store: s, Configs: configs})
		if err != nil {
			t.Fatalf("%v: %v", configs, err)
		}
		mustCreate(t, b, topicOf("t", 1))
		name := "t"
		m := ask[*kafkaapi.MetadataResponse](t, b, 12, &kafkaapi.MetadataRequest{Topics: []kafkaapi.MetadataRequestTopic{{Name: &name}}})
		p := m.Topics[0].Partitions[0]
		if m.ControllerID != 7 || m.Brokers[0].NodeID != 7 || p.LeaderID != 7 || !slices.Equal(p.ReplicaNodes, []int32{7}) || !slices.Equal(p.IsrNodes, []int32{7}) {
			t.Errorf("%v: got %+v", configs, m)
		}
		d := ask[*kafkaapi.DescribeConfigsResponse](t, b, 4, &kafkaapi.DescribeConfigsRequest{Resources: []kafkaapi.DescribeConfigsRequestDescribeConfigsResource{
			{ResourceType: resourceBroker, ResourceName: "7", ConfigurationKeys: []string{"broker.id", "node.id"}},
			{ResourceType: resourceBroker, ResourceName: "0"},
		}})
		if got := d.Results[0].Configs; len(got) != 2 || *got[0].Value != "7" || *got[1].Value != "7" || d.Results[1].ErrorCode != kafkaapi.InvalidRequest {
			t.Errorf("%v: got %+v", configs, d)
		}
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := New(Options{Store: storetest.NewModel(), Configs: map[string]string{"node.id": "7", "broker.id": "8"}}); err == nil || !strings.Contains(err.Error(), "same value") {
		t.Errorf("two ids: got %v", err)
	}
}
