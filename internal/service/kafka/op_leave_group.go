package kafka

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/service/kafka/group"
)

// LeaveGroup: members leave, or are removed by an administrator.
//
// Behaviour
//   - up to version 2 there is one member, whose error is that of the answer
//
// Errors: those of group.Coordinator.Leave
// Source: LeaveGroupRequest.json of Kafka 4.3.1, KIP-345, KIP-800
func (b *Broker) leaveGroup(c *Call, req *kafkaapi.LeaveGroupRequest, answer func(*kafkaapi.LeaveGroupResponse)) {
	in := group.LeaveRequest{Group: req.GroupID}
	if c.Version < 3 {
		in.Members = []group.LeaveMember{{MemberID: req.MemberID}}
	}
	for _, m := range req.Members {
		in.Members = append(in.Members, group.LeaveMember{MemberID: m.MemberID, InstanceID: textOf(m.GroupInstanceID), Reason: textOf(m.Reason)})
	}
	b.groups.Leave(in, func(out group.LeaveResponse) {
		res := &kafkaapi.LeaveGroupResponse{ErrorCode: out.Code}
		if c.Version < 3 {
			if out.Code == kafkaapi.None && len(out.Members) == 1 {
				res.ErrorCode = out.Members[0].Code
			}
			answer(res)
			return
		}
		for _, m := range out.Members {
			res.Members = append(res.Members, kafkaapi.LeaveGroupResponseMemberResponse{MemberID: m.MemberID, GroupInstanceID: nullable(m.InstanceID), ErrorCode: m.Code})
		}
		answer(res)
	})
}
