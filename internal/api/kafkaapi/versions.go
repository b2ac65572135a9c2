package kafkaapi

// Range is an API that is served, with the first and last version that clients are told.
type Range struct {
	Key      Key
	Min, Max int16

	// lowest is the first version that is decoded, where it is above Min.
	lowest int16

	// request makes an empty request to decode into; nil for those that package wire/kafka decodes itself.
	request func() Request
}

// served is the one table of what is answered: what ApiVersions tells, what is decoded, and what ends the
// connection. The ranges are those of Apache Kafka 4.3.1, with two exceptions it makes too:
//   - Produce is told from 0, since librdkafka before 2.8 takes a minimum above that for a broker without
//     compression; versions 0 to 2 are answered with UnsupportedVersion (KAFKA-18659);
//   - version 6 of InitProducerId is not stable in 4.3 and not told.
var served = []Range{
	{KeyProduce, 0, 13, 3, nil},
	{KeyFetch, 4, 18, 4, nil},
	{KeyListOffsets, 1, 11, 1, func() Request { return new(ListOffsetsRequest) }},
	{KeyMetadata, 0, 13, 0, func() Request { return new(MetadataRequest) }},
	{KeyOffsetCommit, 2, 10, 2, func() Request { return new(OffsetCommitRequest) }},
	{KeyOffsetFetch, 1, 10, 1, func() Request { return new(OffsetFetchRequest) }},
	{KeyFindCoordinator, 0, 6, 0, func() Request { return new(FindCoordinatorRequest) }},
	{KeyJoinGroup, 0, 9, 0, func() Request { return new(JoinGroupRequest) }},
	{KeyHeartbeat, 0, 4, 0, func() Request { return new(HeartbeatRequest) }},
	{KeyLeaveGroup, 0, 5, 0, func() Request { return new(LeaveGroupRequest) }},
	{KeySyncGroup, 0, 5, 0, func() Request { return new(SyncGroupRequest) }},
	{KeyDescribeGroups, 0, 6, 0, func() Request { return new(DescribeGroupsRequest) }},
	{KeyListGroups, 0, 5, 0, func() Request { return new(ListGroupsRequest) }},
	{KeySaslHandshake, 0, 1, 0, func() Request { return new(SaslHandshakeRequest) }},
	{KeyAPIVersions, 0, 4, 0, func() Request { return new(APIVersionsRequest) }},
	{KeyCreateTopics, 2, 7, 2, func() Request { return new(CreateTopicsRequest) }},
	{KeyDeleteTopics, 1, 6, 1, func() Request { return new(DeleteTopicsRequest) }},
	{KeyDeleteRecords, 0, 2, 0, func() Request { return new(DeleteRecordsRequest) }},
	{KeyInitProducerID, 0, 5, 0, func() Request { return new(InitProducerIDRequest) }},
	{KeyOffsetForLeaderEpoch, 2, 4, 2, func() Request { return new(OffsetForLeaderEpochRequest) }},
	{KeyAddPartitionsToTxn, 0, 5, 0, func() Request { return new(AddPartitionsToTxnRequest) }},
	{KeyAddOffsetsToTxn, 0, 4, 0, func() Request { return new(AddOffsetsToTxnRequest) }},
	{KeyEndTxn, 0, 5, 0, func() Request { return new(EndTxnRequest) }},
	{KeyWriteTxnMarkers, 1, 2, 1, func() Request { return new(WriteTxnMarkersRequest) }},
	{KeyTxnOffsetCommit, 0, 5, 0, func() Request { return new(TxnOffsetCommitRequest) }},
	{KeyDescribeConfigs, 1, 4, 1, func() Request { return new(DescribeConfigsRequest) }},
	{KeyAlterConfigs, 0, 2, 0, func() Request { return new(AlterConfigsRequest) }},
	{KeyAlterReplicaLogDirs, 1, 2, 1, func() Request { return new(AlterReplicaLogDirsRequest) }},
	{KeyDescribeLogDirs, 1, 5, 1, func() Request { return new(DescribeLogDirsRequest) }},
	{KeySaslAuthenticate, 0, 2, 0, func() Request { return new(SaslAuthenticateRequest) }},
	{KeyCreatePartitions, 0, 3, 0, func() Request { return new(CreatePartitionsRequest) }},
	{KeyDeleteGroups, 0, 2, 0, func() Request { return new(DeleteGroupsRequest) }},
	{KeyElectLeaders, 0, 2, 0, func() Request { return new(ElectLeadersRequest) }},
	{KeyIncrementalAlterConfigs, 0, 1, 0, func() Request { return new(IncrementalAlterConfigsRequest) }},
	{KeyAlterPartitionReassignments, 0, 1, 0, func() Request { return new(AlterPartitionReassignmentsRequest) }},
	{KeyListPartitionReassignments, 0, 0, 0, func() Request { return new(ListPartitionReassignmentsRequest) }},
	{KeyOffsetDelete, 0, 0, 0, func() Request { return new(OffsetDeleteRequest) }},
	{KeyDescribeUserScramCredentials, 0, 0, 0, func() Request { return new(DescribeUserScramCredentialsRequest) }},
	{KeyAlterUserScramCredentials, 0, 0, 0, func() Request { return new(AlterUserScramCredentialsRequest) }},
	{KeyDescribeQuorum, 0, 2, 0, func() Request { return new(DescribeQuorumRequest) }},
	{KeyUpdateFeatures, 0, 2, 0, func() Request { return new(UpdateFeaturesRequest) }},
	{KeyDescribeCluster, 0, 2, 0, func() Request { return new(DescribeClusterRequest) }},
	{KeyDescribeProducers, 0, 0, 0, func() Request { return new(DescribeProducersRequest) }},
	{KeyDescribeTransactions, 0, 0, 0, func() Request { return new(DescribeTransactionsRequest) }},
	{KeyListTransactions, 0, 2, 0, func() Request { return new(ListTransactionsRequest) }},
	{KeyGetTelemetrySubscriptions, 0, 0, 0, func() Request { return new(GetTelemetrySubscriptionsRequest) }},
	{KeyPushTelemetry, 0, 0, 0, func() Request { return new(PushTelemetryRequest) }},
	{KeyListConfigResources, 0, 1, 0, func() Request { return new(ListConfigResourcesRequest) }},
	{KeyDescribeTopicPartitions, 0, 0, 0, func() Request { return new(DescribeTopicPartitionsRequest) }},
}

// byKey finds an API of the table by its key; -1 is none.
var byKey = func() (index [len(definitions)]int8) {
	for i := range index {
		index[i] = -1
	}
	for i, r := range served {
		index[r.Key] = int8(i)
	}
	return index
}()

// Served is the APIs that clients are told of, in order of their keys. The caller may change the slice.
func Served() []Range { return append([]Range(nil), served...) }

func find(k Key) (Range, bool) {
	if k < 0 || int(k) >= len(byKey) || byKey[k] < 0 {
		return Range{}, false
	}
	return served[byKey[k]], true
}

// Told says whether clients are told of the API at the version; one that they are not told of ends the connection,
// but for ApiVersions.
func (k Key) Told(version int16) bool {
	r, ok := find(k)
	return ok && r.Min <= version && version <= r.Max
}

// Decoded says whether requests of the API at the version are understood. What is told but not decoded is
// answered with UnsupportedVersion.
func (k Key) Decoded(version int16) bool {
	r, ok := find(k)
	return ok && r.lowest <= version && version <= r.Max
}

// NewRequest is an empty request to decode into; nil for APIs that are not served and for Produce and Fetch, which
// package wire/kafka decodes.
func (k Key) NewRequest() Request {
	r, ok := find(k)
	if !ok || r.request == nil {
		return nil
	}
	return r.request()
}
