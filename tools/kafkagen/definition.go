package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// definition is a message as its JSON file says.
type definition struct {
	APIKey    *int16    `json:"apiKey"`
	Type      string    `json:"type"` // request, response, data, header
	Name      string    `json:"name"`
	Listeners []string  `json:"listeners"`
	Valid     versions  `json:"validVersions"`
	Flexible  versions  `json:"flexibleVersions"`
	Unstable  bool      `json:"latestVersionUnstable"`
	Fields    []*field  `json:"fields"`
	Common    []*common `json:"commonStructs"`
}

// common is a struct that several fields of a message use.
type common struct {
	Name   string   `json:"name"`
	Fields []*field `json:"fields"`
}

// field is a field of a message or struct.
type field struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"`
	Versions versions  `json:"versions"`
	Nullable *versions `json:"nullableVersions"`
	Tag      *uint32   `json:"tag"`
	Tagged   *versions `json:"taggedVersions"`
	Default  any       `json:"default"`
	Fields   []*field  `json:"fields"`

	// Flexible overrides whether the field is compact; only RequestHeader has one, which is not generated.
	Flexible *versions `json:"flexibleVersions"`
}

// versions is a closed range; empty when to is below from.
type versions struct{ from, to int16 }

// UnmarshalJSON reads "none", "3", "3+" and "0-3".
func (v *versions) UnmarshalJSON(text []byte) error {
	s := strings.Trim(string(text), `"`)
	if s == "none" {
		*v = none
		return nil
	}
	from, to, isRange := strings.Cut(s, "-")
	if open, found := strings.CutSuffix(s, "+"); found {
		from, to, isRange = open, strconv.Itoa(math.MaxInt16), true
	}
	if !isRange {
		to = from
	}
	a, errA := strconv.ParseInt(from, 10, 16)
	b, errB := strconv.ParseInt(to, 10, 16)
	if errA != nil || errB != nil {
		return fmt.Errorf("versions %s are not understood", text)
	}
	*v = versions{int16(a), int16(b)}
	return nil
}

func (v versions) has(version int16) bool { return v.from <= version && version <= v.to }

var none = versions{0, -1}

// or is the smallest range that has both.
func (v versions) or(o versions) versions {
	switch {
	case v.empty():
		return o
	case o.empty():
		return v
	}
	return versions{min(v.from, o.from), max(v.to, o.to)}
}

// and is what both ranges have.
func (v versions) and(o versions) versions { return versions{max(v.from, o.from), min(v.to, o.to)} }

func (v versions) empty() bool { return v.to < v.from }

// check refuses what the generator does not know.
func (d *definition) check() error {
	switch {
	case d.Name == "" || d.Type == "":
		return fmt.Errorf("no name or no type")
	case (d.Type == "request" || d.Type == "response") && d.APIKey == nil:
		return fmt.Errorf("%s has no apiKey", d.Name)
	}
	if d.Type == "header" {
		return nil
	}
	for _, c := range d.Common {
		if err := checkFields(c.Fields); err != nil {
			return fmt.Errorf("%s.%s: %w", d.Name, c.Name, err)
		}
	}
	if err := checkFields(d.Fields); err != nil {
		return fmt.Errorf("%s: %w", d.Name, err)
	}
	return nil
}

func checkFields(fields []*field) error {
	for _, f := range fields {
		switch {
		case f.Flexible != nil:
			return fmt.Errorf("field %s has flexibleVersions of its own", f.Name)
		case (f.Tag == nil) != (f.Tagged == nil):
			return fmt.Errorf("field %s has a tag without versions, or versions without a tag", f.Name)
		case f.Tag != nil && *f.Tagged != f.Versions:
			return fmt.Errorf("field %s is tagged in some of its versions only", f.Name)
		}
		if err := checkFields(f.Fields); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}
