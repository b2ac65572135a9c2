package kafka

import (
	"strings"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/service/kafka/config"
)

// AlterConfigs: the configs of topics and brokers are replaced by others; what is not named is no longer set.
//
// Behaviour and errors are those of IncrementalAlterConfigs, which clients use instead since Kafka 2.3.
//
// Source: AlterConfigsRequest.json of Kafka 4.3.1, KIP-133
func (b *Broker) alterConfigs(c *Call, req *kafkaapi.AlterConfigsRequest) *kafkaapi.AlterConfigsResponse {
	res := &kafkaapi.AlterConfigsResponse{Responses: make([]kafkaapi.AlterConfigsResponseAlterConfigsResourceResponse, len(req.Resources))}
	times := map[resource]int{}
	for i := range req.Resources {
		times[resource{req.Resources[i].ResourceType, req.Resources[i].ResourceName}]++
	}
	for i := range req.Resources {
		in, out := &req.Resources[i], &res.Responses[i]
		out.ResourceType, out.ResourceName = in.ResourceType, in.ResourceName
		changes := make([]config.Change, len(in.Configs))
		for j, c := range in.Configs {
			changes[j] = config.Change{Name: strings.Clone(c.Name), Op: config.OpSet, Value: c.Value}
		}
		r := resource{in.ResourceType, in.ResourceName}
		err := r.once(times)
		if err == nil {
			err = b.alter(c.Context, r, req.ValidateOnly, alteration{
				topic:  func(config.Set) (config.Set, error) { return config.Set{}.Alter(changes) },
				broker: func(_ config.Set, id bool) (config.Set, error) { return config.Set{}.AlterBroker(changes, id) },
			})
		}
		out.ErrorCode, out.ErrorMessage = b.explain("alter configs", err)
	}
	return res
}
