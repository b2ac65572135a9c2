package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Type is the type of a config's value, with the number that DescribeConfigs uses.
type Type int8

// The types.
const (
	Unknown  Type = 0 // of a config that is not in the tables
	Boolean  Type = 1
	String   Type = 2
	Int      Type = 3
	Short    Type = 4
	Long     Type = 5
	Double   Type = 6
	List     Type = 7
	Class    Type = 8
	Password Type = 9
)

func (t Type) String() string {
	names := [...]string{"UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}
	if t < 0 || int(t) >= len(names) {
		return names[0]
	}
	return names[t]
}

// Importance is what Kafka says of a config; it is for documents only.
type Importance string

// The importances.
const (
	High   Importance = "high"
	Medium Importance = "medium"
	Low    Importance = "low"
)

// Dynamic says whether and where a broker config can be changed while the broker runs.
type Dynamic uint8

// Fixed configs are changed by a restart only, those of PerBroker for one broker, those of ClusterWide also for
// all.
const (
	Fixed Dynamic = iota
	PerBroker
	ClusterWide
)

// Def is one config.
type Def struct {
	Name       string
	Type       Type
	Importance Importance
	// Default is as Kafka writes it; Null says that there is none.
	Default string
	Null    bool
	// Synonym of a topic's config is the broker config that gives its default; empty: none does.
	Synonym string
	// Dynamic is of broker configs.
	Dynamic Dynamic
	// Effect says what the config does here; empty: it is kept and shown, and nothing else.
	Effect string
	// Doc is what the config means in Kafka, in a line.
	Doc string

	rule rule
	ours bool // Apache Kafka does not have it
}

// Sensitive tells whether the value is never shown.
func (d *Def) Sensitive() bool { return d.Type == Password }

// ValueError is a value that a config does not take. Its text is Kafka's.
type ValueError struct {
	Name, Value, Why string
}

func (e *ValueError) Error() string {
	return "Invalid value " + e.Value + " for configuration " + e.Name + ": " + e.Why
}

// Check returns a value as it is kept: without white space around it, unless it is a string.
//
// Errors: *ValueError.
func (d *Def) Check(value string) (string, error) {
	kept, why := d.parse(value)
	if why != "" {
		return "", &ValueError{d.Name, value, why}
	}
	if d.rule == nil {
		return kept, nil
	}
	if shown, why := d.rule(d, kept); why != "" {
		return "", &ValueError{d.Name, shown, why}
	}
	return kept, nil
}

// parse reads a value by its type; why is not empty when it is none of that type.
func (d *Def) parse(value string) (kept, why string) {
	trimmed := strings.TrimSpace(value)
	bits := 64
	switch d.Type {
	case Boolean:
		if trimmed = strings.ToLower(trimmed); trimmed != "true" && trimmed != "false" {
			return "", "Expected value to be either true or false"
		}
		return trimmed, ""
	case Int:
		bits = 32
	case Short:
		bits = 16
	case Long:
	case Double:
		if _, err := strconv.ParseFloat(trimmed, 64); err != nil {
			return "", "Not a number of type DOUBLE"
		}
		return trimmed, ""
	case List:
		return strings.Join(Items(trimmed), ","), ""
	case Class:
		return trimmed, ""
	case Unknown, String, Password:
		return value, ""
	}
	n, err := strconv.ParseInt(trimmed, 10, bits)
	if err != nil {
		return "", "Not a number of type " + d.Type.String()
	}
	return strconv.FormatInt(n, 10), ""
}

// Items are the parts of a list's value, without white space around them.
func Items(value string) []string {
	if strings.TrimSpace(value) == "" {
		return nil
	}
	items := strings.Split(value, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

// rule tells what is wrong with a value of the right type, and how the value is shown then.
type rule func(d *Def, value string) (shown, why string)

// atLeast is the rule of a number without an upper bound.
func atLeast(least int64) rule {
	return func(d *Def, value string) (string, string) {
		if n, shown := number(d, value); n < float64(least) {
			return shown, fmt.Sprintf("Value must be at least %d", least)
		}
		return "", ""
	}
}

func between(least, most int64) rule {
	return func(d *Def, value string) (string, string) {
		n, shown := number(d, value)
		if n < float64(least) {
			return shown, fmt.Sprintf("Value must be at least %d", least)
		}
		if n > float64(most) {
			return shown, fmt.Sprintf("Value must be no more than %d", most)
		}
		return "", ""
	}
}

// number is a value that was parsed, as Kafka prints it. Bounds are far below where a float loses digits, but for
// the largest long, which none exceeds.
func number(d *Def, value string) (n float64, shown string) {
	n, _ = strconv.ParseFloat(value, 64)
	if d.Type == Double && !strings.ContainsAny(value, ".eEnN") {
		return n, value + ".0"
	}
	return n, value
}

// gzipLevel is 1 to 9, or -1 for the default.
func gzipLevel(_ *Def, value string) (string, string) {
	if n, _ := strconv.Atoi(value); n != -1 && (n < 1 || n > 9) {
		return value, "Value must be between 1 and 9 or equal to -1"
	}
	return "", ""
}

func oneOf(choices ...string) rule {
	return func(_ *Def, value string) (string, string) {
		if !slices.Contains(choices, value) {
			return value, "String must be one of: " + strings.Join(choices, ", ")
		}
		return "", ""
	}
}

// someOf is the rule of a list whose items are of choices.
func someOf(choices ...string) rule {
	return func(_ *Def, value string) (string, string) {
		for _, item := range Items(value) {
			if !slices.Contains(choices, item) {
				return item, "String must be one of: " + strings.Join(choices, ", ")
			}
		}
		return "", ""
	}
}

// replicas is the rule of throttled replicas: all, or pairs of partition and broker.
func replicas(d *Def, value string) (string, string) {
	items := Items(value)
	if len(items) == 1 && items[0] == "*" {
		return "", ""
	}
	for _, item := range items {
		partition, broker, ok := strings.Cut(item, ":")
		if !ok || !digits(partition) || !digits(broker) {
			return "[" + strings.Join(items, ", ") + "]", d.Name + " must be the literal '*' or a list of replicas in the following format: " +
				"[partitionId]:[brokerId],[partitionId]:[brokerId],..."
		}
	}
	return "", ""
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// table finds configs by name.
type table struct {
	defs   []Def
	byName map[string]*Def
}

func newTable(defs []Def) *table {
	slices.SortFunc(defs, func(a, b Def) int { return strings.Compare(a.Name, b.Name) })
	t := &table{defs: defs, byName: make(map[string]*Def, len(defs))}
	for i := range defs {
		t.byName[defs[i].Name] = &defs[i]
	}
	return t
}
