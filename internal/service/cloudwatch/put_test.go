package cloudwatch

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/cloudwatchapi"
)

func TestWhatIsWrongWithDataIsToldInAWSsWords(t *testing.T) {
	c := start(t)
	one := func(change func(*cloudwatchapi.MetricDatum)) *cloudwatchapi.PutMetricDataInput {
		d := cloudwatchapi.MetricDatum{MetricName: "m", Value: new(1.0)}
		change(&d)
		return &cloudwatchapi.PutMetricDataInput{Namespace: "n", MetricData: []cloudwatchapi.MetricDatum{d}}
	}
	at := func(d time.Duration) *time.Time { return new(noon.Add(d)) }
	type datum = cloudwatchapi.MetricDatum
	for _, x := range []struct {
		in   *cloudwatchapi.PutMetricDataInput
		code string
		want string
	}{
		{&cloudwatchapi.PutMetricDataInput{MetricData: []datum{{MetricName: "m", Value: new(1.0)}}}, "MissingParameter", "The parameter Namespace is required."},
		{&cloudwatchapi.PutMetricDataInput{Namespace: "n"}, "MissingParameter", "The parameter MetricData is required."},
		{&cloudwatchapi.PutMetricDataInput{Namespace: "AWS/EC2", MetricData: []datum{{MetricName: "m", Value: new(1.0)}}}, "InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid."},
		{&cloudwatchapi.PutMetricDataInput{Namespace: "n", MetricData: make([]datum, 1001)}, "InvalidParameterValue", "The collection MetricData must not have a size greater than 1000."},
		{one(func(d *datum) { d.MetricName = "" }), "MissingParameter", "The parameter MetricData.member.1.MetricName is required."},
		{one(func(d *datum) { d.MetricName = strings.Repeat("x", 256) }), "InvalidParameterValue", "The parameter MetricData.member.1.MetricName must be shorter than 256 characters."},
		{one(func(d *datum) { d.Timestamp = at(-14*24*time.Hour - time.Second) }), "InvalidParameterValue", "The parameter MetricData.member.1.Timestamp must specify a time within the past two weeks."},
		{one(func(d *datum) { d.Timestamp = at(2*time.Hour + time.Second) }), "InvalidParameterValue", "The parameter MetricData.member.1.Timestamp must specify a time no more than two hours in the future."},
		{one(func(d *datum) { d.Value = new(math.NaN()) }), "InvalidParameterValue", "The value NaN for parameter MetricData.member.1.Value is invalid."},
		{one(func(d *datum) { d.Value = new(math.Inf(-1)) }), "InvalidParameterValue", "The value -Infinity for parameter MetricData.member.1.Value is invalid."},
		{one(func(d *datum) { d.Value = new(0x1p361) }), "InvalidParameterValue", "The value 4.6970851655476665e+108 for parameter MetricData.member.1.Value is invalid."},
		{one(func(d *datum) { d.Value = nil }), "InvalidParameterCombination", "At least one of the parameters must be specified."},
		{one(func(d *datum) { d.Values = []float64{1} }), "InvalidParameterCombination", "The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive and you have specified both."},
		{one(func(d *datum) { d.StatisticValues = &cloudwatchapi.StatisticSet{SampleCount: 1} }), "InvalidParameterCombination", "The parameters MetricData.member.1.Value and MetricData.member.1.StatisticValues are mutually exclusive and you have specified both."},
		{one(func(d *datum) { d.Value, d.Values, d.Counts = nil, []float64{1, 2}, []float64{1} }), "InvalidParameterValue", "The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size."},
		{one(func(d *datum) { d.Value, d.Values = nil, make([]float64, 151) }), "InvalidParameterValue", "The collection MetricData.member.1.Values must not have a size greater than 150."},
		{one(func(d *datum) { d.Unit = new(cloudwatchapi.StandardUnit("Hours")) }), "InvalidParameterValue", "The parameter MetricData.member.1.Unit must be a value in the set [ Seconds, Microseconds, Milliseconds, Bytes, Kilobytes, Megabytes, Gigabytes, Terabytes, Bits, Kilobits, Megabits, Gigabits, Terabits, Percent, Count, Bytes/Second, Kilobytes/Second, Megabytes/Second, Gigabytes/Second, Terabytes/Second, Bits/Second, Kilobits/Second, Megabits/Second, Gigabits/Second, Terabits/Second, Count/Second, None ]."},
		{one(func(d *datum) { d.Dimensions = make([]cloudwatchapi.Dimension, 31) }), "InvalidParameterValue", "The collection MetricData.member.1.Dimensions must not have a size greater than 30."},
		{one(func(d *datum) { d.Dimensions = dimensionsOf("d", "") }), "MissingParameter", "The parameter MetricData.member.1.Dimensions.member.1.Value is required."},
		{one(func(d *datum) { d.StorageResolution = new(int32(5)) }), "InvalidParameterValue", "The parameter MetricData.member.1.StorageResolution must be a value in the set [ 1, 60 ]."},
		{one(func(d *datum) {
			d.Value, d.StatisticValues = nil, &cloudwatchapi.StatisticSet{SampleCount: 1, Minimum: 2, Maximum: 1}
		}), "InvalidParameterValue", "The parameter MetricData.member.1.StatisticValues.Maximum must be greater than MetricData.member.1.StatisticValues.Minimum."},
	} {
		_, err := c.svc.PutMetricData(c.ctx(), x.in)
		if e := api.AsError(err); e == nil || e.QueryName() != x.code || e.Message != x.want {
			t.Errorf("got %v\nwant %s: %s", err, x.code, x.want)
		}
	}
	if out := c.list(&cloudwatchapi.ListMetricsInput{}); len(out.Metrics) > 0 {
		t.Errorf("of refused calls %d metrics were kept", len(out.Metrics))
	}
}

func TestStatisticsMayStandBesideValues(t *testing.T) {
	c := start(t)
	c.put("n", cloudwatchapi.MetricDatum{
		MetricName: "m", Values: []float64{1, 10}, StatisticValues: &cloudwatchapi.StatisticSet{SampleCount: 10, Sum: 55, Minimum: 1, Maximum: 10},
	})
	if got := c.statistics("m", time.Minute, 60, "Sum", "SampleCount"); len(got) != 1 || *got[0].Sum != 55 || *got[0].SampleCount != 10 {
		t.Errorf("got %+v, want one point of 10 samples", got)
	}
}

func TestErrorsOfManyDataAreToldALineEach(t *testing.T) {
	c := start(t)
	old := noon.Add(-30 * 24 * time.Hour)
	in := &cloudwatchapi.PutMetricDataInput{Namespace: "n"}
	for range 3 {
		in.MetricData = append(in.MetricData, cloudwatchapi.MetricDatum{MetricName: "m", Value: new(1.0), Timestamp: &old})
	}
	_, err := c.svc.PutMetricData(c.ctx(), in)
	if e := api.AsError(err); e == nil || strings.Count(e.Message, "\n") != 2 || !strings.Contains(e.Message, "MetricData.member.3.Timestamp") {
		t.Errorf("got %v", err)
	}
}

func TestMetricsAreListedPageByPage(t *testing.T) {
	c := start(t)
	for i := range 7 {
		var data []cloudwatchapi.MetricDatum
		for j := range 200 {
			data = append(data, c.value(fmt.Sprintf("m%d-%d", i, j), 1, 0))
		}
		c.put("n", data...)
	}
	seen := map[string]bool{}
	in := &cloudwatchapi.ListMetricsInput{}
	pages := 0
	for {
		out := c.list(in)
		for _, m := range out.Metrics {
			seen[*m.MetricName] = true
		}
		pages++
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if len(seen) != 1400 || pages != 3 {
		t.Errorf("got %d metrics on %d pages, want 1400 on 3", len(seen), pages)
	}
	for _, token := range []string{"?", "7d2bb7f4-5a6f-4b0e-9e4b-3f8d0c1a2b3c", "AAAA"} {
		_, err := c.svc.ListMetrics(c.ctx(), &cloudwatchapi.ListMetricsInput{NextToken: &token})
		if e := api.AsError(err); e == nil || e.QueryName() != "InvalidParameterValue" || e.Message != "Request parameter NextToken is invalid" {
			t.Errorf("%s, a token that is none: got %v", token, err)
		}
	}
}

func TestMetricsAreFound(t *testing.T) {
	c := start(t)
	c.put("a", c.value("x", 1, 0, "Host", "h1", "Disk", "d"), c.value("x", 1, 0, "Host", "h2"), c.value("y", 1, 0))
	c.put("b", c.value("x", 1, 0))
	filter := func(name string, value *string) []cloudwatchapi.DimensionFilter {
		return []cloudwatchapi.DimensionFilter{{Name: name, Value: value}}
	}
	for _, x := range []struct {
		in   cloudwatchapi.ListMetricsInput
		want int
	}{
		{cloudwatchapi.ListMetricsInput{}, 4},
		{cloudwatchapi.ListMetricsInput{Namespace: new("a")}, 3},
		{cloudwatchapi.ListMetricsInput{MetricName: new("x")}, 3},
		{cloudwatchapi.ListMetricsInput{Dimensions: filter("Host", nil)}, 2},
		{cloudwatchapi.ListMetricsInput{Dimensions: filter("Host", new("h1"))}, 1},
		{cloudwatchapi.ListMetricsInput{Dimensions: filter("Host", new("h3"))}, 0},
		{cloudwatchapi.ListMetricsInput{OwningAccount: new("999999999999")}, 0},
	} {
		if got := len(c.list(&x.in).Metrics); got != x.want {
			t.Errorf("%+v: got %d, want %d", x.in, got, x.want)
		}
	}
	other := *c
	other.region = "eu-west-1"
	if got := len(other.list(&cloudwatchapi.ListMetricsInput{}).Metrics); got != 0 {
		t.Errorf("another region has %d metrics", got)
	}
	c.clock.Advance(4 * time.Hour)
	if got := len(c.list(&cloudwatchapi.ListMetricsInput{RecentlyActive: new(cloudwatchapi.RecentlyActivePt3h)}).Metrics); got != 0 {
		t.Errorf("after four hours %d are recently active", got)
	}
	c.clock.Advance(15 * 24 * time.Hour)
	if got := len(c.list(&cloudwatchapi.ListMetricsInput{}).Metrics); got != 0 {
		t.Errorf("after two weeks %d are listed", got)
	}
}

func TestCleanStopLosesNothing(t *testing.T) {
	c := start(t)
	c.put("n", c.value("x", 1, 0, "Host", "h"), c.value("y", 2, time.Hour))
	if err := c.svc.Close(); err != nil {
		t.Fatal(err)
	}
	again := startOn(t, c.store, noon.Add(time.Minute))
	out := again.list(&cloudwatchapi.ListMetricsInput{RecentlyActive: new(cloudwatchapi.RecentlyActivePt3h)})
	if len(out.Metrics) != 2 || *out.Metrics[0].MetricName != "x" || len(out.Metrics[0].Dimensions) != 1 {
		t.Errorf("got %+v", out.Metrics)
	}
}
