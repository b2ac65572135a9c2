package cloudwatch

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"millrace/internal/api/cloudwatchapi"
)

// GetMetricStatistics: statistics of one metric by period, at most 1,440 of them.
//
// Behaviour
//   - the start is rounded down to a minute, five minutes or an hour, as old as it is; periods are counted from it
//   - without Unit the data of every unit are answered, each with its own
//   - data points come in the order of time; AWS promises none
//   - percentiles are left out of points that hold sets of statistics or negative values
//
// Errors: InvalidParameterValue, InvalidParameterCombination, MissingParameter
// Source: CloudWatch API reference, GetMetricStatistics (read 2026-11)
func (s *Service) GetMetricStatistics(ctx context.Context, in *cloudwatchapi.GetMetricStatisticsInput) (*cloudwatchapi.GetMetricStatisticsOutput, error) {
	p, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	var c checks
	c.namespace(in.Namespace, "Namespace")
	c.text(in.MetricName, "MetricName", maxName)
	dims := c.dimensions(in.Dimensions, "Dimensions")
	c.times(in)
	unit := c.unit(in.Unit, "Unit")
	c.statisticNames(in)
	if err := c.err(); err != nil {
		return nil, err
	}
	now := s.now()
	w := newWindow(in.StartTime, in.EndTime, int64(in.Period), now)
	out := &cloudwatchapi.GetMetricStatisticsOutput{Label: new(in.MetricName), Datapoints: []cloudwatchapi.Datapoint{}}
	one := pointMaker(in)
	for u, points := range s.data.collect(p, newIdentity(in.Namespace, in.MetricName, dims), w, now) {
		if in.Unit != nil && u != unit {
			continue
		}
		for i := range points {
			out.Datapoints = append(out.Datapoints, one(&points[i], u))
		}
	}
	slices.SortFunc(out.Datapoints, func(a, b cloudwatchapi.Datapoint) int {
		return cmp.Or(a.Timestamp.Compare(*b.Timestamp), cmp.Compare(*a.Unit, *b.Unit))
	})
	return out, nil
}

// times checks the period and the range of time.
func (c *checks) times(in *cloudwatchapi.GetMetricStatisticsInput) {
	missed := in.MissingMembers()
	for i, name := range []string{3: "StartTime", 4: "EndTime", 5: "Period"} {
		if name != "" && missed.Has(i) {
			c.add(missing, "The parameter %s is required.", name)
		}
	}
	if c.kind != 0 {
		return
	}
	c.period(in.Period, "Period")
	if in.StartTime.Unix() >= in.EndTime.Unix() {
		c.add(invalid, "The parameter StartTime must be less than the parameter EndTime.")
	}
	if c.kind != 0 {
		return
	}
	period := time.Duration(in.Period) * time.Second
	if n := in.EndTime.Sub(in.StartTime) / period; n > maxPoints {
		c.add(combination, "You have requested up to %d datapoints, which exceeds the limit of %d. "+
			"You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n, maxPoints)
	}
}

func (c *checks) statisticNames(in *cloudwatchapi.GetMetricStatisticsInput) {
	if len(in.Statistics) == 0 && len(in.ExtendedStatistics) == 0 {
		c.add(combination, "Must specify either Statistics or ExtendedStatistics")
	}
	if len(in.Statistics) > 0 && len(in.ExtendedStatistics) > 0 {
		c.add(combination, "The parameters Statistics and ExtendedStatistics are mutually exclusive and you have specified both.")
	}
	c.collection(len(in.Statistics), "Statistics", len(basic))
	c.collection(len(in.ExtendedStatistics), "ExtendedStatistics", maxExtended)
	for i, name := range in.Statistics {
		if basic[string(name)] == nil {
			c.add(invalid, "The parameter Statistics.member.%d must be a value in the set [ SampleCount, Average, Sum, Minimum, Maximum ].", i+1)
		}
	}
	for i, name := range in.ExtendedStatistics {
		if extended(name) == nil {
			c.add(invalid, "The value %s for parameter ExtendedStatistics.member.%d is not supported.", name, i+1)
		}
	}
}

// newWindow rounds the start down as CloudWatch does: to the resolution that is kept of that time.
func newWindow(start, end time.Time, period, now int64) window {
	from := start.Unix()
	step := int64(60)
	switch age := time.Duration(now-from) * time.Second; {
	case age > tiers[2].kept:
		step = 3600
	case age > tiers[1].kept:
		step = 300
	case period < 60:
		step = period
	}
	w := window{start: floor(from, step), end: end.Unix(), period: period}
	if end.Nanosecond() > 0 {
		w.end++
	}
	return w
}

// pointMaker gives what makes a point's answer. The names of statistics are read once, not for each point.
func pointMaker(in *cloudwatchapi.GetMetricStatisticsInput) func(p *point, unit uint8) cloudwatchapi.Datapoint {
	more := make([]statistic, len(in.ExtendedStatistics))
	for i, name := range in.ExtendedStatistics {
		more[i] = extended(name)
	}
	return func(p *point, unit uint8) cloudwatchapi.Datapoint {
		d := cloudwatchapi.Datapoint{Timestamp: new(time.Unix(p.at, 0).UTC()), Unit: &units[unit]}
		for _, name := range in.Statistics {
			if v, ok := basic[string(name)](&p.summary); ok {
				*placeOf(&d, name) = &v
			}
		}
		for i, name := range in.ExtendedStatistics {
			if v, ok := more[i](&p.summary); ok {
				if d.ExtendedStatistics == nil {
					d.ExtendedStatistics = map[string]float64{}
				}
				d.ExtendedStatistics[name] = v
			}
		}
		return d
	}
}

// placeOf is where a statistic stands in an answer.
func placeOf(d *cloudwatchapi.Datapoint, name cloudwatchapi.Statistic) **float64 {
	switch name {
	case cloudwatchapi.StatisticSampleCount:
		return &d.SampleCount
	case cloudwatchapi.StatisticAverage:
		return &d.Average
	case cloudwatchapi.StatisticSum:
		return &d.Sum
	case cloudwatchapi.StatisticMinimum:
		return &d.Minimum
	case cloudwatchapi.StatisticMaximum:
	}
	return &d.Maximum
}

// member names a parameter inside a list.
func member(list string, i int) string { return fmt.Sprintf("%s.member.%d", list, i+1) }
