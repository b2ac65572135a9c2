package group

import (
	"fmt"
	"time"

	"millrace/internal/api/kafkaapi"
)

// State is where a group is in its life.
type State uint8

// The states; their texts are what DescribeGroups and ListGroups answer.
const (
	Empty               State = iota // no members; offsets may remain
	PreparingRebalance               // members gather for the next generation
	CompletingRebalance              // the generation waits for its leader's assignments
	Stable                           // every member can have its assignment
	Dead                             // being deleted, or not there
)

// String is the state's name in Kafka.
func (s State) String() string {
	switch s {
	case Empty:
		return "Empty"
	case PreparingRebalance:
		return "PreparingRebalance"
	case CompletingRebalance:
		return "CompletingRebalance"
	case Stable:
		return "Stable"
	case Dead:
		return "Dead"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// TypeClassic is the group type of all groups of this package, as ListGroups answers it.
const TypeClassic = "classic"

// ConsumerProtocol is the protocol type of consumers, whose subscriptions the coordinator can read.
const ConsumerProtocol = "consumer"

// Protocol is one way of assigning that a member supports, with what it tells the leader.
type Protocol struct {
	Name     string
	Metadata []byte
}

// JoinRequest asks to be in the next generation. Byte slices are copied.
type JoinRequest struct {
	Group        string
	MemberID     string // "" when the client has none yet
	InstanceID   string // group.instance.id; "" for a dynamic member
	ClientID     string // begins the id that a new member gets
	ClientHost   string // as DescribeGroups shows it
	ProtocolType string
	Protocols    []Protocol // in the member's order of preference

	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration // negative: the session timeout (version 0 has none)

	RequireMemberID bool // a dynamic member has to come back with the id it is given: version 4 and later
	CanSkip         bool // the client knows SkipAssignment: version 9 and later
}

// JoinMember is a member as the leader sees it.
type JoinMember struct {
	ID, InstanceID string // InstanceID "" for a dynamic member
	Metadata       []byte // of the chosen protocol; not to be changed
}

// JoinResponse answers a JoinRequest. ProtocolType, Protocol and Leader are "" when there is none.
type JoinResponse struct {
	Code           kafkaapi.Code
	Generation     int32 // -1 with an error
	ProtocolType   string
	Protocol       string
	Leader         string
	SkipAssignment bool // the leader has nothing to assign: the assignments stand
	MemberID       string
	Members        []JoinMember // for the leader only
}

// Assignment is what a leader gives to one member.
type Assignment struct {
	MemberID string
	Bytes    []byte
}

// SyncRequest asks for the member's assignment; the leader's brings all of them. Byte slices are copied.
type SyncRequest struct {
	Group, MemberID, InstanceID string
	Generation                  int32
	ProtocolType, Protocol      string // compared when not ""; version 5 and later
	Assignments                 []Assignment
}

// SyncResponse answers a SyncRequest.
type SyncResponse struct {
	Code                   kafkaapi.Code
	ProtocolType, Protocol string
	Assignment             []byte // whole; not to be changed
}

// HeartbeatRequest says that a member lives.
type HeartbeatRequest struct {
	Group, MemberID, InstanceID string
	Generation                  int32
}

// LeaveRequest removes members.
type LeaveRequest struct {
	Group   string
	Members []LeaveMember // one up to version 2
}

// LeaveMember names a member by its id, or a static one by its instance id alone. Reason is the client's text for the log.
type LeaveMember struct {
	MemberID, InstanceID, Reason string
}

// LeaveResponse answers a LeaveRequest. Up to version 2 the code of the only member is the code of the answer.
type LeaveResponse struct {
	Code    kafkaapi.Code
	Members []LeftMember // in the order of the request
}

// LeftMember is what became of one LeaveMember.
type LeftMember struct {
	MemberID, InstanceID string // as in the request
	Code                 kafkaapi.Code
}

// CommitRequest asks whether offsets may be committed.
type CommitRequest struct {
	Group, MemberID, InstanceID string // ids "" without a member
	Generation                  int32  // -1 without a member
	Transactional               bool   // TxnOffsetCommit
}

// MemberDescription is a member as DescribeGroups shows it.
type MemberDescription struct {
	ID, InstanceID, ClientID, ClientHost string
	Metadata                             []byte // of the chosen protocol, only while the group is Stable
	Assignment                           []byte
}

// Description is a group as DescribeGroups shows it.
type Description struct {
	Code         kafkaapi.Code // GroupIDNotFound (with State Dead), InvalidGroupID, or None
	Group        string
	State        State
	ProtocolType string
	Protocol     string // only while the group is Stable
	Generation   int32  // not on the wire
	Members      []MemberDescription
}

// Listing is a group as ListGroups shows it.
type Listing struct {
	Group, ProtocolType string
	State               State
}
