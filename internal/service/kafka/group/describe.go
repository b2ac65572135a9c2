package group

import (
	"encoding/binary"
	"errors"

	"millrace/internal/api/kafkaapi"
)

func (g *group) describe() Description {
	d := Description{
		Group: g.id, State: g.state, ProtocolType: g.protocolType, Generation: g.generation,
		Members: make([]MemberDescription, len(g.order)),
	}
	switch g.state {
	case Stable:
		d.Protocol = g.protocol
	case Dead:
		d.Code = kafkaapi.GroupIDNotFound
	default:
	}
	for i, mb := range g.order {
		d.Members[i] = MemberDescription{
			ID: mb.id, InstanceID: mb.instance, ClientID: mb.clientID, ClientHost: mb.clientHost, Assignment: mb.assignment,
		}
		if g.state == Stable {
			d.Members[i].Metadata = mb.metadata(g.protocol)
		}
	}
	return d
}

// checkOffsetDelete tells whether offsets may be deleted, and of a consumer group which topics it is
// subscribed to; nil stands for none.
func (g *group) checkOffsetDelete() (map[string]bool, bool, kafkaapi.Code) {
	switch {
	case g.state == Dead:
		return nil, false, kafkaapi.GroupIDNotFound
	case g.state == Empty:
		return nil, true, kafkaapi.None
	case g.protocolType != ConsumerProtocol:
		return nil, false, kafkaapi.NonEmptyGroup
	}
	topics, ok := g.subscribed()
	return topics, ok, kafkaapi.None
}

// subscribed is the topics that the members of a consumer group consume. false when it is not
// known: no protocol was chosen yet, or members say it in another way.
func (g *group) subscribed() (map[string]bool, bool) {
	if g.protocolType != ConsumerProtocol || g.protocol == "" {
		return nil, false
	}
	topics := map[string]bool{}
	for _, mb := range g.order {
		names, err := subscription(mb.metadata(g.protocol))
		if err != nil {
			return nil, false
		}
		for _, t := range names {
			topics[t] = true
		}
	}
	return topics, true
}

var errSubscription = errors.New("group: not a consumer's subscription")

// subscription reads the topics out of a consumer's metadata. Version 0 of the format is a prefix of
// all others: version int16, number of topics int32, for each its length int16 and name.
func subscription(b []byte) ([]string, error) {
	if len(b) < 6 || int16(binary.BigEndian.Uint16(b)) < 0 {
		return nil, errSubscription
	}
	n := int(int32(binary.BigEndian.Uint32(b[2:])))
	b = b[6:]
	if n < 0 || n > len(b)/2 {
		return nil, errSubscription
	}
	topics := make([]string, 0, n)
	for range n {
		if len(b) < 2 {
			return nil, errSubscription
		}
		size := int(binary.BigEndian.Uint16(b))
		if size > len(b)-2 {
			return nil, errSubscription
		}
		topics = append(topics, string(b[2:2+size]))
		b = b[2+size:]
	}
	return topics, nil
}
