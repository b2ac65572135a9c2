package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// shardMetrics are the metrics that can be switched on for each shard of a stream; a stream keeps one bit
// for each by its place here. Permanent.
var shardMetrics = [...]kinesisapi.MetricsName{
	kinesisapi.MetricsNameIncomingBytes,
	kinesisapi.MetricsNameIncomingRecords,
	kinesisapi.MetricsNameOutgoingBytes,
	kinesisapi.MetricsNameOutgoingRecords,
	kinesisapi.MetricsNameWriteProvisionedThroughputExceeded,
	kinesisapi.MetricsNameReadProvisionedThroughputExceeded,
	kinesisapi.MetricsNameIteratorAgeMilliseconds,
}

// metricSet is a set of shardMetrics.
type metricSet uint8

const allMetrics = metricSet(1<<len(shardMetrics) - 1)

func newMetricSet(names []kinesisapi.MetricsName) metricSet {
	var set metricSet
	for _, name := range names {
		if name == kinesisapi.MetricsNameAll {
			set = allMetrics
		}
		for i, m := range shardMetrics {
			if m == name {
				set |= 1 << i
			}
		}
	}
	return set
}

// names are the metrics of a set, never nil.
func (m metricSet) names() []kinesisapi.MetricsName {
	names := []kinesisapi.MetricsName{}
	for i, name := range shardMetrics {
		if m&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// enhanced is a set as streams are described with it.
func (m metricSet) enhanced() []kinesisapi.EnhancedMetrics {
	return []kinesisapi.EnhancedMetrics{{ShardLevelMetrics: m.names()}}
}

// EnableEnhancedMonitoring: which metrics a stream has for each of its shards, at /metrics and for CloudWatch
// (metrics.go).
//
// Behaviour
//   - adds to those that are on; ALL is all of them; the answer has those before and after
//   - what is on is shown by DescribeStream and DescribeStreamSummary
//   - only an active stream; five calls a second for each account
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, EnableEnhancedMonitoring (read 2026-11)
func (s *Service) EnableEnhancedMonitoring(ctx context.Context, in *kinesisapi.EnableEnhancedMonitoringInput) (*kinesisapi.EnhancedMonitoringOutput, error) {
	p, err := s.begin(ctx, "EnableEnhancedMonitoring", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	return s.changeMetrics(ctx, p, func(m metricSet) metricSet { return m | newMetricSet(in.ShardLevelMetrics) })
}

// DisableEnhancedMonitoring: the other way round.
//
// Errors: as EnableEnhancedMonitoring
// Source: Kinesis API reference, DisableEnhancedMonitoring (read 2026-11)
func (s *Service) DisableEnhancedMonitoring(ctx context.Context, in *kinesisapi.DisableEnhancedMonitoringInput) (*kinesisapi.EnhancedMonitoringOutput, error) {
	p, err := s.begin(ctx, "DisableEnhancedMonitoring", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	return s.changeMetrics(ctx, p, func(m metricSet) metricSet { return m &^ newMetricSet(in.ShardLevelMetrics) })
}

func (s *Service) changeMetrics(ctx context.Context, p place, change func(metricSet) metricSet) (*kinesisapi.EnhancedMonitoringOutput, error) {
	var before, after metricSet
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		t, err := s.lookup(tx, p)
		if err != nil {
			return err
		}
		if t.State != catalog.StateActive {
			return errNotActive(p, t.State)
		}
		if before, err = s.readMetrics(tx, t); err != nil {
			return err
		}
		after = change(before)
		if err := s.cat.SetAttribute(tx, t, attrMetrics, []byte{metricsVersion, byte(after)}); err != nil {
			return err
		}
		return s.cat.Save(tx, t)
	})
	if err != nil {
		return nil, apiError(err)
	}
	s.refresh(ctx, p) // Series goes by the copy in memory, also when nobody uses the stream
	arn := p.arn()
	return &kinesisapi.EnhancedMonitoringOutput{
		StreamName: &p.stream, StreamARN: &arn,
		CurrentShardLevelMetrics: before.names(), DesiredShardLevelMetrics: after.names(),
	}, nil
}

// attrMetrics is the name of a stream's set of metrics beside its topic. Permanent. The value is a
// version and the set.
const (
	attrMetrics    = "kinesis.metrics"
	metricsVersion = 1
)

func (s *Service) readMetrics(tx store.ReadTx, t *catalog.Topic) (metricSet, error) {
	v, ok, err := s.cat.Attribute(tx, t, attrMetrics)
	if err != nil || !ok {
		return 0, err
	}
	if len(v) != 2 || v[0] != metricsVersion || metricSet(v[1])&^allMetrics != 0 {
		return 0, corrupt("metrics")
	}
	return metricSet(v[1]), nil
}
