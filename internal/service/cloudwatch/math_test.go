package cloudwatch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/cloudwatchapi"
)

// TestQuestionThatReadsTooMuchIsRefused: few bytes can ask for many points again and again.
func TestQuestionThatReadsTooMuchIsRefused(t *testing.T) {
	c := start(t)
	const days = 14
	if _, err := c.svc.ready(c.ctx()); err != nil {
		t.Fatal(err)
	}
	for minute := range int64(days * 24 * 60) {
		at := noon.Unix() - 60*minute
		c.svc.data.put(place{c.account, c.region}, []datum{
			{identity: newIdentity("n", "m", nil), at: at, summary: of(1)},
			{identity: newIdentity("n", "units", nil), at: at, summary: of(1)},
			{identity: newIdentity("n", "units", nil), unit: 1, at: at, summary: of(1)},
		}, noon.Unix())
	}
	in := &cloudwatchapi.GetMetricDataInput{StartTime: noon.Add(-days * 24 * time.Hour), EndTime: noon.Add(time.Minute)}
	metrics := func(n int, name string) (all []cloudwatchapi.MetricDataQuery) {
		for i := range n {
			q := sumQuery(fmt.Sprint("m", i), name)
			q.ReturnData = new(false)
			all = append(all, q)
		}
		return all
	}
	fills := metrics(2, "m")
	for i := range 10 {
		fills = append(fills, cloudwatchapi.MetricDataQuery{Id: fmt.Sprint("f", i), Expression: new(strings.Repeat("FILL(m0,0)+", 50) + "m1"), ReturnData: new(false)})
	}
	for name, x := range map[string]struct {
		queries []cloudwatchapi.MetricDataQuery
		text    string
	}{
		"many metrics": {metrics(maxWork/(days*24*60)+1, "m"), "FILL(m0,0)"},
		"many units":   {metrics(maxWork/(2*days*24*60)+1, "units"), "FILL(m0,0)"},
		"many values":  {fills, "f0+f1+f2+f3+f4+f5+f6+f7+f8+f9"},
	} {
		in.MetricDataQueries = append(x.queries, cloudwatchapi.MetricDataQuery{Id: "e", Expression: &x.text})
		_, err := c.svc.GetMetricData(c.ctx(), in)
		if want := "Error in expression 'e': Too many data points"; err == nil || api.AsError(err).Message != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestUnionHasEachNumberOnceInOrder(t *testing.T) {
	for _, x := range []struct{ a, b, want []int64 }{
		{nil, nil, nil},
		{nil, []int64{1, 2}, []int64{1, 2}},
		{[]int64{1, 2}, []int64{1, 2}, []int64{1, 2}},
		{[]int64{1, 4}, []int64{2, 4, 5}, []int64{1, 2, 4, 5}},
		{[]int64{7}, []int64{2, 3}, []int64{2, 3, 7}},
	} {
		if got := union(x.a, x.b); !slices.Equal(got, x.want) {
			t.Errorf("union of %v and %v: got %v, want %v", x.a, x.b, got, x.want)
		}
	}
}
