package cloudwatch

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"millrace/internal/api/cloudwatchapi"
)

// ListMetrics: 500 metrics a page, in the order of their namespaces, names and dimensions.
//
// Behaviour
//   - a filter without a value asks for the dimension alone; a metric may have more dimensions than filters name
//   - metrics that got nothing for two weeks are not listed; RecentlyActive leaves three hours
//   - there are no accounts beside the caller's: IncludeLinkedAccounts changes nothing, OwningAccount may be the caller
//
// Errors: InvalidParameterValue
// Source: CloudWatch API reference, ListMetrics (read 2026-11)
func (s *Service) ListMetrics(ctx context.Context, in *cloudwatchapi.ListMetricsInput) (*cloudwatchapi.ListMetricsOutput, error) {
	p, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	var c checks
	active := listedFor
	c.collection(len(in.Dimensions), "Dimensions", maxFilters)
	if in.RecentlyActive != nil {
		active = recently
		if *in.RecentlyActive != cloudwatchapi.RecentlyActivePt3h {
			c.add(invalid, "The parameter RecentlyActive must be a value in the set [ PT3H ].")
		}
	}
	for i, d := range in.Dimensions {
		c.text(d.Name, fmt.Sprintf("Dimensions.member.%d.Name", i+1), maxName)
	}
	var after string
	if in.NextToken != nil {
		b, err := base64.RawURLEncoding.DecodeString(*in.NextToken)
		after = string(b)
		if err != nil || !isKey(after) {
			c.add(invalid, "Request parameter NextToken is invalid")
		}
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	out := &cloudwatchapi.ListMetricsOutput{Metrics: []cloudwatchapi.Metric{}}
	if in.OwningAccount != nil && *in.OwningAccount != p.account {
		return out, nil
	}
	since := s.now() - int64(active/time.Second)
	found, more := s.data.list(p, after, maxListed, func(m *metric) bool { return m.last >= since && matches(m, in) })
	for _, m := range found {
		out.Metrics = append(out.Metrics, apiMetric(&m.identity))
		if in.IncludeLinkedAccounts != nil && *in.IncludeLinkedAccounts {
			out.OwningAccounts = append(out.OwningAccounts, p.account)
		}
	}
	if more {
		out.NextToken = new(base64.RawURLEncoding.EncodeToString([]byte(found[len(found)-1].key)))
	}
	return out, nil
}

func matches(m *metric, in *cloudwatchapi.ListMetricsInput) bool {
	if in.Namespace != nil && *in.Namespace != m.namespace || in.MetricName != nil && *in.MetricName != m.name {
		return false
	}
	for _, f := range in.Dimensions {
		if !slices.ContainsFunc(m.dimensions, func(d Dimension) bool {
			return d.Name == f.Name && (f.Value == nil || *f.Value == d.Value)
		}) {
			return false
		}
	}
	return true
}

func apiMetric(id *identity) cloudwatchapi.Metric {
	m := cloudwatchapi.Metric{Namespace: &id.namespace, MetricName: &id.name, Dimensions: []cloudwatchapi.Dimension{}}
	for _, d := range id.dimensions {
		m.Dimensions = append(m.Dimensions, cloudwatchapi.Dimension{Name: d.Name, Value: d.Value})
	}
	return m
}
