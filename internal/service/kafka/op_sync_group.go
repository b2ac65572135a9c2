package kafka

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/service/kafka/group"
)

// SyncGroup: a member's assignment; the leader's request brings all of them.
//
// Behaviour
//   - waits until the assignments are durable
//
// Errors: those of group.Coordinator.Sync
// Source: SyncGroupRequest.json of Kafka 4.3.1, KIP-559
func (b *Broker) syncGroup(c *Call, req *kafkaapi.SyncGroupRequest, answer func(*kafkaapi.SyncGroupResponse)) {
	in := group.SyncRequest{
		Group: req.GroupID, MemberID: req.MemberID, InstanceID: textOf(req.GroupInstanceID), Generation: req.GenerationID,
		ProtocolType: textOf(req.ProtocolType), Protocol: textOf(req.ProtocolName),
	}
	if c.Version >= 5 && (in.ProtocolType == "" || in.Protocol == "") {
		answer(&kafkaapi.SyncGroupResponse{ErrorCode: kafkaapi.InconsistentGroupProtocol})
		return
	}
	for _, a := range req.Assignments {
		in.Assignments = append(in.Assignments, group.Assignment{MemberID: a.MemberID, Bytes: a.Assignment})
	}
	var w waiting
	w.ends(c, b.groups.Sync(in, func(out group.SyncResponse) {
		w.over()
		answer(&kafkaapi.SyncGroupResponse{
			ErrorCode: out.Code, ProtocolType: nullable(out.ProtocolType), ProtocolName: nullable(out.Protocol), Assignment: out.Assignment,
		})
	}))
}
