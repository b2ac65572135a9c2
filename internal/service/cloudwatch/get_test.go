package cloudwatch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/cloudwatchapi"
)

// statistics asks for the statistics of a metric since some time ago.
func (c *caller) statistics(name string, ago time.Duration, period int32, stats ...string) []cloudwatchapi.Datapoint {
	c.t.Helper()
	now := c.clock.Now()
	in := &cloudwatchapi.GetMetricStatisticsInput{
		Namespace: "n", MetricName: name, StartTime: now.Add(-ago), EndTime: now.Add(time.Minute), Period: period,
	}
	for _, s := range stats {
		if basic[s] != nil {
			in.Statistics = append(in.Statistics, cloudwatchapi.Statistic(s))
		} else {
			in.ExtendedStatistics = append(in.ExtendedStatistics, s)
		}
	}
	out, err := c.svc.GetMetricStatistics(c.ctx(), in)
	if err != nil {
		c.t.Fatalf("GetMetricStatistics: %v", err)
	}
	return out.Datapoints
}

func TestStatisticsOfAllWaysToPut(t *testing.T) {
	c := start(t)
	c.put("n",
		c.value("m", 4, 0), c.value("m", 1, 0),
		cloudwatchapi.MetricDatum{MetricName: "m", Values: []float64{7, 2}, Counts: []float64{1, 2}},
		cloudwatchapi.MetricDatum{MetricName: "set", StatisticValues: &cloudwatchapi.StatisticSet{SampleCount: 4, Sum: 10, Minimum: 1, Maximum: 5}},
	)
	got := c.statistics("m", time.Hour, 60, "SampleCount", "Sum", "Average", "Minimum", "Maximum")
	if len(got) != 1 || *got[0].SampleCount != 5 || *got[0].Sum != 16 || *got[0].Average != 3.2 || *got[0].Minimum != 1 ||
		*got[0].Maximum != 7 || *got[0].Unit != "None" || !got[0].Timestamp.Equal(noon) {
		t.Errorf("got %+v", got)
	}
	got = c.statistics("m", time.Hour, 60, "p50", "p100", "p0", "tm50", "IQM", "TC(0%:50%)")
	want := map[string]float64{"p50": 2, "p100": 7, "p0": 1, "tm50": (1 + 2*1.5) / 2.5, "IQM": (2*1.75 + 4*0.75) / 2.5, "TC(0%:50%)": 3}
	if len(got) != 1 || fmt.Sprint(got[0].ExtendedStatistics) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got[0].ExtendedStatistics, want)
	}
	if got := c.statistics("set", time.Hour, 60, "p50"); len(got) != 1 || got[0].ExtendedStatistics != nil {
		t.Errorf("percentiles of a set of statistics: %+v", got)
	}
}

func TestPeriodsAreCountedFromTheStart(t *testing.T) {
	c := start(t)
	for i := range 10 {
		c.put("n", c.value("m", float64(i), time.Duration(10-i)*time.Minute))
	}
	got := c.statistics("m", 10*time.Minute, 300, "Sum")
	if len(got) != 2 || *got[0].Sum != 10 || *got[1].Sum != 35 || !got[1].Timestamp.Equal(noon.Add(-5*time.Minute)) {
		t.Errorf("got %+v", got)
	}
}

func TestSecondsAreKeptForThoseWhoAskForThem(t *testing.T) {
	c := start(t)
	fine := c.value("fine", 1, 7*time.Second)
	fine.StorageResolution = new(int32(1))
	c.put("n", fine, c.value("coarse", 1, 7*time.Second))
	if got := c.statistics("fine", time.Minute, 1, "Sum"); len(got) != 1 || !got[0].Timestamp.Equal(noon.Add(-7*time.Second)) {
		t.Errorf("got %+v, want one at 11:59:53", got)
	}
	if got := c.statistics("coarse", time.Minute, 1, "Sum"); len(got) != 1 || !got[0].Timestamp.Equal(noon.Add(-time.Minute)) {
		t.Errorf("got %+v, want one at 11:59", got)
	}
	c.clock.Advance(4 * time.Hour)
	if got := c.statistics("fine", 4*time.Hour+time.Minute, 60, "Sum"); len(got) != 1 {
		t.Errorf("after four hours: got %+v", got)
	}
}

// TestPointsLiveAsLongAsTheirTier is CloudWatch's table of retention.
func TestPointsLiveAsLongAsTheirTier(t *testing.T) {
	c := start(t)
	c.put("n", c.value("m", 1, 0))
	for _, x := range []struct {
		days   int
		period int32
		want   int
	}{{14, 60, 1}, {16, 60, 0}, {16, 300, 1}, {62, 300, 1}, {64, 300, 0}, {64, 3600, 1}, {454, 3600, 1}, {456, 3600, 0}} {
		c.clock.Set(noon.Add(time.Duration(x.days) * 24 * time.Hour))
		at := noon.Add(-time.Hour)
		out, err := c.svc.GetMetricStatistics(c.ctx(), &cloudwatchapi.GetMetricStatisticsInput{
			Namespace: "n", MetricName: "m", StartTime: at, EndTime: noon.Add(time.Hour), Period: x.period, Statistics: []cloudwatchapi.Statistic{"Sum"},
		})
		if err != nil || len(out.Datapoints) != x.want {
			t.Errorf("after %d days, period %d: got %+v, %v, want %d", x.days, x.period, out, err, x.want)
		}
	}
	c.svc.data.sweep(noon.Add(461 * 24 * time.Hour).Unix())
	if counted, held := c.svc.data.held(); counted != 0 || held != 0 {
		t.Errorf("%d bytes are left, %d counted", held, counted)
	}
}

// TestStatisticsAgreeWithAModel compares random data and questions with a list of all that was put.
func TestStatisticsAgreeWithAModel(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	c := start(t)
	type put struct {
		at int64
		v  float64
	}
	var all []put
	for range 2000 {
		ago := time.Duration(r.Int64N(int64(3 * time.Hour)))
		v := float64(r.IntN(1000)) / 8
		d := c.value("m", v, ago)
		if r.IntN(2) == 0 {
			d.Value, d.Values, d.Counts = nil, []float64{v}, []float64{1}
		}
		c.put("n", d)
		all = append(all, put{noon.Add(-ago).Unix(), v})
	}
	for range 50 {
		period := int32(60 * (1 + r.IntN(90)))
		ago := time.Duration(1+r.IntN(170)) * time.Minute
		from := noon.Add(-ago).Unix()
		want := map[int64][]float64{}
		for _, p := range all {
			if p.at >= from {
				at := from + floor(p.at-from, int64(period))
				want[at] = append(want[at], p.v)
			}
		}
		got := c.statistics("m", ago, period, "SampleCount", "Sum", "Minimum", "Maximum")
		exact := c.statistics("m", ago, period, "p50")
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d points, want %d", seed, len(got), len(want))
		}
		for i, p := range got {
			vs := want[p.Timestamp.Unix()]
			slices.Sort(vs)
			if *p.SampleCount != float64(len(vs)) || *p.Sum != total(vs) || *p.Minimum != vs[0] || *p.Maximum != vs[len(vs)-1] {
				t.Fatalf("seed %d, %v: got %+v, want %v", seed, p.Timestamp, p, vs)
			}
			median := (vs[(len(vs)-1)/2] + vs[len(vs)/2]) / 2
			if m := exact[i].ExtendedStatistics["p50"]; math.Abs(m-median) > 0.05*median+0.2 {
				t.Fatalf("seed %d, %v: median %g, want %g of %v", seed, p.Timestamp, m, median, vs)
			}
		}
	}
}

func TestQuestionsThatCannotBeAnsweredAreRefused(t *testing.T) {
	c := start(t)
	one := func(change func(*cloudwatchapi.GetMetricStatisticsInput)) *cloudwatchapi.GetMetricStatisticsInput {
		in := &cloudwatchapi.GetMetricStatisticsInput{
			Namespace: "n", MetricName: "m", StartTime: noon.Add(-time.Hour), EndTime: noon, Period: 60, Statistics: []cloudwatchapi.Statistic{"Sum"},
		}
		change(in)
		return in
	}
	type input = cloudwatchapi.GetMetricStatisticsInput
	for _, x := range []struct {
		in         *input
		code, want string
	}{
		{one(func(in *input) { in.StartTime = in.EndTime }), "InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime."},
		{one(func(in *input) { in.StartTime, in.EndTime = noon, noon.Add(time.Second-1) }), "InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime."},
		{one(func(in *input) { in.Statistics = nil }), "InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics"},
		{one(func(in *input) { in.StartTime = noon.Add(-1441 * time.Minute) }), "InvalidParameterCombination", "You have requested up to 1441 datapoints, which exceeds the limit of 1440. You may reduce the datapoints requested by increasing Period, or decreasing the time range."},
		{one(func(in *input) { in.Period = 0 }), "InvalidParameterValue", "The parameter Period must not equal 0."},
		{one(func(in *input) { in.MissingMembers().Add(3) }), "MissingParameter", "The parameter StartTime is required."},
		{one(func(in *input) { in.Statistics = nil; in.ExtendedStatistics = []string{"p101"} }), "InvalidParameterValue", "The value p101 for parameter ExtendedStatistics.member.1 is not supported."},
	} {
		_, err := c.svc.GetMetricStatistics(c.ctx(), x.in)
		if e := api.AsError(err); e == nil || e.QueryName() != x.code || e.Message != x.want {
			t.Errorf("got %v\nwant %s: %s", err, x.code, x.want)
		}
	}
}

func (c *caller) ask(change func(*cloudwatchapi.GetMetricDataInput), queries ...cloudwatchapi.MetricDataQuery) (*cloudwatchapi.GetMetricDataOutput, error) {
	in := &cloudwatchapi.GetMetricDataInput{
		StartTime: noon.Add(-10 * time.Minute), EndTime: noon.Add(time.Minute), MetricDataQueries: queries,
		ScanBy: new(cloudwatchapi.ScanByTimestampAscending),
	}
	if change != nil {
		change(in)
	}
	return c.svc.GetMetricData(c.ctx(), in)
}

func sumQuery(id, name string) cloudwatchapi.MetricDataQuery {
	return cloudwatchapi.MetricDataQuery{Id: id, MetricStat: &cloudwatchapi.MetricStat{
		Metric: &cloudwatchapi.Metric{Namespace: new("n"), MetricName: &name}, Period: 60, Stat: "Sum",
	}}
}

func TestMetricMath(t *testing.T) {
	c := start(t)
	for i := range 4 {
		c.put("n", c.value("a", float64(i+1), time.Duration(4-i)*time.Minute))
		if i != 1 {
			c.put("n", c.value("b", float64(10*i), time.Duration(4-i)*time.Minute))
		}
	}
	for text, want := range map[string][]float64{
		"a":                {1, 2, 3, 4},
		"a*2+1":            {3, 5, 7, 9},
		"a+b":              {1, 23, 34},
		"b/a":              {0, 20. / 3, 7.5},
		"1/b":              {.05, 1. / 30},
		"-a^2":             {-1, -4, -9, -16},
		"(a+1)*2":          {4, 6, 8, 10},
		"a>2":              {0, 0, 1, 1},
		"SUM(a)":           {10, 10, 10, 10},
		"MAX(b)-AVG(a)":    {27.5, 27.5, 27.5, 27.5},
		"a+FILL(b,0)":      {1, 2, 23, 34},
		"RATE(a)*60":       {1, 1, 1},
		"RUNNING_SUM(a)":   {1, 3, 6, 10},
		"ABS(a-3) + 2 - 1": {3, 2, 1, 2},
	} {
		out, err := c.ask(nil, sumQuery("a", "a"), sumQuery("b", "b"), cloudwatchapi.MetricDataQuery{Id: "e", Expression: &text})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := out.MetricDataResults[2]; !slices.Equal(got.Values, want) || len(got.Timestamps) != len(want) || *got.StatusCode != "Complete" {
			t.Errorf("%s: got %v, want %v", text, got.Values, want)
		}
	}
}

func TestExpressionsThatAreNoneAreRefused(t *testing.T) {
	c := start(t)
	for text, want := range map[string]string{
		"a+":                   "Error in expression 'e': Unsupported expression or syntax error",
		"zz":                   "Error in expression 'e': Undefined variable 'zz'",
		"e+1":                  "Error in expression 'e': Circular reference",
		"SEARCH('{n}', 'Sum')": "Error in expression 'e': Unsupported function SEARCH",
		"SUM(a,a)":             "Error in expression 'e': Unsupported expression or syntax error",
	} {
		_, err := c.ask(nil, sumQuery("a", "a"), cloudwatchapi.MetricDataQuery{Id: "e", Expression: &text})
		if e := api.AsError(err); e == nil || e.Code != "ValidationException" || e.Message != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	for want, q := range map[string]cloudwatchapi.MetricDataQuery{
		"The parameter MetricDataQueries.member.1.MetricStat is required.\n":                                                 {Id: "a"},
		"The value A for parameter MetricDataQueries.member.1.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.": {Id: "A"},
	} {
		if _, err := c.ask(nil, q); err == nil || api.AsError(err).Message != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestDataArePaged(t *testing.T) {
	c := start(t)
	for i := range 9 {
		c.put("n", c.value("a", float64(i), time.Duration(9-i)*time.Minute), c.value("b", float64(10+i), time.Duration(9-i)*time.Minute))
	}
	var got []float64
	var token *string
	pages := 0
	for {
		out, err := c.ask(func(in *cloudwatchapi.GetMetricDataInput) { in.MaxDatapoints, in.NextToken = new(int32(4)), token },
			sumQuery("a", "a"), sumQuery("b", "b"))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range out.MetricDataResults {
			got = append(got, r.Values...)
			n += len(r.Values)
		}
		if n > 4 {
			t.Fatalf("%d values on a page", n)
		}
		pages++
		if token = out.NextToken; token == nil {
			break
		}
	}
	want := []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18}
	if !slices.Equal(got, want) || pages != 5 {
		t.Errorf("got %v on %d pages, want %v on 5", got, pages, want)
	}
	_, err := c.ask(func(in *cloudwatchapi.GetMetricDataInput) { in.NextToken = new("zz") }, sumQuery("a", "a"))
	if e := api.AsError(err); e == nil || e.Code != "InvalidNextToken" {
		t.Errorf("got %v, want InvalidNextToken", err)
	}
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{"a+b*-2^3", "SUM(a)/(b>=1)", "FILL(a, 0.5)", "((((", "1e5", "a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parse(text)
		if (e == nil) == (err == nil) {
			t.Fatalf("%q: got %v, %v", text, e, err)
		}
	})
}

func TestLabelsTellMetricsApart(t *testing.T) {
	c := start(t)
	query := func(id, stat string, period int32) cloudwatchapi.MetricDataQuery {
		q := sumQuery(id, "metric")
		q.MetricStat.Stat, q.MetricStat.Period = stat, period
		return q
	}
	named := query("c", "Sum", 60)
	named.Label = new("mine")
	for _, x := range []struct {
		a, b cloudwatchapi.MetricDataQuery
		want [2]string
	}{
		{query("a", "Sum", 60), query("b", "Sum", 60), [2]string{"metric", "metric"}},
		{query("a", "Sum", 60), query("b", "Minimum", 60), [2]string{"metric Sum", "metric Minimum"}},
		{query("a", "Sum", 60), query("b", "Sum", 30), [2]string{"metric 60", "metric 30"}},
		{query("a", "Sum", 60), query("b", "Minimum", 30), [2]string{"metric Sum 60", "metric Minimum 30"}},
		{query("a", "Sum", 60), named, [2]string{"metric", "mine"}},
		{query("a", "Average", 60), named, [2]string{"metric Average", "mine"}},
		{query("a", "Sum", 60), cloudwatchapi.MetricDataQuery{Id: "e", Expression: new("a+1")}, [2]string{"metric", "e"}},
	} {
		out, err := c.ask(nil, x.a, x.b)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{*out.MetricDataResults[0].Label, *out.MetricDataResults[1].Label}; got != x.want {
			t.Errorf("%s %s %d and %s: got %q, want %q", x.a.Id, x.a.MetricStat.Stat, x.a.MetricStat.Period, x.b.Id, got, x.want)
		}
	}
}

func TestOneOfSeveralUnitsIsAnswered(t *testing.T) {
	c := start(t)
	for unit, v := range map[cloudwatchapi.StandardUnit]float64{"Seconds": 60, "Milliseconds": 60000, "Count": 5} {
		d := c.value("m", v, time.Minute)
		d.Unit = &unit
		c.put("n", d, d)
	}
	out, err := c.ask(nil, sumQuery("a", "m"))
	if err != nil {
		t.Fatal(err)
	}
	r := out.MetricDataResults[0]
	if !slices.Equal(r.Values, []float64{10}) || len(r.Messages) != 1 || *r.Messages[0].Code != "MultipleUnits" ||
		*r.Messages[0].Value != "Multiple units returned: '[Count, Milliseconds, Seconds]'" {
		t.Errorf("got %v with %+v, want the counts and a message", r.Values, r.Messages)
	}
	one := sumQuery("a", "m")
	one.MetricStat.Unit = new(cloudwatchapi.StandardUnit("Seconds"))
	if out, err = c.ask(nil, one); err != nil || !slices.Equal(out.MetricDataResults[0].Values, []float64{120}) || len(out.MetricDataResults[0].Messages) > 0 {
		t.Errorf("with a unit: got %+v, %v, want its values and no message", out, err)
	}
}

func TestTimesOfDataAreComparedBySeconds(t *testing.T) {
	c := start(t)
	for _, x := range []struct {
		start, end time.Duration
		want       string
	}{
		{0, 0, "The parameter StartTime must not equal parameter EndTime.\n"},
		{20 * time.Millisecond, 987 * time.Millisecond, "The parameter StartTime must not equal parameter EndTime.\n"},
		{time.Second, 0, "The parameter EndTime must be greater than StartTime.\n"},
	} {
		_, err := c.ask(func(in *cloudwatchapi.GetMetricDataInput) {
			in.StartTime, in.EndTime = noon.Add(x.start), noon.Add(x.end)
		}, sumQuery("a", "a"))
		if e := api.AsError(err); e == nil || e.QueryName() != "ValidationError" || e.Message != x.want {
			t.Errorf("%v to %v: got %v, want %q", x.start, x.end, err, x.want)
		}
	}
}
