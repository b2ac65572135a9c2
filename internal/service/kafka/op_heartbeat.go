package kafka

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/service/kafka/group"
)

// Heartbeat: a member lives, and learns whether it has to join again.
//
// Errors: those of group.Coordinator.Heartbeat
// Source: HeartbeatRequest.json of Kafka 4.3.1
func (b *Broker) heartbeat(_ *Call, req *kafkaapi.HeartbeatRequest) *kafkaapi.HeartbeatResponse {
	return &kafkaapi.HeartbeatResponse{ErrorCode: b.groups.Heartbeat(group.HeartbeatRequest{
		Group: req.GroupID, MemberID: req.MemberID, InstanceID: textOf(req.GroupInstanceID), Generation: req.GenerationID,
	})}
}
