package value

import (
	"slices"
	"strings"
)

// Union is the set of what is in a or b, two sets of one kind. ok is false when they are not.
func Union(a, b Value) (u Value, ok bool) {
	switch {
	case a.kind != b.kind:
		return Value{}, false
	case a.kind == KindSS, a.kind == KindBS:
		return sortedStrings(a.kind, union(a.Strings(), b.Strings(), strings.Compare)), true
	case a.kind == KindNS:
		return sortedNumbers(union(a.Numbers(), b.Numbers(), Number.Compare)), true
	}
	return Value{}, false
}

// Difference is the set of what is in a and not in b, two sets of one kind. It may have no element, which no
// attribute may be: the caller then removes the attribute. ok is false when they are not of one kind.
func Difference(a, b Value) (d Value, ok bool) {
	switch {
	case a.kind != b.kind:
		return Value{}, false
	case a.kind == KindSS, a.kind == KindBS:
		return sortedStrings(a.kind, difference(a.Strings(), b.Strings(), strings.Compare)), true
	case a.kind == KindNS:
		return sortedNumbers(difference(a.Numbers(), b.Numbers(), Number.Compare)), true
	}
	return Value{}, false
}

// Contains says that set has elem: an S in an SS, an N in an NS, a B in a BS, or a value equal to elem in a list.
func Contains(set, elem Value) bool {
	switch {
	case set.kind == KindSS && elem.kind == KindS, set.kind == KindBS && elem.kind == KindB:
		_, ok := slices.BinarySearch(set.Strings(), elem.Str())
		return ok
	case set.kind == KindNS && elem.kind == KindN:
		_, ok := slices.BinarySearchFunc(set.Numbers(), elem.Number(), Number.Compare)
		return ok
	case set.kind == KindL:
		return slices.ContainsFunc(set.List(), func(v Value) bool { return Equal(v, elem) })
	}
	return false
}

// union merges two sorted slices without duplicates into a new one.
func union[E any](a, b []E, compare func(E, E) int) []E {
	out := make([]E, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		c := compare(a[0], b[0])
		if c <= 0 {
			out = append(out, a[0])
			a = a[1:]
		} else {
			out = append(out, b[0])
		}
		if c >= 0 {
			b = b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// difference is what is in a and not in b, in a new slice.
func difference[E any](a, b []E, compare func(E, E) int) []E {
	out := make([]E, 0, len(a))
	for _, e := range a {
		for len(b) > 0 && compare(b[0], e) < 0 {
			b = b[1:]
		}
		if len(b) == 0 || compare(b[0], e) != 0 {
			out = append(out, e)
		}
	}
	return out
}
