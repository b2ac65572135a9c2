package cloudwatch

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf16"

	"millrace/internal/api"
	"millrace/internal/api/cloudwatchapi"
)

// checks collects what is wrong with an input. CloudWatch tells all of one kind at once, a line each.
//
// Sources of the texts: GitHub issues that quote AWS (aws-sdk-java-v2 #3080, cloud-custodian #2559,
// cloudwatchmetrics-ros1 #46), moto and LocalStack, tests recorded against AWS (read 2026-11).
type checks struct {
	kind  kind // of the first that was found; 0: none
	lines []string
}

// kind is the exception that a check answers with.
type kind uint8

const (
	missing kind = iota + 1
	invalid
	combination
)

var exceptions = map[kind]func(string) *api.Error{
	missing:     cloudwatchapi.MissingRequiredParameterException,
	invalid:     cloudwatchapi.InvalidParameterValueException,
	combination: cloudwatchapi.InvalidParameterCombinationException,
}

// maxLines bounds an answer: a thousand data may all be wrong.
const maxLines = 20

func (c *checks) add(k kind, format string, args ...any) {
	if c.kind == 0 {
		c.kind = k
	}
	if c.kind == k && len(c.lines) < maxLines {
		c.lines = append(c.lines, api.Clip(fmt.Sprintf(format, args...)))
	}
}

// err is what was found, nil when nothing was.
func (c *checks) err() error {
	if c.kind == 0 {
		return nil
	}
	return exceptions[c.kind](strings.Join(c.lines, "\n"))
}

// text checks a required string of at most limit characters.
func (c *checks) text(value, name string, limit int) {
	if value == "" {
		c.add(missing, "The parameter %s is required.", name)
		return
	}
	c.length(value, name, limit)
}

func (c *checks) length(value, name string, limit int) {
	if len(value) > limit && len(utf16.Encode([]rune(value))) > limit {
		c.add(invalid, "The parameter %s must be shorter than %d characters.", name, limit+1)
	}
}

// collection checks the length of a list.
func (c *checks) collection(n int, name string, limit int) bool {
	if n > limit {
		c.add(invalid, "The collection %s must not have a size greater than %d.", name, limit)
	}
	return n <= limit
}

func (c *checks) namespace(value, name string) {
	c.text(value, name, maxName)
	if strings.HasPrefix(value, ":") {
		c.add(invalid, "The value : for parameter %s is invalid.", name)
	}
}

func (c *checks) dimensions(all []cloudwatchapi.Dimension, name string) []Dimension {
	if !c.collection(len(all), name, maxDimensions) {
		return nil
	}
	out := make([]Dimension, len(all))
	for i, d := range all {
		c.text(d.Name, fmt.Sprintf("%s.member.%d.Name", name, i+1), maxName)
		c.text(d.Value, fmt.Sprintf("%s.member.%d.Value", name, i+1), maxDimValue)
		out[i] = Dimension{d.Name, d.Value}
	}
	return out
}

func (c *checks) unit(unit *cloudwatchapi.StandardUnit, name string) uint8 {
	n, ok := unitNumber(unit)
	if !ok {
		c.add(invalid, "The parameter %s must be a value in the set [ %s ].", name, strings.Join(unitNames(), ", "))
	}
	return n
}

func unitNames() []string {
	names := make([]string, 0, len(units))
	for _, u := range units[1:] {
		names = append(names, string(u))
	}
	return append(names, string(units[0])) // None, which AWS names last
}

func (c *checks) number(v float64, name string) {
	if math.IsNaN(v) || math.Abs(v) > maxValue {
		c.add(invalid, "The value %s for parameter %s is invalid.", javaDouble(v), name)
	}
}

// javaDouble is a number in AWS's texts.
func javaDouble(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	return fmt.Sprint(v)
}

func (c *checks) timestamp(at, now time.Time, name string) {
	switch {
	case at.Before(now.Add(-oldest)):
		c.add(invalid, "The parameter %s must specify a time within the past two weeks.", name)
	case at.After(now.Add(newest)):
		c.add(invalid, "The parameter %s must specify a time no more than two hours in the future.", name)
	}
}

// period checks a period of a query.
func (c *checks) period(p int32, name string) {
	switch {
	case p == 0:
		c.add(invalid, "The parameter %s must not equal 0.", name)
	case p < 0:
		c.add(invalid, "The parameter %s must be greater than 0.", name)
	case p != 1 && p != 5 && p != 10 && p != 20 && p != 30 && p%60 != 0:
		c.add(invalid, "The parameter %s must be a value in the set [ 1, 5, 10, 20, 30 ] or a multiple of 60.", name)
	}
}
