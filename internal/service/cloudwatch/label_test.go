package cloudwatch

import (
	"strings"
	"testing"
	"time"

	"millrace/internal/api/cloudwatchapi"
)

func TestDynamicLabelsAreFilledIn(t *testing.T) {
	c := start(t)
	c.put("n", c.value("Latency", 1, 2*time.Minute, "Host", "h1"), c.value("Latency", 3, time.Minute, "Host", "h1"))
	for label, want := range map[string]string{
		"plain":    "plain",
		"${LABEL}": "Latency",
		"${PROP('MetricName')} of ${PROP('Dim.Host')}":           "Latency of h1",
		"${PROP('Namespace')}/${PROP('Stat')}/${PROP('Period')}": "n/Sum/60",
		"${PROP('AccountId')} ${PROP('Region')}":                 "000000000000 us-east-1",
		"[${PROP('Dim.Rack')}]":                                  "[]",
		"${DATAPOINT_COUNT} points":                              "2 points",
		"${MAX} at ${MAX_TIME}":                                  "${MAX} at ${MAX_TIME}",
		"${PROP('Colour')} ${LABEL":                              "${PROP('Colour')} ${LABEL",
		"${NONSENSE}${LABEL}${":                                  "${NONSENSE}Latency${",
	} {
		q := sumQuery("a", "Latency")
		q.MetricStat.Metric.Dimensions, q.Label = dimensionsOf("Host", "h1"), &label
		out, err := c.ask(nil, q)
		if err != nil {
			t.Fatal(err)
		}
		if got := *out.MetricDataResults[0].Label; got != want {
			t.Errorf("%s: got %q, want %q", label, got, want)
		}
	}
	e := cloudwatchapi.MetricDataQuery{Id: "e", Expression: new("a*2"), Label: new("${LABEL} ${PROP('MetricName')}${PROP('Stat')}${PROP('Period')}.")}
	q := sumQuery("a", "Latency")
	if out, err := c.ask(nil, q, e); err != nil || *out.MetricDataResults[1].Label != "e ." {
		t.Errorf("of an expression: got %+v, %v, want the label \"e .\"", out, err)
	}
}

func TestDynamicLabelsStayShort(t *testing.T) {
	c := start(t)
	long := strings.Repeat("x", maxDimValue)
	q := sumQuery("a", "m")
	q.MetricStat.Metric.Dimensions, q.Label = dimensionsOf("d", long), new(strings.Repeat("${PROP('Dim.d')}", 128))
	out, err := c.ask(nil, q)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(*out.MetricDataResults[0].Label); n > maxLabel+len(*q.Label) {
		t.Errorf("got a label of %d bytes, want at most %d", n, maxLabel+len(*q.Label))
	}
}
