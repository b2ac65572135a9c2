package kafka

import (
	"fmt"

	"millrace/internal/api/kafkaapi"
)

// Kinds of changes of a feature.
const (
	upgradeOnly     = 1
	downgradeSafe   = 2
	downgradeUnsafe = 3
)

// UpdateFeatures: levels stay what they are.
//
// Behaviour
//   - a change to the level in force succeeds; every other one is refused, the first one in the request for all
//
// Errors: INVALID_UPDATE_VERSION, INVALID_REQUEST
// Source: UpdateFeaturesRequest.json of Kafka 4.3.1, KIP-584, KIP-1022; texts of a broker of that version (recorded 2026-11)
func (b *Broker) updateFeatures(c *Call, req *kafkaapi.UpdateFeaturesRequest) *kafkaapi.UpdateFeaturesResponse {
	res := &kafkaapi.UpdateFeaturesResponse{Results: []kafkaapi.UpdateFeaturesResponseUpdatableFeatureResult{}}
	for i := range req.FeatureUpdates {
		u := &req.FeatureUpdates[i]
		kind := u.UpgradeType
		if c.Version == 0 {
			if kind = upgradeOnly; u.AllowDowngrade {
				kind = downgradeSafe
			}
		}
		if err := b.checkFeature(u.Feature, u.MaxVersionLevel, kind); err != nil {
			text := "The update failed for all features since the following feature had an error: " + err.Error()
			res.ErrorCode, res.ErrorMessage = kafkaapi.InvalidUpdateVersion, &text
			return res
		}
	}
	if c.Version < 2 {
		for i := range req.FeatureUpdates {
			res.Results = append(res.Results, kafkaapi.UpdateFeaturesResponseUpdatableFeatureResult{Feature: req.FeatureUpdates[i].Feature})
		}
	}
	return res
}

// checkFeature refuses a change of a feature to another level.
func (b *Broker) checkFeature(name string, level int16, kind int8) error {
	start := fmt.Sprintf("Invalid update version %d for feature %s. ", level, name)
	for _, f := range features {
		switch {
		case f.name != name:
			continue
		case kind < upgradeOnly || kind > downgradeUnsafe:
			return refuse(kafkaapi.InvalidUpdateVersion, start+"The controller does not support the given upgrade type.")
		case level == f.inForce:
			return nil
		case level < f.min || level > f.max:
			return refuse(kafkaapi.InvalidUpdateVersion, start+fmt.Sprintf("Local controller %d only supports versions %d-%d", b.node, f.min, f.max))
		case level < f.inForce && kind == upgradeOnly:
			return refuse(kafkaapi.InvalidUpdateVersion, start+"Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.")
		}
		return refuse(kafkaapi.InvalidUpdateVersion, start+fmt.Sprintf("The level stays %d here.", f.inForce))
	}
	return refuse(kafkaapi.InvalidUpdateVersion, start+fmt.Sprintf("Local controller %d does not support this feature.", b.node))
}
