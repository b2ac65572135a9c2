package codec

import (
	"errors"
	"math"
	"time"
)

// kind is what a reader finds next.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindText
	kindBytes
	kindList
	kindMap
)

// errSyntax is any body that is not well-formed. AWS does not say what is wrong with it, nor do we.
var errSyntax = errors.New("codec: malformed body")

// reader takes values of one encoding off a body, each read whole before the next. Slices it gives
// are valid until the next call.
//
// After begin, a list is read with more before each element and a map with key before each value,
// until they give false, which leaves the list or map.
type reader interface {
	// peek says what comes next without taking it.
	peek() (kind, error)
	// null, boolean and begin take what peek has found, and cannot fail.
	null()
	boolean() bool
	begin()
	number() (number, error)
	timestamp() (time.Time, error) // a number, in the unit of the encoding
	text() ([]byte, error)         // valid UTF-8
	// bytes gives a blob; when lasting it is a piece of the body and valid as long as that.
	bytes() (b []byte, lasting bool, err error)
	more() (bool, error)
	key() (name []byte, ok bool, err error)
	// end says whether nothing but white space is left.
	end() bool
}

// number is an integer when it can be, else the nearest float.
type number struct {
	i     int64
	f     float64
	exact bool // i counts, f does not
}

func (n number) float() float64 {
	if n.exact {
		return float64(n.i)
	}
	return n.f
}

// truncate cuts the fraction off and brings what does not fit to the nearest end of int64.
func (n number) truncate() int64 {
	switch {
	case n.exact:
		return n.i
	case math.IsNaN(n.f):
		return 0
	case n.f >= 1<<63:
		return math.MaxInt64
	case n.f < -1<<63:
		return math.MinInt64
	}
	return int64(n.f)
}

// Times are kept between the years 0 and 9999, which is what every client can print.
const (
	minMillis = -62167219200000
	maxMillis = 253402300799999
)

func millis(ms int64) time.Time {
	return time.UnixMilli(min(max(ms, minMillis), maxMillis)).UTC()
}

// seconds is a time from JSON's seconds with a fraction, to the nearest microsecond: a float64 of
// this size tells no finer.
func seconds(n number) time.Time {
	if n.exact {
		return millis(min(max(n.i, minMillis/1000), maxMillis/1000) * 1000)
	}
	f := n.f
	if math.IsNaN(f) {
		f = 0
	}
	f = math.Min(math.Max(f, minMillis/1000), maxMillis/1000)
	return time.UnixMicro(int64(math.Round(f * 1e6))).UTC()
}
