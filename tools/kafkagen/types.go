package main

import (
	"fmt"
	"regexp"
	"strings"
)

// message is a definition with its Go types.
type message struct {
	*definition
	structs []*structure // the message itself first, then those within, in order of use
	byName  map[string]*structure
}

// structure is one Go struct.
type structure struct {
	name    string
	msg     *message
	scope   versions // those in which it is used
	members []*member
}

// member is one Go field.
type member struct {
	*field
	versions versions // of the field, within the struct's scope
	goName   string
	goType   string
	elem     string     // Kafka's type, of the elements when it is an array
	array    bool       // whether it is one
	of       *structure // the struct, or the elements', when it is one
}

func newMessage(d *definition) (*message, error) {
	m := &message{definition: d, byName: map[string]*structure{}}
	common := map[string][]*field{}
	for _, c := range d.Common {
		common[c.Name] = c.Fields
	}
	if _, err := m.add(d.Name, d.Fields, common); err != nil {
		return nil, err
	}
	m.setScopes()
	return m, nil
}

// setScopes finds the versions in which each struct is used, from the message inwards until nothing changes,
// since a struct may be used in several places.
func (m *message) setScopes() {
	m.structs[0].scope = m.Valid
	for changed := true; changed; {
		changed = false
		for _, s := range m.structs {
			for _, b := range s.members {
				if b.of == nil {
					continue
				}
				wider := b.of.scope.or(b.Versions.and(s.scope))
				changed = changed || wider != b.of.scope
				b.of.scope = wider
			}
		}
	}
	for _, s := range m.structs {
		for _, b := range s.members {
			b.versions = b.Versions.and(s.scope)
		}
	}
}

// add makes the struct of that Kafka name, and those it uses, once.
func (m *message) add(kafkaName string, fields []*field, common map[string][]*field) (*structure, error) {
	name := goName(kafkaName)
	if prefix := goName(m.Name); !strings.HasPrefix(name, prefix) {
		name = prefix + name
	}
	if s := m.byName[name]; s != nil {
		return s, nil
	}
	s := &structure{name: name, msg: m, scope: none}
	m.byName[name] = s
	m.structs = append(m.structs, s)
	for _, f := range fields {
		if f.Versions.and(m.Valid).empty() {
			continue
		}
		b := &member{field: f, goName: goName(f.Name)}
		b.elem, b.array = strings.CutPrefix(f.Type, "[]")
		if nested, found := f.Fields, f.Fields != nil; found || common[b.elem] != nil {
			if !found {
				nested = common[b.elem]
			}
			of, err := m.add(b.elem, nested, common)
			if err != nil {
				return nil, err
			}
			b.of = of
		}
		if err := b.setGoType(); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", name, f.Name, err)
		}
		s.members = append(s.members, b)
	}
	return s, nil
}

// primitive says how a type of Kafka is called in Go and by package kbin, and how small it is on the wire
// (flexible, where that differs).
var primitive = map[string]struct {
	goType, method  string
	least, flexible int
}{
	"bool":    {"bool", "Bool", 1, 1},
	"int8":    {"int8", "Int8", 1, 1},
	"int16":   {"int16", "Int16", 2, 2},
	"uint16":  {"uint16", "Uint16", 2, 2},
	"int32":   {"int32", "Int32", 4, 4},
	"int64":   {"int64", "Int64", 8, 8},
	"float64": {"float64", "Float64", 8, 8},
	"uuid":    {"kbin.UUID", "UUID", 16, 16},
	"string":  {"string", "String", 2, 1},
	"bytes":   {"[]byte", "Bytes", 4, 1},
	"records": {"[]byte", "Bytes", 4, 1},
}

func (b *member) setGoType() error {
	p, known := primitive[b.elem]
	switch {
	case b.of != nil:
		b.goType = b.of.name
	case !known:
		return fmt.Errorf("type %s is not known", b.Type)
	case b.elem == "int16" && strings.HasSuffix(b.goName, "ErrorCode"):
		b.goType = "Code"
	default:
		b.goType = p.goType
	}
	switch {
	case b.array:
		b.goType = "[]" + b.goType
	case b.Nullable != nil && (b.of != nil || b.elem == "string"):
		b.goType = "*" + b.goType
	}
	return nil
}

// least is the smallest size of the struct on the wire, over all versions.
func (s *structure) least() int {
	smallest := 1 << 20
	for v := s.scope.from; v <= s.scope.to; v++ {
		smallest = min(smallest, s.leastAt(v))
	}
	return max(smallest, 1)
}

func (s *structure) leastAt(version int16) int {
	flexible := s.msg.Flexible.has(version)
	sum := 0
	if flexible {
		sum = 1
	}
	for _, b := range s.members {
		if b.Tag != nil || !b.versions.has(version) {
			continue
		}
		switch {
		case b.array && flexible:
			sum++
		case b.array:
			sum += 4
		case b.of != nil && b.Nullable != nil:
			sum++
		case b.of != nil:
			sum += b.of.leastAt(version)
		case flexible:
			sum += primitive[b.elem].flexible
		default:
			sum += primitive[b.elem].least
		}
	}
	return sum
}

// defaultText is the Go expression of the member's default, empty when that is the zero value.
func (b *member) defaultText() string {
	if b.of != nil && !b.array && b.Nullable == nil {
		if b.of.hasDefaults() {
			return "New" + b.of.name + "()"
		}
		return ""
	}
	text := strings.TrimSpace(fmt.Sprint(b.Default))
	switch {
	case b.Default == nil || b.array || text == "" || text == "null" || text == "false" || text == "0":
		return ""
	}
	return text
}

func (s *structure) hasDefaults() bool {
	for _, b := range s.members {
		if b.defaultText() != "" {
			return true
		}
	}
	return false
}

var (
	idWord  = regexp.MustCompile(`Id(s?)([A-Z0-9]|$)`)
	apiWord = regexp.MustCompile(`Api([A-Z]|$)`)
)

// goName is Kafka's name with a capital first, ID for Id and API for Api.
func goName(name string) string {
	name = strings.ToUpper(name[:1]) + name[1:]
	name = idWord.ReplaceAllString(name, "ID$1$2")
	return apiWord.ReplaceAllString(name, "API$1")
}
