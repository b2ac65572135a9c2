package cloudwatch

import (
	"math"
	"slices"
	"sort"
)

// summary is what is known of the samples of a time: the statistics, and the values for percentiles.
type summary struct {
	count, sum, min, max float64
	// values are the samples in rising order. Nil when all are equal (min is max), or when blurred.
	values []weight
	// blurred says that some samples came as a set of statistics, whose values nobody knows.
	blurred bool
}

// weight is a value that was seen count times.
type weight struct{ value, count float64 }

// maxWeights is how many values a summary keeps before it rounds them: exact percentiles of a metric that is put twice a
// second, and 3 % of error where values spread over three powers of ten, a third of CloudWatch's own.
const maxWeights = 160

// of is the summary of one sample.
func of(value float64) summary { return summary{count: 1, sum: value, min: value, max: value} }

// set is the summary of a set of statistics.
func set(count, sum, low, high float64) summary {
	return summary{count: count, sum: sum, min: low, max: high, blurred: low < high && count != 1}
}

// add puts the samples of o into s.
func (s *summary) add(o *summary) {
	switch {
	case o.count == 0:
		return
	case s.count == 0:
		*s = *o
		s.values = slices.Clone(o.values)
		return
	}
	s.blurred = s.blurred || o.blurred
	equal := s.min == s.max && o.min == o.max && s.min == o.min
	if s.blurred || equal {
		s.values = nil
	} else {
		s.values = merge(s.weights(), o.weights())
	}
	s.count += o.count
	s.sum += o.sum
	s.min, s.max = min(s.min, o.min), max(s.max, o.max)
	s.round()
}

// weights are the values, also where all are equal.
func (s *summary) weights() []weight {
	if s.values == nil && !s.blurred {
		return []weight{{s.min, s.count}}
	}
	return s.values
}

func merge(a, b []weight) []weight {
	out := make([]weight, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		var w weight
		if len(b) == 0 || len(a) > 0 && a[0].value <= b[0].value {
			w, a = a[0], a[1:]
		} else {
			w, b = b[0], b[1:]
		}
		if n := len(out); n > 0 && out[n-1].value == w.value {
			out[n-1].count += w.count
			continue
		}
		out = append(out, w)
	}
	return out
}

// round makes values that are too many fewer: each keeps its first bits, 10 at first, which is a part in a thousand.
func (s *summary) round() {
	for bits := 10; len(s.values) > maxWeights && bits >= 0; bits-- {
		drop := uint(52 - bits)
		out := s.values[:0]
		for _, w := range s.values {
			// Halfway through what the dropped bits can tell.
			w.value = math.Float64frombits(math.Float64bits(w.value)>>drop<<drop | 1<<(drop-1))
			if n := len(out); n > 0 && out[n-1].value == w.value {
				out[n-1].count += w.count
				continue
			}
			out = append(out, w)
		}
		s.values = slices.Clip(out)
	}
	if len(s.values) > maxWeights { // more powers of two apart than that
		s.values, s.blurred = nil, true
	}
}

// percentile is the value below which p percent of the samples lie, between its neighbours in proportion; false when
// the values are not known.
func (s *summary) percentile(p float64) (float64, bool) {
	if s.count == 0 || s.blurred || s.min < 0 {
		return 0, false
	}
	ws := s.weights()
	rank := p / 100 * (s.count - 1)
	low, high := valueAt(ws, math.Floor(rank)), valueAt(ws, math.Ceil(rank))
	v := low + (high-low)*(rank-math.Floor(rank))
	return min(max(v, s.min), s.max), true
}

// valueAt is the value of the sample at rank, counted from 0.
func valueAt(ws []weight, rank float64) float64 {
	seen := 0.0
	for _, w := range ws {
		if seen += w.count; rank < seen {
			return w.value
		}
	}
	return ws[len(ws)-1].value
}

// between sums up the samples between two percentiles, those at the edges in part.
func (s *summary) between(low, high float64) (count, sum float64, ok bool) {
	if s.count == 0 || s.blurred {
		return 0, 0, false
	}
	from, to := low/100*s.count, high/100*s.count
	seen := 0.0
	for _, w := range s.weights() {
		n := min(seen+w.count, to) - max(seen, from)
		if n > 0 {
			count += n
			sum += n * w.value
		}
		seen += w.count
	}
	return count, sum, true
}

// sortWeights puts values that came in any order into theirs, equal ones together.
func sortWeights(ws []weight) []weight {
	sort.Slice(ws, func(i, j int) bool { return ws[i].value < ws[j].value })
	return merge(ws, nil)
}

// ofWeights is the summary of values in rising order.
func ofWeights(ws []weight) summary {
	if len(ws) == 0 {
		return summary{}
	}
	s := summary{min: ws[0].value, max: ws[len(ws)-1].value}
	for _, w := range ws {
		s.count += w.count
		s.sum += w.value * w.count
	}
	if len(ws) > 1 {
		s.values = ws
		s.round()
	}
	return s
}
