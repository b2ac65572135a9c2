package kafka

import (
	"regexp"

	"millrace/internal/api/kafkaapi"
)

// Features as Apache Kafka 4.3 names them. The levels are those that a cluster of that release ends up with, but for
// group.version: consumer groups of KIP-848 are not served, so it stays at 0 and is not told, as zeros are not.
var features = []struct {
	name              string
	min, max, inForce int16
}{
	{"metadata.version", 7, 30, 30},
	{"transaction.version", 0, 2, 2},
}

// softwareName is what Kafka takes for a client's name and version (KIP-511).
var softwareName = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

// ApiVersions: what is served.
//
// Behaviour
//   - a version that is too new is answered by the connection, in the form of version 0
//   - transaction.version 2 makes clients bump their epoch with every transaction (KIP-890)
//
// Errors: INVALID_REQUEST for a software name or version that is none
// Source: ApiVersionsRequest.json of Kafka 4.3.1, KIP-35, KIP-511, KIP-584
func (b *Broker) apiVersions(c *Call, req *kafkaapi.APIVersionsRequest) *kafkaapi.APIVersionsResponse {
	res := kafkaapi.NewAPIVersionsResponse()
	if c.Version >= 3 && (!softwareName.MatchString(req.ClientSoftwareName) || !softwareName.MatchString(req.ClientSoftwareVersion)) {
		res.ErrorCode = kafkaapi.InvalidRequest
		return &res
	}
	for _, api := range kafkaapi.Served() {
		res.APIKeys = append(res.APIKeys, kafkaapi.APIVersionsResponseAPIVersion{APIKey: int16(api.Key), MinVersion: api.Min, MaxVersion: api.Max})
	}
	for _, f := range features {
		if f.min > 0 || c.Version >= 4 { // older clients refuse a minimum of 0 (KAFKA-17011)
			res.SupportedFeatures = append(res.SupportedFeatures, kafkaapi.APIVersionsResponseSupportedFeatureKey{Name: f.name, MinVersion: f.min, MaxVersion: f.max})
		}
		res.FinalizedFeatures = append(res.FinalizedFeatures, kafkaapi.APIVersionsResponseFinalizedFeatureKey{Name: f.name, MaxVersionLevel: f.inForce, MinVersionLevel: f.inForce})
	}
	res.FinalizedFeaturesEpoch = 0
	return &res
}
