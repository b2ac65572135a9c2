package kafka

import (
	"strings"
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// makeTopic makes a topic and returns its id.
func makeTopic(t *testing.T, b *Broker, name string, partitions int32) kafkaapi.UUID {
	t.Helper()
	res := ask[*kafkaapi.CreateTopicsResponse](t, b, 7, &kafkaapi.CreateTopicsRequest{Topics: []kafkaapi.CreateTopicsRequestCreatableTopic{
		{Name: name, NumPartitions: partitions, ReplicationFactor: 1},
	}})
	if len(res.Topics) != 1 || res.Topics[0].ErrorCode != kafkaapi.None {
		t.Fatalf("create %s: got %+v", name, res.Topics)
	}
	return res.Topics[0].TopicID
}

// join makes a client the only member of a group and gives its id, in generation 1.
func join(t *testing.T, b *Broker, group string) string {
	t.Helper()
	req := &kafkaapi.JoinGroupRequest{
		GroupID: group, SessionTimeoutMs: 10_000, RebalanceTimeoutMs: 10_000, ProtocolType: "consumer",
		Protocols: []kafkaapi.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m")}},
	}
	first := ask[*kafkaapi.JoinGroupResponse](t, b, 9, req)
	if first.ErrorCode != kafkaapi.MemberIDRequired || first.MemberID == "" {
		t.Fatalf("first join: got %+v, want MEMBER_ID_REQUIRED with an id", first)
	}
	req.MemberID = first.MemberID
	again := ask[*kafkaapi.JoinGroupResponse](t, b, 9, req)
	if again.ErrorCode != kafkaapi.None || again.Leader != first.MemberID || len(again.Members) != 1 || again.GenerationID != 1 {
		t.Fatalf("second join: got %+v", again)
	}
	// Answered when it is durable, by whoever wrote it.
	done := make(chan *kafkaapi.SyncGroupResponse, 1)
	c := &Call{Context: t.Context(), Key: kafkaapi.KeySyncGroup, Version: 5}
	b.Serve(c, &kafkaapi.SyncGroupRequest{
		GroupID: group, GenerationID: 1, MemberID: again.MemberID, ProtocolType: new("consumer"), ProtocolName: new("range"),
		Assignments: []kafkaapi.SyncGroupRequestAssignment{{MemberID: again.MemberID, Assignment: []byte("all")}},
	}, func(m kafkaapi.Message) { done <- m.(*kafkaapi.SyncGroupResponse) })
	if got := <-done; got.ErrorCode != kafkaapi.None || string(got.Assignment) != "all" {
		t.Fatalf("sync: got %+v", got)
	}
	return again.MemberID
}

func commit(t *testing.T, b *Broker, v int16, req *kafkaapi.OffsetCommitRequest) []kafkaapi.Code {
	t.Helper()
	var codes []kafkaapi.Code
	for _, topic := range ask[*kafkaapi.OffsetCommitResponse](t, b, v, req).Topics {
		for _, p := range topic.Partitions {
			codes = append(codes, p.ErrorCode)
		}
	}
	return codes
}

func offsetsOf(group, topic string, at ...int64) *kafkaapi.OffsetCommitRequest {
	req := &kafkaapi.OffsetCommitRequest{GroupID: group, GenerationIDOrMemberEpoch: -1, Topics: []kafkaapi.OffsetCommitRequestTopic{{Name: topic}}}
	for i, o := range at {
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, kafkaapi.OffsetCommitRequestPartition{PartitionIndex: int32(i), CommittedOffset: o, CommittedLeaderEpoch: -1, CommittedMetadata: new("note")})
	}
	return req
}

func TestOffsetsOutliveTheBrokerAndAreMinusOneWhereThereAreNone(t *testing.T) {
	s := storetest.NewModel()
	b := open(t, s)
	makeTopic(t, b, "t", 2)
	if codes := commit(t, b, 9, offsetsOf("g", "t", 7, 8, 9)); len(codes) != 3 || codes[0] != kafkaapi.None || codes[1] != kafkaapi.None || codes[2] != kafkaapi.UnknownTopicOrPartition {
		t.Fatalf("commit: got %v", codes)
	}
	b = open(t, s)
	all := ask[*kafkaapi.OffsetFetchResponse](t, b, 8, &kafkaapi.OffsetFetchRequest{Groups: []kafkaapi.OffsetFetchRequestGroup{{GroupID: "g"}, {GroupID: "nobody"}}})
	if len(all.Groups) != 2 || len(all.Groups[0].Topics) != 1 || len(all.Groups[0].Topics[0].Partitions) != 2 || len(all.Groups[1].Topics) != 0 || all.Groups[1].ErrorCode != kafkaapi.None {
		t.Fatalf("all offsets: got %+v", all.Groups)
	}
	if p := all.Groups[0].Topics[0].Partitions[1]; p.CommittedOffset != 8 || *p.Metadata != "note" {
		t.Errorf("partition 1: got %+v", p)
	}
	old := ask[*kafkaapi.OffsetFetchResponse](t, b, 5, &kafkaapi.OffsetFetchRequest{GroupID: "nobody", Topics: []kafkaapi.OffsetFetchRequestTopic{{Name: "t", PartitionIndexes: []int32{0}}, {Name: "none", PartitionIndexes: []int32{0}}}})
	for _, topic := range old.Topics {
		if p := topic.Partitions[0]; p.CommittedOffset != -1 || p.ErrorCode != kafkaapi.None {
			t.Errorf("offset of an unknown group for %s: got %+v, want -1 without an error", topic.Name, p)
		}
	}
}

func TestOffsetsAreCommittedByTopicID(t *testing.T) {
	b := open(t, storetest.NewModel())
	id := makeTopic(t, b, "t", 1)
	req := offsetsOf("g", "", 3)
	req.Topics[0].TopicID = id
	if codes := commit(t, b, 10, req); codes[0] != kafkaapi.None {
		t.Fatalf("commit: got %v", codes)
	}
	req.Topics[0].TopicID = kafkaapi.UUID{1}
	if codes := commit(t, b, 10, req); codes[0] != kafkaapi.UnknownTopicID {
		t.Fatalf("commit for an unknown id: got %v", codes)
	}
	got := ask[*kafkaapi.OffsetFetchResponse](t, b, 10, &kafkaapi.OffsetFetchRequest{Groups: []kafkaapi.OffsetFetchRequestGroup{{
		GroupID: "g", Topics: []kafkaapi.OffsetFetchRequestTopics{{TopicID: id, PartitionIndexes: []int32{0}}, {TopicID: kafkaapi.UUID{1}, PartitionIndexes: []int32{0}}},
	}}})
	topics := got.Groups[0].Topics
	if topics[0].Partitions[0].CommittedOffset != 3 || topics[1].Partitions[0].ErrorCode != kafkaapi.UnknownTopicID {
		t.Errorf("fetch: got %+v", topics)
	}
}

func TestOnlyMembersOfTheGenerationCommitForAGroupThatHasMembers(t *testing.T) {
	b := open(t, storetest.NewModel())
	makeTopic(t, b, "t", 1)
	member := join(t, b, "g")
	if codes := commit(t, b, 9, offsetsOf("g", "t", 1)); codes[0] != kafkaapi.UnknownMemberID {
		t.Errorf("commit without a member: got %v", codes)
	}
	req := offsetsOf("g", "t", 1)
	req.MemberID, req.GenerationIDOrMemberEpoch = member, 2
	if codes := commit(t, b, 9, req); codes[0] != kafkaapi.IllegalGeneration {
		t.Errorf("commit in another generation: got %v", codes)
	}
	req.GenerationIDOrMemberEpoch = 1
	if codes := commit(t, b, 9, req); codes[0] != kafkaapi.None {
		t.Errorf("commit of the member: got %v", codes)
	}
	req.Topics[0].Partitions[0].CommittedMetadata = new(strings.Repeat("x", 5000))
	if codes := commit(t, b, 9, req); codes[0] != kafkaapi.OffsetMetadataTooLarge {
		t.Errorf("commit with long metadata: got %v", codes)
	}
}

func TestGroupsAreDescribedListedAndDeletedWithTheirOffsets(t *testing.T) {
	s := storetest.NewModel()
	b := open(t, s)
	makeTopic(t, b, "t", 1)
	member := join(t, b, "g")
	req := offsetsOf("g", "t", 5)
	req.MemberID, req.GenerationIDOrMemberEpoch = member, 1
	commit(t, b, 9, req)
	d := ask[*kafkaapi.DescribeGroupsResponse](t, b, 6, &kafkaapi.DescribeGroupsRequest{Groups: []string{"g", "none"}, IncludeAuthorizedOperations: true}).Groups
	if d[0].GroupState != "Stable" || len(d[0].Members) != 1 || string(d[0].Members[0].MemberAssignment) != "all" || d[0].AuthorizedOperations != groupOperations {
		t.Errorf("describe g: got %+v", d[0])
	}
	if d[1].GroupState != "Dead" || d[1].ErrorCode != kafkaapi.GroupIDNotFound || d[1].ErrorMessage == nil {
		t.Errorf("describe a group that is not there: got %+v", d[1])
	}
	if old := ask[*kafkaapi.DescribeGroupsResponse](t, b, 5, &kafkaapi.DescribeGroupsRequest{Groups: []string{"none"}}).Groups[0]; old.GroupState != "Dead" || old.ErrorCode != kafkaapi.None {
		t.Errorf("describe it in version 5: got %+v", old)
	}
	if l := ask[*kafkaapi.ListGroupsResponse](t, b, 5, &kafkaapi.ListGroupsRequest{StatesFilter: []string{"stable"}, TypesFilter: []string{"classic"}}).Groups; len(l) != 1 || l[0].GroupID != "g" {
		t.Errorf("list: got %+v", l)
	}
	if codes := deleteGroups(t, b, "g", "none"); codes[0] != kafkaapi.NonEmptyGroup || codes[1] != kafkaapi.GroupIDNotFound {
		t.Errorf("delete a group with members: got %v", codes)
	}
	left := make(chan *kafkaapi.LeaveGroupResponse, 1)
	b.Serve(&Call{Context: t.Context(), Version: 5}, &kafkaapi.LeaveGroupRequest{GroupID: "g", Members: []kafkaapi.LeaveGroupRequestMemberIdentity{{MemberID: member}}},
		func(m kafkaapi.Message) { left <- m.(*kafkaapi.LeaveGroupResponse) })
	if got := <-left; got.ErrorCode != kafkaapi.None || got.Members[0].ErrorCode != kafkaapi.None {
		t.Fatalf("leave: got %+v", got)
	}
	if codes := deleteGroups(t, b, "g"); codes[0] != kafkaapi.None {
		t.Errorf("delete: got %v", codes)
	}
	err := s.View(t.Context(), func(tx store.ReadTx) error {
		kvs, err := tx.Scan([]byte{byte(store.FamilyKafkaOffset)}, nil, 10, false)
		if len(kvs) > 0 {
			t.Errorf("offsets of a deleted group: got %d keys", len(kvs))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func deleteGroups(t *testing.T, b *Broker, ids ...string) (codes []kafkaapi.Code) {
	t.Helper()
	done := make(chan *kafkaapi.DeleteGroupsResponse, 1)
	b.Serve(&Call{Context: t.Context(), Version: 2}, &kafkaapi.DeleteGroupsRequest{GroupsNames: ids}, func(m kafkaapi.Message) { done <- m.(*kafkaapi.DeleteGroupsResponse) })
	for _, r := range (<-done).Results {
		codes = append(codes, r.ErrorCode)
	}
	return codes
}

func TestOffsetsOfTopicsThatAreConsumedAreNotDeleted(t *testing.T) {
	b := open(t, storetest.NewModel())
	makeTopic(t, b, "t", 1)
	commit(t, b, 9, offsetsOf("g", "t", 5))
	req := &kafkaapi.OffsetDeleteRequest{GroupID: "g", Topics: []kafkaapi.OffsetDeleteRequestTopic{{Name: "t", Partitions: []kafkaapi.OffsetDeleteRequestPartition{{}, {PartitionIndex: 4}}}}}
	got := ask[*kafkaapi.OffsetDeleteResponse](t, b, 0, req)
	if got.ErrorCode != kafkaapi.None || got.Topics[0].Partitions[0].ErrorCode != kafkaapi.None || got.Topics[0].Partitions[1].ErrorCode != kafkaapi.UnknownTopicOrPartition {
		t.Errorf("delete: got %+v", got)
	}
	if none := ask[*kafkaapi.OffsetDeleteResponse](t, b, 0, &kafkaapi.OffsetDeleteRequest{GroupID: "none"}); none.ErrorCode != kafkaapi.GroupIDNotFound {
		t.Errorf("delete of a group that is not there: got %+v", none)
	}
}

func TestGroupsThatOnlyHaveOffsetsAreKnownAfterARestart(t *testing.T) {
	s := storetest.NewModel()
	b := open(t, s)
	makeTopic(t, b, "t", 1)
	for _, g := range []string{"a", "b"} {
		commit(t, b, 9, offsetsOf(g, "t", 1))
	}
	b = open(t, s)
	if l := ask[*kafkaapi.ListGroupsResponse](t, b, 5, &kafkaapi.ListGroupsRequest{}).Groups; len(l) != 2 || l[0].GroupID != "a" || l[1].GroupState != "Empty" {
		t.Fatalf("list: got %+v", l)
	}
	if codes := deleteGroups(t, b, "a"); codes[0] != kafkaapi.None {
		t.Errorf("delete: got %v", codes)
	}
}
