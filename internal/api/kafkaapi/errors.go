package kafkaapi

// Code is an error code of the Kafka protocol, as it stands on the wire. The numbers, names and what is
// retriable are those of org.apache.kafka.common.protocol.Errors in Apache Kafka 4.3.1; the texts are ours.
//
// None, the zero value, is no error. A Code is not a Go error on purpose: None in an error would not be nil.
type Code int16

// All codes of Apache Kafka 4.3.
const (
	UnknownServerError                 Code = -1
	None                               Code = 0
	OffsetOutOfRange                   Code = 1
	CorruptMessage                     Code = 2
	UnknownTopicOrPartition            Code = 3
	InvalidFetchSize                   Code = 4
	LeaderNotAvailable                 Code = 5
	NotLeaderOrFollower                Code = 6
	RequestTimedOut                    Code = 7
	BrokerNotAvailable                 Code = 8
	ReplicaNotAvailable                Code = 9
	MessageTooLarge                    Code = 10
	StaleControllerEpoch               Code = 11
	OffsetMetadataTooLarge             Code = 12
	NetworkException                   Code = 13
	CoordinatorLoadInProgress          Code = 14
	CoordinatorNotAvailable            Code = 15
	NotCoordinator                     Code = 16
	InvalidTopicException              Code = 17
	RecordListTooLarge                 Code = 18
	NotEnoughReplicas                  Code = 19
	NotEnoughReplicasAfterAppend       Code = 20
	InvalidRequiredAcks                Code = 21
	IllegalGeneration                  Code = 22
	InconsistentGroupProtocol          Code = 23
	InvalidGroupID                     Code = 24
	UnknownMemberID                    Code = 25
	InvalidSessionTimeout              Code = 26
	RebalanceInProgress                Code = 27
	InvalidCommitOffsetSize            Code = 28
	TopicAuthorizationFailed           Code = 29
	GroupAuthorizationFailed           Code = 30
	ClusterAuthorizationFailed         Code = 31
	InvalidTimestamp                   Code = 32
	UnsupportedSaslMechanism           Code = 33
	IllegalSaslState                   Code = 34
	UnsupportedVersion                 Code = 35
	TopicAlreadyExists                 Code = 36
	InvalidPartitions                  Code = 37
	InvalidReplicationFactor           Code = 38
	InvalidReplicaAssignment           Code = 39
	InvalidConfig                      Code = 40
	NotController                      Code = 41
	InvalidRequest                     Code = 42
	UnsupportedForMessageFormat        Code = 43
	PolicyViolation                    Code = 44
	OutOfOrderSequenceNumber           Code = 45
	DuplicateSequenceNumber            Code = 46
	InvalidProducerEpoch               Code = 47
	InvalidTxnState                    Code = 48
	InvalidProducerIDMapping           Code = 49
	InvalidTransactionTimeout          Code = 50
	ConcurrentTransactions             Code = 51
	TransactionCoordinatorFenced       Code = 52
	TransactionalIDAuthorizationFailed Code = 53
	SecurityDisabled                   Code = 54
	OperationNotAttempted              Code = 55
	KafkaStorageError                  Code = 56
	LogDirNotFound                     Code = 57
	SaslAuthenticationFailed           Code = 58
	UnknownProducerID                  Code = 59
	ReassignmentInProgress             Code = 60
	DelegationTokenAuthDisabled        Code = 61
	DelegationTokenNotFound            Code = 62
	DelegationTokenOwnerMismatch       Code = 63
	DelegationTokenRequestNotAllowed   Code = 64
	DelegationTokenAuthorizationFailed Code = 65
	DelegationTokenExpired             Code = 66
	InvalidPrincipalType               Code = 67
	NonEmptyGroup                      Code = 68
	GroupIDNotFound                    Code = 69
	FetchSessionIDNotFound             Code = 70
	InvalidFetchSessionEpoch           Code = 71
	ListenerNotFound                   Code = 72
	TopicDeletionDisabled              Code = 73
	FencedLeaderEpoch                  Code = 74
	UnknownLeaderEpoch                 Code = 75
	UnsupportedCompressionType         Code = 76
	StaleBrokerEpoch                   Code = 77
	OffsetNotAvailable                 Code = 78
	MemberIDRequired                   Code = 79
	PreferredLeaderNotAvailable        Code = 80
	GroupMaxSizeReached                Code = 81
	FencedInstanceID                   Code = 82
	EligibleLeadersNotAvailable        Code = 83
	ElectionNotNeeded                  Code = 84
	NoReassignmentInProgress           Code = 85
	GroupSubscribedToTopic             Code = 86
	InvalidRecord                      Code = 87
	UnstableOffsetCommit               Code = 88
	ThrottlingQuotaExceeded            Code = 89
	ProducerFenced                     Code = 90
	ResourceNotFound                   Code = 91
	DuplicateResource                  Code = 92
	UnacceptableCredential             Code = 93
	InconsistentVoterSet               Code = 94
	InvalidUpdateVersion               Code = 95
	FeatureUpdateFailed                Code = 96
	PrincipalDeserializationFailure    Code = 97
	SnapshotNotFound                   Code = 98
	PositionOutOfRange                 Code = 99
	UnknownTopicID                     Code = 100
	DuplicateBrokerRegistration        Code = 101
	BrokerIDNotRegistered              Code = 102
	InconsistentTopicID                Code = 103
	InconsistentClusterID              Code = 104
	TransactionalIDNotFound            Code = 105
	FetchSessionTopicIDError           Code = 106
	IneligibleReplica                  Code = 107
	NewLeaderElected                   Code = 108
	OffsetMovedToTieredStorage         Code = 109
	FencedMemberEpoch                  Code = 110
	UnreleasedInstanceID               Code = 111
	UnsupportedAssignor                Code = 112
	StaleMemberEpoch                   Code = 113
	MismatchedEndpointType             Code = 114
	UnsupportedEndpointType            Code = 115
	UnknownControllerID                Code = 116
	UnknownSubscriptionID              Code = 117
	TelemetryTooLarge                  Code = 118
	InvalidRegistration                Code = 119
	TransactionAbortable               Code = 120
	InvalidRecordState                 Code = 121
	ShareSessionNotFound               Code = 122
	InvalidShareSessionEpoch           Code = 123
	FencedStateEpoch                   Code = 124
	InvalidVoterKey                    Code = 125
	DuplicateVoter                     Code = 126
	VoterNotFound                      Code = 127
	InvalidRegularExpression           Code = 128
	RebootstrapRequired                Code = 129
	StreamsInvalidTopology             Code = 130
	StreamsInvalidTopologyEpoch        Code = 131
	StreamsTopologyFenced              Code = 132
	ShareSessionLimitReached           Code = 133
)

// Name is the constant's name in Kafka, such as UNKNOWN_TOPIC_OR_PARTITION. A code that Kafka does not
// define has the name of UnknownServerError, as Kafka's clients take it.
func (c Code) Name() string { return c.info().name }

// String is Name.
func (c Code) String() string { return c.Name() }

// Retriable says whether a client may send the same request again and hope: Kafka's exception for the
// code is a RetriableException.
func (c Code) Retriable() bool { return c.info().retriable }

// Message is the default text for the error, for responses that carry one. It is empty for None.
func (c Code) Message() string { return c.info().message }

type codeInfo struct {
	name      string
	retriable bool
	message   string
}

func (c Code) info() codeInfo {
	if c < UnknownServerError || int(c) >= len(codes)-1 {
		c = UnknownServerError
	}
	return codes[c+1]
}

// codes is ordered by code and begins with -1.
var codes = [...]codeInfo{
	UnknownServerError + 1:                 {"UNKNOWN_SERVER_ERROR", false, "The server met an unexpected error while it processed the request."},
	None + 1:                               {"NONE", false, ""},
	OffsetOutOfRange + 1:                   {"OFFSET_OUT_OF_RANGE", false, "The offset asked for is outside the range of offsets that the partition holds."},
	CorruptMessage + 1:                     {"CORRUPT_MESSAGE", true, "The message has failed its checksum, is larger than allowed, has no key although its topic is compacted, or is otherwise corrupt."},
	UnknownTopicOrPartition + 1:            {"UNKNOWN_TOPIC_OR_PARTITION", true, "This server does not host this topic or partition."},
	InvalidFetchSize + 1:                   {"INVALID_FETCH_SIZE", false, "The fetch size asked for is invalid."},
	LeaderNotAvailable + 1:                 {"LEADER_NOT_AVAILABLE", true, "The partition has no leader at the moment; one is being elected."},
	NotLeaderOrFollower + 1:                {"NOT_LEADER_OR_FOLLOWER", true, "This broker is not the leader of the partition, or, for requests that any replica may answer, not a replica of it."},
	RequestTimedOut + 1:                    {"REQUEST_TIMED_OUT", true, "The request timed out."},
	BrokerNotAvailable + 1:                 {"BROKER_NOT_AVAILABLE", false, "The broker is not available."},
	ReplicaNotAvailable + 1:                {"REPLICA_NOT_AVAILABLE", true, "The replica is not available for this partition."},
	MessageTooLarge + 1:                    {"MESSAGE_TOO_LARGE", false, "The request holds a message larger than the server accepts."},
	StaleControllerEpoch + 1:               {"STALE_CONTROLLER_EPOCH", false, "The controller has moved to another broker."},
	OffsetMetadataTooLarge + 1:             {"OFFSET_METADATA_TOO_LARGE", false, "The metadata of the committed offset is larger than allowed."},
	NetworkException + 1:                   {"NETWORK_EXCEPTION", true, "The server disconnected before it sent an answer."},
	CoordinatorLoadInProgress + 1:          {"COORDINATOR_LOAD_IN_PROGRESS", true, "The coordinator is loading its state and cannot answer yet."},
	CoordinatorNotAvailable + 1:            {"COORDINATOR_NOT_AVAILABLE", true, "The coordinator is not available."},
	NotCoordinator + 1:                     {"NOT_COORDINATOR", true, "This broker is not the coordinator asked for."},
	InvalidTopicException + 1:              {"INVALID_TOPIC_EXCEPTION", false, "The topic is not one that this operation may be done on."},
	RecordListTooLarge + 1:                 {"RECORD_LIST_TOO_LARGE", false, "The request holds a batch larger than the segment size of the server."},
	NotEnoughReplicas + 1:                  {"NOT_ENOUGH_REPLICAS", true, "The messages are refused since fewer replicas are in sync than required."},
	NotEnoughReplicasAfterAppend + 1:       {"NOT_ENOUGH_REPLICAS_AFTER_APPEND", true, "The messages are written, but to fewer in-sync replicas than required."},
	InvalidRequiredAcks + 1:                {"INVALID_REQUIRED_ACKS", false, "The number of acknowledgements asked for is invalid."},
	IllegalGeneration + 1:                  {"ILLEGAL_GENERATION", false, "The generation of the group is not the current one."},
	InconsistentGroupProtocol + 1:          {"INCONSISTENT_GROUP_PROTOCOL", false, "The protocols of the member do not agree with those of the group, or the first member came without a protocol type or protocols."},
	InvalidGroupID + 1:                     {"INVALID_GROUP_ID", false, "The group id is invalid."},
	UnknownMemberID + 1:                    {"UNKNOWN_MEMBER_ID", false, "The coordinator does not know this member."},
	InvalidSessionTimeout + 1:              {"INVALID_SESSION_TIMEOUT", false, "The session timeout is outside the range between group.min.session.timeout.ms and group.max.session.timeout.ms."},
	RebalanceInProgress + 1:                {"REBALANCE_IN_PROGRESS", false, "The group is rebalancing; the member has to join again."},
	InvalidCommitOffsetSize + 1:            {"INVALID_COMMIT_OFFSET_SIZE", false, "The size of the offset data to commit is invalid."},
	TopicAuthorizationFailed + 1:           {"TOPIC_AUTHORIZATION_FAILED", false, "Access to the topic is not authorized."},
	GroupAuthorizationFailed + 1:           {"GROUP_AUTHORIZATION_FAILED", false, "Access to the group is not authorized."},
	ClusterAuthorizationFailed + 1:         {"CLUSTER_AUTHORIZATION_FAILED", false, "The operation on the cluster is not authorized."},
	InvalidTimestamp + 1:                   {"INVALID_TIMESTAMP", false, "The timestamp of the message is outside the acceptable range."},
	UnsupportedSaslMechanism + 1:           {"UNSUPPORTED_SASL_MECHANISM", false, "The broker does not support the SASL mechanism asked for."},
	IllegalSaslState + 1:                   {"ILLEGAL_SASL_STATE", false, "The request is not valid in the current state of SASL authentication."},
	UnsupportedVersion + 1:                 {"UNSUPPORTED_VERSION", false, "This version of the API is not supported."},
	TopicAlreadyExists + 1:                 {"TOPIC_ALREADY_EXISTS", false, "A topic of this name already exists."},
	InvalidPartitions + 1:                  {"INVALID_PARTITIONS", false, "The number of partitions is invalid."},
	InvalidReplicationFactor + 1:           {"INVALID_REPLICATION_FACTOR", false, "The replication factor is below 1 or larger than the number of brokers."},
	InvalidReplicaAssignment + 1:           {"INVALID_REPLICA_ASSIGNMENT", false, "The assignment of replicas is invalid."},
	InvalidConfig + 1:                      {"INVALID_CONFIG", false, "The configuration is invalid."},
	NotController + 1:                      {"NOT_CONTROLLER", true, "This broker is not the controller of the cluster."},
	InvalidRequest + 1:                     {"INVALID_REQUEST", false, "The request is malformed or does not fit this broker; the log of the broker says more."},
	UnsupportedForMessageFormat + 1:        {"UNSUPPORTED_FOR_MESSAGE_FORMAT", false, "The message format of the broker does not support the request."},
	PolicyViolation + 1:                    {"POLICY_VIOLATION", false, "The parameters of the request do not satisfy the configured policy."},
	OutOfOrderSequenceNumber + 1:           {"OUT_OF_ORDER_SEQUENCE_NUMBER", false, "The sequence number is out of order."},
	DuplicateSequenceNumber + 1:            {"DUPLICATE_SEQUENCE_NUMBER", false, "The sequence number is a duplicate."},
	InvalidProducerEpoch + 1:               {"INVALID_PRODUCER_EPOCH", false, "The producer epoch is older than the current one."},
	InvalidTxnState + 1:                    {"INVALID_TXN_STATE", false, "The state of the transaction does not allow this operation."},
	InvalidProducerIDMapping + 1:           {"INVALID_PRODUCER_ID_MAPPING", false, "The producer id is not the one assigned to the transactional id."},
	InvalidTransactionTimeout + 1:          {"INVALID_TRANSACTION_TIMEOUT", false, "The transaction timeout is larger than transaction.max.timeout.ms allows."},
	ConcurrentTransactions + 1:             {"CONCURRENT_TRANSACTIONS", true, "Another operation on the same transaction is still going on."},
	TransactionCoordinatorFenced + 1:       {"TRANSACTION_COORDINATOR_FENCED", false, "The transaction coordinator that sent the markers is no longer the current one of the producer."},
	TransactionalIDAuthorizationFailed + 1: {"TRANSACTIONAL_ID_AUTHORIZATION_FAILED", false, "Access to the transactional id is not authorized."},
	SecurityDisabled + 1:                   {"SECURITY_DISABLED", false, "Security features are disabled."},
	OperationNotAttempted + 1:              {"OPERATION_NOT_ATTEMPTED", false, "The operation was not attempted, since another one of the same request had failed."},
	KafkaStorageError + 1:                  {"KAFKA_STORAGE_ERROR", true, "The disk of the log failed."},
	LogDirNotFound + 1:                     {"LOG_DIR_NOT_FOUND", false, "The log directory is not one of those configured."},
	SaslAuthenticationFailed + 1:           {"SASL_AUTHENTICATION_FAILED", false, "SASL authentication failed."},
	UnknownProducerID + 1:                  {"UNKNOWN_PRODUCER_ID", false, "The broker knows nothing of this producer id for the partition; its state may have expired."},
	ReassignmentInProgress + 1:             {"REASSIGNMENT_IN_PROGRESS", false, "A reassignment of the partition is going on."},
	DelegationTokenAuthDisabled + 1:        {"DELEGATION_TOKEN_AUTH_DISABLED", false, "Delegation tokens are not enabled."},
	DelegationTokenNotFound + 1:            {"DELEGATION_TOKEN_NOT_FOUND", false, "The delegation token is not known."},
	DelegationTokenOwnerMismatch + 1:       {"DELEGATION_TOKEN_OWNER_MISMATCH", false, "The principal is neither owner nor renewer of the delegation token."},
	DelegationTokenRequestNotAllowed + 1:   {"DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", false, "Delegation token requests are not allowed on this kind of connection."},
	DelegationTokenAuthorizationFailed + 1: {"DELEGATION_TOKEN_AUTHORIZATION_FAILED", false, "Access to the delegation token is not authorized."},
	DelegationTokenExpired + 1:             {"DELEGATION_TOKEN_EXPIRED", false, "The delegation token has expired."},
	InvalidPrincipalType + 1:               {"INVALID_PRINCIPAL_TYPE", false, "This type of principal is not supported."},
	NonEmptyGroup + 1:                      {"NON_EMPTY_GROUP", false, "The group is not empty."},
	GroupIDNotFound + 1:                    {"GROUP_ID_NOT_FOUND", false, "The group id does not exist."},
	FetchSessionIDNotFound + 1:             {"FETCH_SESSION_ID_NOT_FOUND", true, "The fetch session was not found."},
	InvalidFetchSessionEpoch + 1:           {"INVALID_FETCH_SESSION_EPOCH", true, "The epoch of the fetch session is invalid."},
	ListenerNotFound + 1:                   {"LISTENER_NOT_FOUND", true, "The leader has no listener of the name that the request came in on."},
	TopicDeletionDisabled + 1:              {"TOPIC_DELETION_DISABLED", false, "Deletion of topics is disabled."},
	FencedLeaderEpoch + 1:                  {"FENCED_LEADER_EPOCH", true, "The leader epoch of the request is older than that of the broker."},
	UnknownLeaderEpoch + 1:                 {"UNKNOWN_LEADER_EPOCH", true, "The leader epoch of the request is newer than that of the broker."},
	UnsupportedCompressionType + 1:         {"UNSUPPORTED_COMPRESSION_TYPE", false, "The client does not support the compression of the partition's data."},
	StaleBrokerEpoch + 1:                   {"STALE_BROKER_EPOCH", false, "The epoch of the broker has changed."},
	OffsetNotAvailable + 1:                 {"OFFSET_NOT_AVAILABLE", true, "The high watermark has not caught up after an election, so offsets could appear to go back."},
	MemberIDRequired + 1:                   {"MEMBER_ID_REQUIRED", false, "The member needs an id before it can join the group."},
	PreferredLeaderNotAvailable + 1:        {"PREFERRED_LEADER_NOT_AVAILABLE", true, "The preferred leader is not available."},
	GroupMaxSizeReached + 1:                {"GROUP_MAX_SIZE_REACHED", false, "The group has as many members as it may have."},
	FencedInstanceID + 1:                   {"FENCED_INSTANCE_ID", false, "Another member with the same group.instance.id has taken the place of this one."},
	EligibleLeadersNotAvailable + 1:        {"ELIGIBLE_LEADERS_NOT_AVAILABLE", true, "No replica that may become leader is available."},
	ElectionNotNeeded + 1:                  {"ELECTION_NOT_NEEDED", true, "No election of a leader is needed."},
	NoReassignmentInProgress + 1:           {"NO_REASSIGNMENT_IN_PROGRESS", false, "No reassignment of the partition is going on."},
	GroupSubscribedToTopic + 1:             {"GROUP_SUBSCRIBED_TO_TOPIC", false, "The group is subscribed to the topic, so its offsets cannot be deleted."},
	InvalidRecord + 1:                      {"INVALID_RECORD", false, "The record has failed the checks of the broker."},
	UnstableOffsetCommit + 1:               {"UNSTABLE_OFFSET_COMMIT", true, "There are offsets of a transaction that is not complete yet."},
	ThrottlingQuotaExceeded + 1:            {"THROTTLING_QUOTA_EXCEEDED", true, "The quota has been exceeded."},
	ProducerFenced + 1:                     {"PRODUCER_FENCED", false, "A newer producer with the same transactional id has fenced this one."},
	ResourceNotFound + 1:                   {"RESOURCE_NOT_FOUND", false, "The request names a resource that does not exist."},
	DuplicateResource + 1:                  {"DUPLICATE_RESOURCE", false, "The request names the same resource twice."},
	UnacceptableCredential + 1:             {"UNACCEPTABLE_CREDENTIAL", false, "The credential does not meet the criteria for acceptance."},
	InconsistentVoterSet + 1:               {"INCONSISTENT_VOTER_SET", false, "Sender or recipient is not one of the expected voters."},
	InvalidUpdateVersion + 1:               {"INVALID_UPDATE_VERSION", false, "The version of the update is invalid."},
	FeatureUpdateFailed + 1:                {"FEATURE_UPDATE_FAILED", false, "The features could not be updated because of an unexpected error."},
	PrincipalDeserializationFailure + 1:    {"PRINCIPAL_DESERIALIZATION_FAILURE", false, "The principal of a forwarded request could not be decoded."},
	SnapshotNotFound + 1:                   {"SNAPSHOT_NOT_FOUND", false, "The snapshot was not found."},
	PositionOutOfRange + 1:                 {"POSITION_OUT_OF_RANGE", false, "The position is negative or not less than the size of the snapshot."},
	UnknownTopicID + 1:                     {"UNKNOWN_TOPIC_ID", true, "This server does not host a topic of this id."},
	DuplicateBrokerRegistration + 1:        {"DUPLICATE_BROKER_REGISTRATION", false, "The broker id is already in use."},
	BrokerIDNotRegistered + 1:              {"BROKER_ID_NOT_REGISTERED", false, "The broker id is not registered."},
	InconsistentTopicID + 1:                {"INCONSISTENT_TOPIC_ID", true, "The topic id of the log is not the one in the request."},
	InconsistentClusterID + 1:              {"INCONSISTENT_CLUSTER_ID", false, "The cluster id is not the one of the request."},
	TransactionalIDNotFound + 1:            {"TRANSACTIONAL_ID_NOT_FOUND", false, "The transactional id does not exist."},
	FetchSessionTopicIDError + 1:           {"FETCH_SESSION_TOPIC_ID_ERROR", true, "The fetch session uses topic ids inconsistently."},
	IneligibleReplica + 1:                  {"INELIGIBLE_REPLICA", false, "The new set of in-sync replicas holds one that may not be in it."},
	NewLeaderElected + 1:                   {"NEW_LEADER_ELECTED", false, "The state of the partition was changed, but its leader has changed too."},
	OffsetMovedToTieredStorage + 1:         {"OFFSET_MOVED_TO_TIERED_STORAGE", false, "The offset has moved to tiered storage."},
	FencedMemberEpoch + 1:                  {"FENCED_MEMBER_EPOCH", false, "The epoch of the member is fenced; the member must give up its partitions and join again."},
	UnreleasedInstanceID + 1:               {"UNRELEASED_INSTANCE_ID", false, "Another member of the group still uses the instance id; it must leave first."},
	UnsupportedAssignor + 1:                {"UNSUPPORTED_ASSIGNOR", false, "The group supports no such assignor, or not this version of it."},
	StaleMemberEpoch + 1:                   {"STALE_MEMBER_EPOCH", false, "The epoch of the member is stale; it must learn the new one by a heartbeat."},
	MismatchedEndpointType + 1:             {"MISMATCHED_ENDPOINT_TYPE", false, "The request was sent to an endpoint of the wrong type."},
	UnsupportedEndpointType + 1:            {"UNSUPPORTED_ENDPOINT_TYPE", false, "This type of endpoint is not supported."},
	UnknownControllerID + 1:                {"UNKNOWN_CONTROLLER_ID", false, "The controller id is not known."},
	UnknownSubscriptionID + 1:              {"UNKNOWN_SUBSCRIPTION_ID", false, "The id of the telemetry subscription is invalid or outdated."},
	TelemetryTooLarge + 1:                  {"TELEMETRY_TOO_LARGE", false, "The telemetry is larger than the broker accepts."},
	InvalidRegistration + 1:                {"INVALID_REGISTRATION", false, "The controller considers the registration of the broker invalid."},
	TransactionAbortable + 1:               {"TRANSACTION_ABORTABLE", false, "The transaction met an error; the client can abort it and go on with this transactional id."},
	InvalidRecordState + 1:                 {"INVALID_RECORD_STATE", false, "The state of the record does not allow this acknowledgement."},
	ShareSessionNotFound + 1:               {"SHARE_SESSION_NOT_FOUND", true, "The share session was not found."},
	InvalidShareSessionEpoch + 1:           {"INVALID_SHARE_SESSION_EPOCH", true, "The epoch of the share session is invalid."},
	FencedStateEpoch + 1:                   {"FENCED_STATE_EPOCH", false, "The epoch of the share group's state is not the current one."},
	InvalidVoterKey + 1:                    {"INVALID_VOTER_KEY", false, "The key of the voter is not that of the replica."},
	DuplicateVoter + 1:                     {"DUPLICATE_VOTER", false, "The voter is already in the set of voters."},
	VoterNotFound + 1:                      {"VOTER_NOT_FOUND", false, "The voter is not in the set of voters."},
	InvalidRegularExpression + 1:           {"INVALID_REGULAR_EXPRESSION", false, "The regular expression is not valid."},
	RebootstrapRequired + 1:                {"REBOOTSTRAP_REQUIRED", false, "The metadata of the client is stale; it should start anew from its bootstrap servers."},
	StreamsInvalidTopology + 1:             {"STREAMS_INVALID_TOPOLOGY", false, "The topology is invalid."},
	StreamsInvalidTopologyEpoch + 1:        {"STREAMS_INVALID_TOPOLOGY_EPOCH", false, "The epoch of the topology is invalid."},
	StreamsTopologyFenced + 1:              {"STREAMS_TOPOLOGY_FENCED", false, "The epoch of the topology is outdated."},
	ShareSessionLimitReached + 1:           {"SHARE_SESSION_LIMIT_REACHED", true, "There are as many share sessions as there may be."},
}
