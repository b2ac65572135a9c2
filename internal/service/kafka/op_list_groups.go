package kafka

import (
	"millrace/internal/api/kafkaapi"
	"millrace/internal/service/kafka/group"
)

// ListGroups: all groups, or those in some states and of some types.
//
// Source: ListGroupsRequest.json of Kafka 4.3.1, KIP-518, KIP-848
func (b *Broker) listGroups(_ *Call, req *kafkaapi.ListGroupsRequest) *kafkaapi.ListGroupsResponse {
	res := &kafkaapi.ListGroupsResponse{}
	for _, g := range b.groups.List(req.StatesFilter, req.TypesFilter) {
		res.Groups = append(res.Groups, kafkaapi.ListGroupsResponseListedGroup{
			GroupID: g.Group, ProtocolType: g.ProtocolType, GroupState: g.State.String(), GroupType: group.TypeClassic,
		})
	}
	return res
}
