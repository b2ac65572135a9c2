package cloudwatch

import (
	"math"
	"slices"
)

// function computes one of metric math's functions.
type function func(q *queries, args []value) value

// functions by name. Those that sum up make a number of a series; the others go value by value.
var functions = map[string]function{
	"ABS":   pointwise(math.Abs),
	"CEIL":  pointwise(math.Ceil),
	"FLOOR": pointwise(math.Floor),
	"LOG":   pointwise(math.Log),
	"LOG10": pointwise(math.Log10),
	"AVG": summing(func(v []float64) float64 {
		return total(v) / float64(len(v))
	}),
	"SUM": summing(total),
	"MIN": summing(slices.Min[[]float64]),
	"MAX": summing(slices.Max[[]float64]),
	"RUNNING_SUM": func(_ *queries, args []value) value {
		v := args[0]
		v.values = slices.Clone(v.values)
		for i := 1; i < len(v.values); i++ {
			v.values[i] += v.values[i-1]
		}
		return v
	},
	"DIFF": func(_ *queries, args []value) value { return steps(args[0], func(d, _ float64) float64 { return d }) },
	"RATE": func(_ *queries, args []value) value {
		return steps(args[0], func(d, s float64) float64 { return d / s })
	},
	"FILL": fill,
}

// functionArgs is how many arguments each takes.
var functionArgs = map[string]int{
	"ABS": 1, "CEIL": 1, "FLOOR": 1, "LOG": 1, "LOG10": 1, "AVG": 1, "SUM": 1, "MIN": 1, "MAX": 1,
	"RUNNING_SUM": 1, "DIFF": 1, "RATE": 1, "FILL": 2,
}

func total(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum
}

func pointwise(f func(float64) float64) func(*queries, []value) value {
	return func(_ *queries, args []value) value {
		v := args[0]
		if !v.series {
			return value{number: f(v.number)}
		}
		out := make([]float64, len(v.values))
		for i, x := range v.values {
			out[i] = f(x)
		}
		v.values = out
		return v
	}
}

func summing(f func([]float64) float64) func(*queries, []value) value {
	return func(_ *queries, args []value) value {
		switch v := args[0]; {
		case !v.series:
			return v
		case len(v.values) == 0:
			return value{number: math.NaN()}
		default:
			return value{number: f(v.values)}
		}
	}
}

// steps is worth f of the difference to the value before and the seconds between the two.
func steps(v value, f func(difference, seconds float64) float64) value {
	out := value{series: true}
	for i := 1; i < len(v.values); i++ {
		out.times = append(out.times, v.times[i])
		out.values = append(out.values, f(v.values[i]-v.values[i-1], float64(v.times[i]-v.times[i-1])))
	}
	return out
}

// fill puts a number where a series has no value, between the first and the last that any query has.
func fill(q *queries, args []value) value {
	v, with := args[0], args[1]
	if !v.series || with.series {
		return v
	}
	out := value{series: true}
	for _, at := range q.times() {
		i, found := slices.BinarySearch(v.times, at)
		x := with.number
		if found {
			x = v.values[i]
		}
		out.times, out.values = append(out.times, at), append(out.values, x)
	}
	return out
}
