package kafka

import "millrace/internal/api/kafkaapi"

// groupOperations is the bit field of what may be done with a group: read, delete, describe, describe and alter its
// configs (AclOperation of Kafka). There are no access rules: everything is allowed.
const groupOperations = 1<<3 | 1<<6 | 1<<8 | 1<<10 | 1<<11

// operationsNotAsked is the field when the client has not asked for it.
const operationsNotAsked = -1 << 31

// DescribeGroups: state, protocol and members of groups.
//
// Behaviour
//   - a group that is not there is Dead; since version 6 also an error
//
// Errors: INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, COORDINATOR_NOT_AVAILABLE
// Source: DescribeGroupsRequest.json of Kafka 4.3.1, KIP-1043
func (b *Broker) describeGroups(c *Call, req *kafkaapi.DescribeGroupsRequest) *kafkaapi.DescribeGroupsResponse {
	res := &kafkaapi.DescribeGroupsResponse{}
	for _, id := range req.Groups {
		d := b.groups.Describe(id)
		g := kafkaapi.DescribeGroupsResponseDescribedGroup{
			ErrorCode: d.Code, GroupID: id, GroupState: d.State.String(), ProtocolType: d.ProtocolType, ProtocolData: d.Protocol,
			AuthorizedOperations: operationsNotAsked,
		}
		if d.Code == kafkaapi.GroupIDNotFound {
			if c.Version < 6 {
				g.ErrorCode = kafkaapi.None
			} else {
				g.ErrorMessage = new("Group " + id + " not found.")
			}
		}
		if req.IncludeAuthorizedOperations && g.ErrorCode == kafkaapi.None {
			g.AuthorizedOperations = groupOperations
		}
		for _, m := range d.Members {
			g.Members = append(g.Members, kafkaapi.DescribeGroupsResponseDescribedGroupMember{
				MemberID: m.ID, GroupInstanceID: nullable(m.InstanceID), ClientID: m.ClientID, ClientHost: m.ClientHost,
				MemberMetadata: m.Metadata, MemberAssignment: m.Assignment,
			})
		}
		res.Groups = append(res.Groups, g)
	}
	return res
}
