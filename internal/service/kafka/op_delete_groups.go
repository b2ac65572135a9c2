package kafka

import "millrace/internal/api/kafkaapi"

// DeleteGroups: groups without members, with their offsets.
//
// Errors: those of group.Coordinator.Delete
// Source: DeleteGroupsRequest.json of Kafka 4.3.1, KIP-229
func (b *Broker) deleteGroups(_ *Call, req *kafkaapi.DeleteGroupsRequest, answer func(*kafkaapi.DeleteGroupsResponse)) {
	b.groups.Delete(req.GroupsNames, func(codes []kafkaapi.Code) {
		res := &kafkaapi.DeleteGroupsResponse{}
		for i, code := range codes {
			res.Results = append(res.Results, kafkaapi.DeleteGroupsResponseDeletableGroupResult{GroupID: req.GroupsNames[i], ErrorCode: code})
		}
		answer(res)
	})
}
