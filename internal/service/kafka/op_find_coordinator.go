package kafka

import "millrace/internal/api/kafkaapi"

// Kinds of coordinators.
const (
	coordinatorGroup = 0
	coordinatorTxn   = 1
)

// FindCoordinator: where a group's or a transactional id's coordinator is.
//
// Behaviour
//   - it is the one broker, at the address of the listener that the client came in by
//   - the internal topics of Apache Kafka are shown from now on (topics_internal.go)
//   - before version 4 there is one key in the request, and the answer stands in the message itself
//
// Errors: INVALID_REQUEST for other kinds of coordinators, INVALID_GROUP_ID for an empty group
// Source: FindCoordinatorRequest.json of Kafka 4.3.1, KIP-699
func (b *Broker) findCoordinator(c *Call, req *kafkaapi.FindCoordinatorRequest) *kafkaapi.FindCoordinatorResponse {
	keys := req.CoordinatorKeys
	if c.Version < 4 {
		keys = []string{req.Key}
	}
	res := &kafkaapi.FindCoordinatorResponse{}
	for _, key := range keys {
		one := kafkaapi.FindCoordinatorResponseCoordinator{Key: key, NodeID: -1, Port: -1}
		if code, text := coordinatorCheck(req.KeyType, key); code != kafkaapi.None {
			one.ErrorCode, one.ErrorMessage = code, &text
		} else {
			one.NodeID, one.Host, one.Port = b.node, c.Listener.Host, c.Listener.Port
			b.showInternal(req.KeyType)
		}
		res.Coordinators = append(res.Coordinators, one)
	}
	if c.Version < 4 {
		one := &res.Coordinators[0]
		res.NodeID, res.Host, res.Port = one.NodeID, one.Host, one.Port
		res.ErrorCode, res.ErrorMessage = one.ErrorCode, one.ErrorMessage
		res.Coordinators = nil
	}
	return res
}

func coordinatorCheck(kind int8, key string) (kafkaapi.Code, string) {
	switch {
	case kind != coordinatorGroup && kind != coordinatorTxn:
		return kafkaapi.InvalidRequest, kafkaapi.InvalidRequest.Message()
	case kind == coordinatorGroup && key == "":
		return kafkaapi.InvalidGroupID, kafkaapi.InvalidGroupID.Message()
	}
	return kafkaapi.None, ""
}
