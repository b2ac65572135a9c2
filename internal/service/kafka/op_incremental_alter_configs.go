package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/service/kafka/config"
)

// IncrementalAlterConfigs: single configs of topics and brokers are set, deleted, or have items added or taken away.
//
// Behaviour
//   - each resource succeeds or fails for itself, with all its changes
//   - what was changed is in force when it is answered, also for topics that go by a broker's config
//   - the retention of streams made by Kinesis is changed by Kinesis only
//   - loggers, client metrics and groups have no configs here: changes of them are refused
//
// Errors, each in its resource: UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, INVALID_CONFIG,
// INVALID_REQUEST, POLICY_VIOLATION
// Source: IncrementalAlterConfigsRequest.json of Kafka 4.3.1, KIP-339; texts of a broker of that version (recorded 2026-11)
func (b *Broker) incrementalAlterConfigs(c *Call, req *kafkaapi.IncrementalAlterConfigsRequest) *kafkaapi.IncrementalAlterConfigsResponse {
	res := &kafkaapi.IncrementalAlterConfigsResponse{
		Responses: make([]kafkaapi.IncrementalAlterConfigsResponseAlterConfigsResourceResponse, len(req.Resources)),
	}
	times := map[resource]int{}
	for i := range req.Resources {
		times[resource{req.Resources[i].ResourceType, req.Resources[i].ResourceName}]++
	}
	for i := range req.Resources {
		in, out := &req.Resources[i], &res.Responses[i]
		out.ResourceType, out.ResourceName = in.ResourceType, in.ResourceName
		changes := make([]config.Change, len(in.Configs))
		for j, c := range in.Configs {
			changes[j] = config.Change{Name: strings.Clone(c.Name), Op: config.Op(c.ConfigOperation), Value: c.Value}
		}
		r := resource{in.ResourceType, in.ResourceName}
		err := r.once(times)
		if err == nil {
			err = b.alter(c.Context, r, req.ValidateOnly, alteration{
				topic:  func(own config.Set) (config.Set, error) { return own.Alter(changes) },
				broker: func(own config.Set, id bool) (config.Set, error) { return own.AlterBroker(changes, id) },
			})
		}
		out.ErrorCode, out.ErrorMessage = b.explain("alter configs", err)
	}
	return res
}

// resource is what configs belong to.
type resource struct {
	kind int8
	name string
}

// once refuses a resource that stands in a request more than once.
func (r resource) once(times map[resource]int) error {
	if times[r] > 1 {
		return refuse(kafkaapi.InvalidRequest, "Each resource must appear at most once.")
	}
	return nil
}

// alteration makes new configs of old ones.
type alteration struct {
	topic  func(own config.Set) (config.Set, error)
	broker func(own config.Set, id bool) (config.Set, error)
}

// alter changes the configs of a resource.
//
// Errors: *refusal, those of the store.
func (b *Broker) alter(ctx context.Context, r resource, validateOnly bool, a alteration) error {
	switch r.kind {
	case resourceTopic:
		return b.alterTopic(ctx, r.name, validateOnly, a)
	case resourceBroker:
		id := uint32(allBrokers)
		if r.name != "" {
			if err := b.checkBrokerID(r.name); err != nil {
				return err
			}
			id = uint32(b.node)
		}
		return b.changeBroker(ctx, id, validateOnly, func(own config.Set) (config.Set, error) {
			altered, err := a.broker(own, r.name != "")
			return altered, asRefusal(err)
		})
	case resourceLogger, resourceClientMetrics, resourceGroup:
		kinds := map[int8]string{resourceLogger: "loggers", resourceClientMetrics: "client metrics", resourceGroup: "groups"}
		return refuse(kafkaapi.InvalidRequest, "Configs of "+kinds[r.kind]+" are not served here.")
	}
	return refuse(kafkaapi.InvalidRequest, fmt.Sprintf("Unknown resource type %d", r.kind))
}

func (b *Broker) alterTopic(ctx context.Context, name string, validateOnly bool, a alteration) error {
	if name == "" {
		return refuse(kafkaapi.InvalidRequest, "Default topic resources are not allowed.")
	}
	if text := invalidName(name); text != "" {
		return refuse(kafkaapi.InvalidTopicException, text)
	}
	err := b.changeConfigs(ctx, name, validateOnly, func(own config.Set) (config.Set, error) {
		altered, err := a.topic(own)
		return altered, asRefusal(err)
	})
	if errors.Is(err, catalog.ErrNotFound) {
		return refuse(kafkaapi.UnknownTopicOrPartition, "The topic '"+name+"' does not exist.")
	}
	return err
}

// asRefusal is what a client is told of a change that package config has refused.
func asRefusal(err error) error {
	var request *config.RequestError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &request):
		return refuse(kafkaapi.InvalidRequest, err.Error())
	}
	return refuse(kafkaapi.InvalidConfig, err.Error())
}
