package kafka

import (
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/service/kafka/group"
)

// JoinGroup: a place in a group's next generation.
//
// Behaviour
//   - waits until the generation begins; when the connection ends the place is given up
//   - up to version 3 a new member is taken at once; since version 4 it is told its id first and comes back with it
//
// Errors: those of group.Coordinator.Join
// Source: JoinGroupRequest.json of Kafka 4.3.1, KIP-62, KIP-345, KIP-394, KIP-814
func (b *Broker) joinGroup(c *Call, req *kafkaapi.JoinGroupRequest, answer func(*kafkaapi.JoinGroupResponse)) {
	in := group.JoinRequest{
		Group: req.GroupID, MemberID: req.MemberID, InstanceID: textOf(req.GroupInstanceID), ClientID: c.ClientID, ClientHost: "/" + c.Client.Host,
		ProtocolType:     req.ProtocolType,
		SessionTimeout:   time.Duration(req.SessionTimeoutMs) * time.Millisecond,
		RebalanceTimeout: time.Duration(req.RebalanceTimeoutMs) * time.Millisecond,
		RequireMemberID:  c.Version >= 4, CanSkip: c.Version >= 9,
	}
	for _, p := range req.Protocols {
		in.Protocols = append(in.Protocols, group.Protocol{Name: p.Name, Metadata: p.Metadata})
	}
	var w waiting
	w.ends(c, b.groups.Join(in, func(out group.JoinResponse) {
		w.over()
		answer(joinAnswer(c.Version, &out))
	}))
}

func joinAnswer(version int16, out *group.JoinResponse) *kafkaapi.JoinGroupResponse {
	res := &kafkaapi.JoinGroupResponse{
		ErrorCode: out.Code, GenerationID: out.Generation, Leader: out.Leader, SkipAssignment: out.SkipAssignment, MemberID: out.MemberID,
	}
	if version >= 7 {
		res.ProtocolType, res.ProtocolName = nullable(out.ProtocolType), nullable(out.Protocol)
	} else {
		res.ProtocolName = &out.Protocol
	}
	for _, m := range out.Members {
		res.Members = append(res.Members, kafkaapi.JoinGroupResponseMember{MemberID: m.ID, GroupInstanceID: nullable(m.InstanceID), Metadata: m.Metadata})
	}
	return res
}
