package cloudwatch

import (
	"math"
	"regexp"
	"strconv"
)

// statistic computes a statistic of the samples of a period; false when they do not tell it.
type statistic func(*summary) (float64, bool)

// basic are the statistics that every point has.
var basic = map[string]statistic{
	"SampleCount": func(s *summary) (float64, bool) { return s.count, true },
	"Average":     func(s *summary) (float64, bool) { return s.sum / s.count, s.count > 0 },
	"Sum":         func(s *summary) (float64, bool) { return s.sum, true },
	"Minimum":     func(s *summary) (float64, bool) { return s.min, true },
	"Maximum":     func(s *summary) (float64, bool) { return s.max, true },
}

var (
	short = regexp.MustCompile(`^(p|tm|tc|ts|wm)(\d{1,2}(?:\.\d{0,10})?|100)$`)
	long  = regexp.MustCompile(`^(TM|TC|TS|WM)\((?:(\d{1,3}(?:\.\d{0,10})?)%)?:(?:(\d{1,3}(?:\.\d{0,10})?)%)?\)$`)
)

// extended gives the statistic of a name like p99, tm90, TM(10%:90%) or IQM; nil when it is none.
//
// Source: user guide, "CloudWatch statistics definitions" (read 2026-11).
func extended(name string) statistic {
	if name == "IQM" {
		return trimmed("tm", 25, 75)
	}
	if m := short.FindStringSubmatch(name); m != nil {
		n, _ := strconv.ParseFloat(m[2], 64) // the pattern is that of a number
		if m[1] == "p" {
			return func(s *summary) (float64, bool) { return s.percentile(n) }
		}
		return trimmed(m[1], 0, n)
	}
	if m := long.FindStringSubmatch(name); m != nil && m[2]+m[3] != "" {
		low, high := 0.0, 100.0
		if m[2] != "" {
			low, _ = strconv.ParseFloat(m[2], 64)
		}
		if m[3] != "" {
			high, _ = strconv.ParseFloat(m[3], 64)
		}
		if low >= high || high > 100 {
			return nil
		}
		return trimmed(map[string]string{"TM": "tm", "TC": "tc", "TS": "ts", "WM": "wm"}[m[1]], low, high)
	}
	return nil
}

// trimmed is a statistic of the samples between two percentiles: their mean, count or sum, or the mean of all with those outside
// moved to the edges.
func trimmed(kind string, low, high float64) statistic {
	return func(s *summary) (float64, bool) {
		count, sum, ok := s.between(low, high)
		if !ok || s.min < 0 {
			return 0, false
		}
		switch kind {
		case "tc":
			return math.Round(count), true
		case "ts":
			return sum, true
		case "wm":
			from, _ := s.percentile(low)
			to, _ := s.percentile(high)
			return (sum + from*s.count*low/100 + to*s.count*(100-high)/100) / s.count, true
		}
		return sum / count, count > 0
	}
}

// statisticOf gives any statistic by its name, nil when there is none.
func statisticOf(name string) statistic {
	if f := basic[name]; f != nil {
		return f
	}
	return extended(name)
}
