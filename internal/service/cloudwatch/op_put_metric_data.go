package cloudwatch

import (
	"context"
	"fmt"
	"strings"
	"time"

	"millrace/internal/api/cloudwatchapi"
)

// PutMetricData: up to 1,000 data, each a value, up to 150 values with their counts, or a set of statistics.
//
// Behaviour
//   - nothing is kept of a call in which anything is wrong; all errors of the first kind are told
//   - a datum without a timestamp is of now; StorageResolution 1 keeps seconds, else data fall into minutes
//   - a set of statistics wins over values beside it, which AWS lets pass too
//   - metrics of entities are kept like others; the entities themselves are not
//
// Errors: InvalidParameterValue, InvalidParameterCombination, MissingParameter
// Source: CloudWatch API reference, PutMetricData (read 2026-11)
func (s *Service) PutMetricData(ctx context.Context, in *cloudwatchapi.PutMetricDataInput) (*cloudwatchapi.PutMetricDataOutput, error) {
	p, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	now := s.opts.Clock.Now()
	var c checks
	c.namespace(in.Namespace, "Namespace")
	if strings.HasPrefix(in.Namespace, "AWS/") {
		c.add(invalid, "The value AWS/ for parameter Namespace is invalid.")
	}
	n := len(in.MetricData)
	for i := range in.EntityMetricData {
		n += len(in.EntityMetricData[i].MetricData)
	}
	if n == 0 {
		c.add(missing, "The parameter MetricData is required.")
	}
	if !c.collection(n, "MetricData", maxData) {
		return nil, c.err()
	}
	all := c.data(nil, in.Namespace, "MetricData", in.MetricData, now)
	for i := range in.EntityMetricData {
		all = c.data(all, in.Namespace, fmt.Sprintf("EntityMetricData.member.%d.MetricData", i+1), in.EntityMetricData[i].MetricData, now)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	s.data.put(p, all, now.Unix())
	return &cloudwatchapi.PutMetricDataOutput{}, nil
}

func (c *checks) data(all []datum, namespace, list string, data []cloudwatchapi.MetricDatum, now time.Time) []datum {
	for i := range data {
		all = append(all, c.datum(namespace, fmt.Sprintf("%s.member.%d.", list, i+1), &data[i], now))
	}
	return all
}

// datum checks one datum; at is what stands before the names of its parameters.
func (c *checks) datum(namespace, at string, in *cloudwatchapi.MetricDatum, now time.Time) datum {
	c.text(in.MetricName, at+"MetricName", maxName)
	dims := c.dimensions(in.Dimensions, at+"Dimensions")
	d := datum{at: now.Unix(), unit: c.unit(in.Unit, at+"Unit")}
	if in.Timestamp != nil {
		c.timestamp(*in.Timestamp, now, at+"Timestamp")
		d.at = in.Timestamp.Unix()
	}
	if r := in.StorageResolution; r != nil {
		if *r != 1 && *r != 60 {
			c.add(invalid, "The parameter %sStorageResolution must be a value in the set [ 1, 60 ].", at)
		}
		d.fine = *r == 1
	}
	c.exclusive(at, in)
	switch {
	case in.Value != nil:
		c.number(*in.Value, at+"Value")
		d.summary = of(*in.Value)
	case in.StatisticValues != nil:
		d.summary = c.statistics(at+"StatisticValues", in.StatisticValues)
	default:
		d.summary = c.values(at, in.Values, in.Counts)
	}
	if c.kind == 0 {
		d.identity = newIdentity(namespace, in.MetricName, dims)
	}
	return d
}

// exclusive checks that there is one way of giving values.
func (c *checks) exclusive(at string, in *cloudwatchapi.MetricDatum) {
	const text = "The parameters %s%s and %s%s are mutually exclusive and you have specified both."
	values := len(in.Values) > 0
	switch {
	case in.Value != nil && in.StatisticValues != nil:
		c.add(combination, text, at, "Value", at, "StatisticValues")
	case in.Value != nil && values:
		c.add(combination, text, at, "Value", at, "Values")
	case in.Value == nil && in.StatisticValues == nil && !values:
		c.add(combination, "At least one of the parameters must be specified.")
	}
}

func (c *checks) statistics(at string, in *cloudwatchapi.StatisticSet) summary {
	c.number(in.SampleCount, at+".SampleCount")
	c.number(in.Sum, at+".Sum")
	c.number(in.Minimum, at+".Minimum")
	c.number(in.Maximum, at+".Maximum")
	if in.Maximum < in.Minimum {
		c.add(invalid, "The parameter %s.Maximum must be greater than %s.Minimum.", at, at)
	}
	if in.SampleCount <= 0 {
		c.add(invalid, "The parameter %s.SampleCount must be greater than 0.", at)
	}
	return set(in.SampleCount, in.Sum, in.Minimum, in.Maximum)
}

func (c *checks) values(at string, values, counts []float64) summary {
	if !c.collection(len(values), at+"Values", maxValues) || !c.collection(len(counts), at+"Counts", maxValues) {
		return summary{}
	}
	if len(counts) > 0 && len(counts) != len(values) {
		c.add(invalid, "The parameters %sValues and %sCounts must be of the same size.", at, at)
		return summary{}
	}
	ws := make([]weight, 0, len(values))
	for i, v := range values {
		n := 1.0
		c.number(v, fmt.Sprintf("%sValues.member.%d", at, i+1))
		if len(counts) > 0 {
			n = counts[i]
			c.number(n, fmt.Sprintf("%sCounts.member.%d", at, i+1))
			if n < 0 {
				c.add(invalid, "The parameter %sCounts.member.%d must be greater than or equal to 0.", at, i+1)
			}
		}
		if n > 0 {
			ws = append(ws, weight{v, n})
		}
	}
	return ofWeights(sortWeights(ws))
}
