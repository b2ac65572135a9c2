package kafka

import (
	"crypto/rand"

	"millrace/internal/api/kafkaapi"
)

const (
	// telemetryPause is how long clients wait before they ask again for what to send, ms: Kafka's default.
	telemetryPause = 300_000
	// noSubscription is the id of the subscription that wants nothing.
	noSubscription = 0
)

// GetTelemetrySubscriptions: no metrics of clients are wanted.
//
// Behaviour
//   - a client without an id gets one; it asks again after five minutes and sends nothing
//
// Source: GetTelemetrySubscriptionsRequest.json of Kafka 4.3.1, KIP-714
func (b *Broker) getTelemetrySubscriptions(_ *Call, req *kafkaapi.GetTelemetrySubscriptionsRequest) *kafkaapi.GetTelemetrySubscriptionsResponse {
	res := &kafkaapi.GetTelemetrySubscriptionsResponse{
		ClientInstanceID: req.ClientInstanceID, SubscriptionID: noSubscription, PushIntervalMs: telemetryPause,
		AcceptedCompressionTypes: []int8{4, 3, 1, 2}, // zstd, lz4, gzip, snappy, as Kafka
		TelemetryMaxBytes:        int32(b.brokerValue("telemetry.max.bytes")), DeltaTemporality: true, RequestedMetrics: []string{},
	}
	if res.ClientInstanceID == (kafkaapi.UUID{}) {
		_, _ = rand.Read(res.ClientInstanceID[:]) // never fails
	}
	return res
}

// PushTelemetry: metrics that a client sends all the same are not kept.
//
// Errors: INVALID_REQUEST without a client's id, UNKNOWN_SUBSCRIPTION_ID, TELEMETRY_TOO_LARGE
// Source: PushTelemetryRequest.json of Kafka 4.3.1, KIP-714
func (b *Broker) pushTelemetry(_ *Call, req *kafkaapi.PushTelemetryRequest) *kafkaapi.PushTelemetryResponse {
	res := &kafkaapi.PushTelemetryResponse{}
	switch {
	case req.ClientInstanceID == kafkaapi.UUID{}:
		res.ErrorCode = kafkaapi.InvalidRequest
	case req.SubscriptionID != noSubscription:
		res.ErrorCode = kafkaapi.UnknownSubscriptionID
	case int64(len(req.Metrics)) > b.brokerValue("telemetry.max.bytes"):
		res.ErrorCode = kafkaapi.TelemetryTooLarge
	}
	return res
}
