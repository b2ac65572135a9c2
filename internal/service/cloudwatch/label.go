package cloudwatch

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// label names the lines of metrics: by metric, and by what tells them apart, the statistic before the period.
func (q *queries) label() {
	var first *query
	stats, periods := false, false
	for _, one := range q.all {
		if one.in.MetricStat == nil {
			continue
		}
		if first == nil {
			first = one
		}
		stats = stats || one.in.MetricStat.Stat != first.in.MetricStat.Stat
		periods = periods || one.period != first.period
	}
	for _, one := range q.all {
		if one.in.MetricStat == nil {
			continue
		}
		if one.label = one.id.name; stats {
			one.label += " " + one.in.MetricStat.Stat
		}
		if periods {
			one.label += fmt.Sprintf(" %d", one.period)
		}
	}
}

// dynamic is what stands for something else in a label: a name, or a property of the metric.
var dynamic = regexp.MustCompile(`\$\{(?:([A-Z_]+)|PROP\('([^']*)'\))\}`)

// maxLabel bounds a label, in bytes: a text of 2 KB may name a long dimension many times.
const maxLabel = 8192

// expand puts into a label what its dynamic parts stand for. Parts with values and times of the points stay as they are: in what form
// CloudWatch writes these is not known.
//
// Source: user guide, "Use dynamic labels" (read 2026-11)
func (q *queries) expand(one *query, l *line, label string) string {
	if !strings.Contains(label, "${") {
		return label
	}
	var out strings.Builder
	last := 0
	for _, at := range dynamic.FindAllStringSubmatchIndex(label, -1) {
		var text string
		var known bool
		if at[2] >= 0 {
			text, known = namedPart(l, label[at[2]:at[3]])
		} else {
			text, known = q.property(one, label[at[4]:at[5]])
		}
		if !known || out.Len()+len(text) > maxLabel {
			continue
		}
		out.WriteString(label[last:at[0]] + text)
		last = at[1]
	}
	return out.String() + label[last:]
}

func namedPart(l *line, name string) (text string, known bool) {
	switch name {
	case "LABEL":
		return l.label, true
	case "DATAPOINT_COUNT":
		return strconv.Itoa(len(l.times)), true
	}
	return "", false
}

// property is one of a metric; those that an expression has not, and dimensions that the metric has not, are empty.
func (q *queries) property(one *query, name string) (text string, known bool) {
	if dim, ok := strings.CutPrefix(name, "Dim."); ok {
		for _, d := range one.id.dimensions {
			if d.Name == dim {
				return d.Value, true
			}
		}
		return "", true
	}
	switch name {
	case "AccountId":
		return q.place.account, true
	case "Region":
		return q.place.region, true
	case "MetricName":
		return one.id.name, true
	case "Namespace":
		return one.id.namespace, true
	case "Period", "Stat":
		switch stat := one.in.MetricStat; {
		case stat == nil:
			return "", true
		case name == "Stat":
			return stat.Stat, true
		}
		return strconv.FormatInt(one.period, 10), true
	}
	return "", false
}
