package server

import (
	"iter"

	"millrace/internal/api/cloudwatchapi"
	"millrace/internal/service/cloudwatch"
	"millrace/internal/service/kinesis"
)

// sources are what CloudWatch's metrics of the platform come from.
func (s *Server) sources() []cloudwatch.Source {
	return []cloudwatch.Source{(&kinesisSource{series: s.kinesis.Series}).samples, s.dynamodbSamples}
}

// dynamodbSamples tells what calls to tables have counted since it was last asked.
func (s *Server) dynamodbSamples() iter.Seq[cloudwatch.Sample] {
	return func(yield func(cloudwatch.Sample) bool) {
		for one := range s.tables.Samples() {
			sample := cloudwatch.Sample{
				Account: one.Account, Region: one.Region, Namespace: "AWS/DynamoDB", Name: one.Name,
				Unit: cloudwatchapi.StandardUnit(one.Unit), Count: one.Count, Sum: one.Sum, Min: one.Min, Max: one.Max,
			}
			for _, d := range []cloudwatch.Dimension{
				{Name: "TableName", Value: one.Table}, {Name: "GlobalSecondaryIndexName", Value: one.Index}, {Name: "Operation", Value: one.Operation},
			} {
				if d.Value != "" {
					sample.Dimensions = append(sample.Dimensions, d)
				}
			}
			if !yield(sample) {
				return
			}
		}
	}
}

// kinesisSource tells what the streams have counted since it was last asked: their counts only grow.
type kinesisSource struct {
	series func() iter.Seq[kinesis.Series]
	told   map[kinesisSeries]kinesis.Value // as of the last time
}

// kinesisSeries tells series apart.
type kinesisSeries struct {
	metric                                   *kinesis.Metric
	account, region, stream, consumer, shard string
}

func (k *kinesisSource) samples() iter.Seq[cloudwatch.Sample] {
	return func(yield func(cloudwatch.Sample) bool) {
		before := k.told
		k.told = make(map[kinesisSeries]kinesis.Value, len(before))
		for one := range k.series() {
			if one.Account == "" || one.Shard == kinesis.Others {
				continue // many streams or shards together, which CloudWatch has no name for
			}
			key := kinesisSeries{one.Metric, one.Account, one.Region, one.Stream, one.Consumer, one.Shard}
			k.told[key] = one.Value
			if sample, ok := kinesisSample(&one, before[key]); ok && !yield(sample) {
				return
			}
		}
	}
}

// kinesisSample is what a series has counted since before, if anything. The smallest and, of sums, the largest value
// of a call are not known: their mean stands for both.
func kinesisSample(s *kinesis.Series, before kinesis.Value) (cloudwatch.Sample, bool) {
	v := s.Value
	if v.Count < before.Count || v.Sum < before.Sum {
		before = kinesis.Value{} // a stream of the same name, made anew
	}
	out := cloudwatch.Sample{
		Account: s.Account, Region: s.Region, Namespace: "AWS/Kinesis", Name: s.Metric.Name,
		Dimensions: []cloudwatch.Dimension{{Name: "StreamName", Value: s.Stream}},
		Unit:       cloudwatchapi.StandardUnit(s.Metric.Unit),
		Count:      float64(v.Count - before.Count), Sum: v.Sum - before.Sum,
	}
	switch s.Metric.Level {
	case kinesis.LevelConsumer:
		out.Dimensions = append(out.Dimensions, cloudwatch.Dimension{Name: "ConsumerName", Value: s.Consumer})
	case kinesis.LevelShard:
		out.Dimensions = append(out.Dimensions, cloudwatch.Dimension{Name: "ShardId", Value: s.Shard})
	case kinesis.LevelStream:
	}
	if s.Metric.Level == kinesis.LevelShard && s.Metric.Kind == kinesis.KindAge { // no sum: the largest of the minute
		out.Count, out.Sum = 1, v.Max
	}
	if out.Count <= 0 {
		return out, false
	}
	mean := out.Sum / out.Count
	out.Min, out.Max = mean, mean
	if s.Metric.Kind != kinesis.KindSum {
		out.Max = max(mean, v.Max)
	}
	return out, true
}
