package cloudwatch

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/cloudwatchapi"
)

// GetMetricData: up to 500 queries, each a statistic of a metric or an expression over other queries.
//
// Behaviour
//   - newest first, unless ScanBy says otherwise; at most MaxDatapoints, or 100,800, of them on a page
//   - a result that goes on with the next page has the status PartialData; its rest comes under the same id
//   - queries with ReturnData false are there for expressions alone
//   - an expression has points at the times that any of its series has; where another has none, so has the expression
//   - without Label a metric is labelled with its name, and its statistic and period where those of the call's metrics differ
//   - a metric that has points in several units, and a query without one, is answered in the first by name, with a message
//   - in a Label, ${LABEL}, ${DATAPOINT_COUNT} and ${PROP('...')} stand for what they name
//   - start and end are compared by whole seconds
//
// Errors: ValidationError, InvalidNextToken
// Source: CloudWatch API reference, GetMetricData; user guide, "Using metric math" (read 2026-11)
func (s *Service) GetMetricData(ctx context.Context, in *cloudwatchapi.GetMetricDataInput) (*cloudwatchapi.GetMetricDataOutput, error) {
	p, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	q := &queries{service: s, place: p, in: in, now: s.now(), byID: map[string]*query{}}
	if err := q.check(); err != nil {
		return nil, err
	}
	first, skip, err := parsePage(in.NextToken, len(in.MetricDataQueries))
	if err != nil {
		return nil, err
	}
	limit := maxData1
	if in.MaxDatapoints != nil && *in.MaxDatapoints > 0 {
		limit = min(int(*in.MaxDatapoints), limit)
	}
	out := &cloudwatchapi.GetMetricDataOutput{MetricDataResults: []cloudwatchapi.MetricDataResult{}, Messages: []cloudwatchapi.MessageData{}}
	for i := first; i < len(q.all); i++ {
		one := q.all[i]
		if !one.returned {
			continue
		}
		l := q.series(one)
		if q.work > maxWork {
			return nil, errValidation("Error in expression '%s': Too many data points", one.in.Id)
		}
		r := q.result(one, &l, skip, limit)
		out.MetricDataResults = append(out.MetricDataResults, r)
		limit -= len(r.Values)
		if *r.StatusCode == cloudwatchapi.StatusCodePartialData {
			out.NextToken = new(pageToken(i, skip+len(r.Values)))
			return out, nil
		}
		skip = 0
	}
	return out, nil
}

// query is one MetricDataQuery on its way.
type query struct {
	in       *cloudwatchapi.MetricDataQuery
	returned bool
	id       identity // of the metric, for those that have one
	stat     statistic
	unit     *uint8
	math     expr // of those that are expressions
	period   int64
	label    string // of a metric

	done bool
	line line // once done
}

// queries are those of one call.
type queries struct {
	service *Service
	place   place
	in      *cloudwatchapi.GetMetricDataInput
	now     int64
	all     []*query
	byID    map[string]*query
	work    int // values that were read and computed

	gathered bool
	anyTimes []int64 // once gathered
}

// line is a series of values in rising order of time.
type line struct {
	label  string
	units  []string // in which a metric had points, by name; the points are of the first
	times  []int64
	values []float64
}

var queryID = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

func errValidation(format string, args ...any) *api.Error {
	return cloudwatchapi.ValidationException(api.Clip(fmt.Sprintf(format, args...)))
}

// check reads the queries.
func (q *queries) check() error {
	in := q.in
	missed := in.MissingMembers()
	switch {
	case len(in.MetricDataQueries) == 0:
		return errValidation("The parameter MetricDataQueries is required.\n")
	case len(in.MetricDataQueries) > maxQueries:
		return errValidation("The collection MetricDataQueries must not have a size greater than %d.", maxQueries)
	case missed.Has(1):
		return errValidation("The parameter StartTime is required.\n")
	case missed.Has(2):
		return errValidation("The parameter EndTime is required.\n")
	case in.EndTime.Unix() == in.StartTime.Unix():
		return errValidation("The parameter StartTime must not equal parameter EndTime.\n")
	case in.EndTime.Unix() < in.StartTime.Unix():
		return errValidation("The parameter EndTime must be greater than StartTime.\n")
	case in.ScanBy != nil && *in.ScanBy != cloudwatchapi.ScanByTimestampAscending && *in.ScanBy != cloudwatchapi.ScanByTimestampDescending:
		return errValidation("The parameter ScanBy must be a value in the set [ TimestampDescending, TimestampAscending ].")
	}
	for i := range in.MetricDataQueries {
		one := &query{in: &in.MetricDataQueries[i], returned: true}
		if r := one.in.ReturnData; r != nil {
			one.returned = *r
		}
		if err := one.check(member("MetricDataQueries", i)); err != nil {
			return err
		}
		if q.byID[one.in.Id] != nil {
			return errValidation("The values for parameter id in MetricDataQueries are not unique.")
		}
		q.byID[one.in.Id] = one
		q.all = append(q.all, one)
	}
	q.label()
	return q.resolve()
}

// check reads one query; name is that of its parameter.
func (one *query) check(name string) error {
	in := one.in
	switch {
	case in.Id == "":
		return errValidation("The parameter %s.Id is required.\n", name)
	case !queryID.MatchString(in.Id):
		return errValidation("The value %s for parameter %s.Id is not matching the expected pattern %s.", in.Id, name, queryID)
	case in.MetricStat != nil && in.Expression != nil:
		return errValidation("The parameters %s.Expression and %s.MetricStat are mutually exclusive and you have specified both.", name, name)
	case in.MetricStat == nil && in.Expression == nil:
		return errValidation("The parameter %s.MetricStat is required.\n", name)
	}
	var c checks
	if in.Expression != nil {
		if in.Period != nil {
			c.period(*in.Period, name+".Period")
			one.period = int64(*in.Period)
		}
		if err := c.asValidation(); err != nil {
			return err
		}
		var err error
		if one.math, err = parse(*in.Expression); err != nil {
			return errValidation("Error in expression '%s': %s", in.Id, err)
		}
		return nil
	}
	return one.checkMetric(&c, name+".MetricStat", in.MetricStat)
}

func (one *query) checkMetric(c *checks, name string, in *cloudwatchapi.MetricStat) error {
	if in.Metric == nil {
		return errValidation("The parameter %s.Metric is required.\n", name)
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	namespace, metric := text(in.Metric.Namespace), text(in.Metric.MetricName)
	c.namespace(namespace, name+".Metric.Namespace")
	c.text(metric, name+".Metric.MetricName", maxName)
	dims := c.dimensions(in.Metric.Dimensions, name+".Metric.Dimensions")
	c.period(in.Period, name+".Period")
	unit := c.unit(in.Unit, name+".Unit")
	if one.stat = statisticOf(in.Stat); one.stat == nil {
		c.add(invalid, "The value %s for parameter %s.Stat is not supported.", in.Stat, name)
	}
	if in.Unit != nil {
		one.unit = &unit
	}
	one.id, one.period = newIdentity(namespace, metric, dims), int64(in.Period)
	return c.asValidation()
}

// asValidation is what was found, as GetMetricData words it.
func (c *checks) asValidation() error {
	if c.kind == 0 {
		return nil
	}
	return errValidation("%s\n", strings.Join(c.lines, "\n"))
}

// series gives the line of a query.
func (q *queries) series(one *query) line {
	if !one.done {
		one.done = true
		if one.math != nil {
			one.line = q.evaluate(one)
		} else {
			one.line = q.measure(one)
		}
	}
	return one.line
}

// measure gives the line of a metric, unless the call has read too much.
func (q *queries) measure(one *query) line {
	if q.work > maxWork {
		return line{}
	}
	w := newWindow(q.in.StartTime, q.in.EndTime, one.period, q.now)
	byUnit := q.service.data.collect(q.place, one.id, w, q.now)
	l := line{label: one.label}
	for u, points := range byUnit {
		if len(points) > 0 && (one.unit == nil || *one.unit == u) {
			l.units = append(l.units, string(units[u]))
			q.work += len(points)
		}
	}
	if len(l.units) == 0 {
		return l
	}
	slices.Sort(l.units)
	u := cloudwatchapi.StandardUnit(l.units[0]) // no two units are added up: the first one answers
	n, _ := unitNumber(&u)
	for i := range byUnit[n] {
		p := &byUnit[n][i]
		if v, ok := one.stat(&p.summary); ok {
			l.times, l.values = append(l.times, p.at), append(l.values, v)
		}
	}
	return l
}

// result is one page of a line: at most limit values behind the first skip.
func (q *queries) result(one *query, l *line, skip, limit int) cloudwatchapi.MetricDataResult {
	r := cloudwatchapi.MetricDataResult{
		Id: &one.in.Id, Label: &l.label, StatusCode: new(cloudwatchapi.StatusCodeComplete),
		Timestamps: []time.Time{}, Values: []float64{},
	}
	if one.in.Label != nil {
		r.Label = new(q.expand(one, l, *one.in.Label))
	}
	if len(l.units) > 1 {
		text := "Multiple units returned: '[" + strings.Join(l.units, ", ") + "]'"
		r.Messages = []cloudwatchapi.MessageData{{Code: new("MultipleUnits"), Value: &text}}
	}
	n := len(l.times)
	for i := skip; i < n; i++ {
		if len(r.Values) == limit {
			r.StatusCode = new(cloudwatchapi.StatusCodePartialData)
			break
		}
		j := n - 1 - i
		if q.in.ScanBy != nil && *q.in.ScanBy == cloudwatchapi.ScanByTimestampAscending {
			j = i
		}
		r.Timestamps = append(r.Timestamps, time.Unix(l.times[j], 0).UTC())
		r.Values = append(r.Values, l.values[j])
	}
	return r
}

// pageToken stands for the place where the next page goes on: a query, and how many of its values were answered.
func pageToken(query, skip int) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %d", query, skip))
}

func parsePage(token *string, queries int) (first, skip int, err error) {
	if token == nil {
		return 0, 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(*token)
	if err == nil {
		_, err = fmt.Sscanf(string(text), "%d %d", &first, &skip)
	}
	if err != nil || first < 0 || first >= queries || skip < 0 {
		return 0, 0, cloudwatchapi.InvalidNextToken("Invalid NextToken")
	}
	return first, skip, nil
}
