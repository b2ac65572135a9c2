package kafka

import (
	"slices"
	"strconv"

	"millrace/internal/api/kafkaapi"
)

// ListConfigResources: what has configs.
//
// Behaviour
//   - without kinds in the request all of them are listed; version 0 asks for client metrics only
//   - there are topics, the broker and its loggers; client metrics and groups have no configs here
//
// Errors: UNSUPPORTED_VERSION for a kind that Kafka does not list
// Source: ListConfigResourcesRequest.json of Kafka 4.3.1, KIP-714, KIP-1142
func (b *Broker) listConfigResources(c *Call, req *kafkaapi.ListConfigResourcesRequest) *kafkaapi.ListConfigResourcesResponse {
	res := &kafkaapi.ListConfigResourcesResponse{ConfigResources: []kafkaapi.ListConfigResourcesResponseConfigResource{}}
	all := []int8{resourceTopic, resourceBroker, resourceLogger, resourceClientMetrics, resourceGroup}
	kinds := req.ResourceTypes
	switch {
	case c.Version == 0:
		kinds = []int8{resourceClientMetrics}
	case len(kinds) == 0:
		kinds = all
	}
	add := func(kind int8, name string) {
		res.ConfigResources = append(res.ConfigResources, kafkaapi.ListConfigResourcesResponseConfigResource{ResourceName: name, ResourceType: kind})
	}
	for _, kind := range kinds {
		if !slices.Contains(all, kind) {
			res.ErrorCode, res.ConfigResources = kafkaapi.UnsupportedVersion, nil
			return res
		}
	}
	for _, kind := range all {
		if !slices.Contains(kinds, kind) {
			continue
		}
		switch kind {
		case resourceBroker, resourceLogger:
			add(kind, strconv.Itoa(int(b.node)))
		case resourceTopic:
			if err := b.allTopics(c.Context, "", func(t *topic) bool { add(kind, t.name); return true }); err != nil {
				res.ErrorCode, res.ConfigResources = b.codeOf("list topics", err), nil
				return res
			}
		}
	}
	return res
}
