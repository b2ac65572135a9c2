package cloudwatch

import (
	"context"
	"testing"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/cloudwatchapi"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// noon is when the tests begin.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// caller is one account in one region, with a service whose time stands still.
type caller struct {
	t               testing.TB
	account, region string
	svc             *Service
	clock           *clock.Manual
	store           store.Store
}

func (c *caller) ctx() context.Context {
	return api.WithCall(c.t.Context(), &api.Call{Account: c.account, Region: c.region})
}

func start(tb testing.TB, change ...func(*Options)) *caller {
	tb.Helper()
	return startOn(tb, storetest.NewModel(), noon, change...)
}

func startOn(tb testing.TB, st store.Store, at time.Time, change ...func(*Options)) *caller {
	tb.Helper()
	c := &caller{t: tb, account: "000000000000", region: "us-east-1", clock: clock.NewManual(at), store: st}
	o := Options{Store: st, Clock: c.clock}
	for _, f := range change {
		f(&o)
	}
	var err error
	if c.svc, err = New(o); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.svc.Close() })
	return c
}

func (c *caller) put(namespace string, data ...cloudwatchapi.MetricDatum) {
	c.t.Helper()
	if _, err := c.svc.PutMetricData(c.ctx(), &cloudwatchapi.PutMetricDataInput{Namespace: namespace, MetricData: data}); err != nil {
		c.t.Fatalf("PutMetricData: %v", err)
	}
}

// value is a datum of a metric, now minus ago.
func (c *caller) value(name string, v float64, ago time.Duration, dims ...string) cloudwatchapi.MetricDatum {
	at := c.clock.Now().Add(-ago)
	return cloudwatchapi.MetricDatum{MetricName: name, Value: &v, Timestamp: &at, Dimensions: dimensionsOf(dims...)}
}

func dimensionsOf(pairs ...string) []cloudwatchapi.Dimension {
	var out []cloudwatchapi.Dimension
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, cloudwatchapi.Dimension{Name: pairs[i], Value: pairs[i+1]})
	}
	return out
}

func (c *caller) list(in *cloudwatchapi.ListMetricsInput) *cloudwatchapi.ListMetricsOutput {
	c.t.Helper()
	out, err := c.svc.ListMetrics(c.ctx(), in)
	if err != nil {
		c.t.Fatalf("ListMetrics: %v", err)
	}
	return out
}
