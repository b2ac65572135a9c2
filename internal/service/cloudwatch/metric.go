package cloudwatch

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strings"

	"millrace/internal/api/cloudwatchapi"
)

// place is what keeps metrics of one name apart.
type place struct{ account, region string }

// Dimension is one dimension of a metric.
type Dimension struct{ Name, Value string }

// identity tells metrics apart within a place. Dimensions are in the order of their names.
type identity struct {
	namespace, name string
	dimensions      []Dimension
}

// newIdentity copies its strings, so that no request is kept alive by a name.
func newIdentity(namespace, name string, dimensions []Dimension) identity {
	id := identity{strings.Clone(namespace), strings.Clone(name), make([]Dimension, len(dimensions))}
	for i, d := range dimensions {
		id.dimensions[i] = Dimension{strings.Clone(d.Name), strings.Clone(d.Value)}
	}
	sortDimensions(id.dimensions)
	return id
}

func sortDimensions(d []Dimension) {
	slices.SortFunc(d, func(a, b Dimension) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
	})
}

// key is equal for equal identities alone, and in the order in which metrics are listed.
func (id *identity) key() string {
	var b strings.Builder
	part := func(s string) {
		b.WriteString(strings.ReplaceAll(s, "\x00", "\x00\x01"))
		b.WriteString("\x00\x00")
	}
	part(id.namespace)
	part(id.name)
	for _, d := range id.dimensions {
		part(d.Name)
		part(d.Value)
	}
	return b.String()
}

// isKey tells whether a text can be what key gives: it ends one of its parts, and has two of them at least.
func isKey(s string) bool {
	return strings.HasSuffix(s, "\x00\x00") && strings.Count(s, "\x00\x00") >= 2
}

// hash stands for a metric in keys of the store.
func hash(p place, key string) (h [hashSize]byte) {
	sum := sha256.Sum256([]byte(p.account + "\x00" + p.region + "\x00" + key))
	copy(h[:], sum[:])
	return h
}

const hashSize = 16

// metric is a metric with its data: one series for each unit, of which nearly all have one.
type metric struct {
	identity
	key    string
	place  place
	series []*series
	last   int64 // second of the newest put, by our clock
	known  bool  // the store has its name
}

// of gives the series of a unit, nil when there is none.
func (m *metric) of(unit uint8) *series {
	for _, s := range m.series {
		if s.unit == unit {
			return s
		}
	}
	return nil
}

func (m *metric) size() int {
	n := metricSize + 2*len(m.key)
	return n + len(m.dimensions)*dimensionSize
}

// What structures take, about: maps, headers and pointers counted.
const (
	metricSize    = 320
	dimensionSize = 32
	seriesSize    = 160
	chunkSize     = 80
	pointSize     = 88
	weightSize    = 16
)

// units are the units in the order of their numbers, which the store keeps: permanent.
var units = []cloudwatchapi.StandardUnit{
	"None", "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes",
	"Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count",
	"Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second",
	"Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second", "Terabits/Second", "Count/Second",
}

// unitNumber gives the number of a unit; nil stands for None.
func unitNumber(unit *cloudwatchapi.StandardUnit) (uint8, bool) {
	if unit == nil {
		return 0, true
	}
	i := slices.Index(units, *unit)
	return uint8(max(i, 0)), i >= 0
}
