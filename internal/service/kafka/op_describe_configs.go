package kafka

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/service/kafka/config"
)

// Kinds of things that have configs, with their numbers in the protocol.
const (
	resourceTopic         = 2
	resourceBroker        = 4
	resourceLogger        = 8
	resourceClientMetrics = 16
	resourceGroup         = 32
)

// DescribeConfigs: what is in force for topics and brokers, and where it comes from.
//
// Behaviour
//   - of a topic all configs that Kafka has; of a broker those that are listed in package config; of all brokers,
//     which have an empty name, those that are set
//   - values of passwords and of configs that are not known are hidden
//   - retention.ms and retention.bytes of a topic whose retention was set by Kinesis are what is stored
//   - loggers, client metrics and groups have no configs here: nothing is listed of them
//
// Errors, each in its resource: UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, INVALID_REQUEST
// Source: DescribeConfigsRequest.json of Kafka 4.3.1, KIP-226, KIP-569
func (b *Broker) describeConfigs(c *Call, req *kafkaapi.DescribeConfigsRequest) *kafkaapi.DescribeConfigsResponse {
	res := &kafkaapi.DescribeConfigsResponse{Results: make([]kafkaapi.DescribeConfigsResponseDescribeConfigsResult, len(req.Resources))}
	for i := range req.Resources {
		in, out := &req.Resources[i], &res.Results[i]
		out.ResourceType, out.ResourceName = in.ResourceType, in.ResourceName
		out.Configs = []kafkaapi.DescribeConfigsResponseDescribeConfigsResourceResult{}
		entries, err := b.entries(c.Context, in.ResourceType, in.ResourceName)
		if out.ErrorCode, out.ErrorMessage = b.explain("describe configs", err); err != nil {
			continue
		}
		for j := range entries {
			if in.ConfigurationKeys == nil || slices.Contains(in.ConfigurationKeys, entries[j].Name) {
				out.Configs = append(out.Configs, described(&entries[j], req.IncludeSynonyms, req.IncludeDocumentation))
			}
		}
	}
	return res
}

// entries are the configs of a resource.
//
// Errors: *refusal, those of the store.
func (b *Broker) entries(ctx context.Context, kind int8, name string) ([]config.Entry, error) {
	broker := b.topics.broker.Load()
	switch kind {
	case resourceTopic:
		if text := invalidName(name); text != "" {
			return nil, refuse(kafkaapi.InvalidTopicException, text)
		}
		t, err := b.current(ctx, name)
		if errors.Is(err, catalog.ErrNotFound) {
			return nil, refuse(kafkaapi.UnknownTopicOrPartition, "")
		}
		if err != nil {
			return nil, err
		}
		return t.broker.DescribeTopic(t.own, t.byKinesis()), nil
	case resourceBroker:
		if name == "" {
			return broker.DescribeCluster(), nil
		}
		if err := b.checkBrokerID(name); err != nil {
			return nil, err
		}
		return broker.DescribeBroker(), nil
	case resourceLogger:
		return nil, b.checkBrokerID(name)
	case resourceClientMetrics:
		if name == "" {
			return nil, refuse(kafkaapi.InvalidRequest, "Client metrics subscription name must not be empty")
		}
		return nil, nil
	case resourceGroup:
		if name == "" {
			return nil, refuse(kafkaapi.InvalidRequest, "Group name must not be empty")
		}
		return nil, nil
	}
	return nil, refuse(kafkaapi.InvalidRequest, "Unsupported resource type: "+strconv.Itoa(int(kind)))
}

// checkBrokerID refuses the name of a broker's resource that is not this broker's id.
//
// Errors: *refusal.
func (b *Broker) checkBrokerID(name string) error {
	id, err := strconv.Atoi(name)
	if err != nil {
		return refuse(kafkaapi.InvalidRequest, "Broker id must be an integer, but it is: "+name)
	}
	if id != int(b.node) {
		return refuse(kafkaapi.InvalidRequest, "Unexpected broker id, expected "+strconv.Itoa(int(b.node))+" or empty string, but received "+name)
	}
	return nil
}

// described is one config as it goes over the wire.
func described(e *config.Entry, synonyms, doc bool) kafkaapi.DescribeConfigsResponseDescribeConfigsResourceResult {
	r := kafkaapi.DescribeConfigsResponseDescribeConfigsResourceResult{
		Name: e.Name, Value: e.Value, ReadOnly: e.ReadOnly, ConfigSource: int8(e.Source), IsSensitive: e.Sensitive, ConfigType: int8(e.Type),
		Synonyms: []kafkaapi.DescribeConfigsResponseDescribeConfigsSynonym{},
	}
	if synonyms {
		for _, s := range e.Synonyms {
			r.Synonyms = append(r.Synonyms, kafkaapi.DescribeConfigsResponseDescribeConfigsSynonym{Name: s.Name, Value: s.Value, Source: int8(s.Source)})
		}
	}
	if doc && e.Doc != "" {
		r.Documentation = &e.Doc
	}
	return r
}
