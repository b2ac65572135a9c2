package config

import (
	"slices"
	"strings"
)

// Op is what IncrementalAlterConfigs does to a config.
type Op int8

// The operations, with their numbers in the protocol.
const (
	OpSet      Op = 0
	OpDelete   Op = 1
	OpAppend   Op = 2
	OpSubtract Op = 3
)

// Change is one operation. Value is nil with OpDelete.
type Change struct {
	Name  string
	Op    Op
	Value *string
}

// RequestError is a change that makes no sense, whatever the configs are: INVALID_REQUEST. Errors of other types
// are INVALID_CONFIG.
type RequestError struct{ Text string }

func (e *RequestError) Error() string { return e.Text }

func refuse(text string) error { return &RequestError{text} }

// textError is an invalid config in Kafka's words.
type textError string

func (e textError) Error() string { return string(e) }

// Alter returns what changes make of a topic's own configs; s is not changed.
//
// Errors: *RequestError, *ValueError and others whose text is for the client.
func (s Set) Alter(changes []Change) (Set, error) {
	if err := checkChanges(changes); err != nil {
		return nil, err
	}
	altered := s.Clone()
	for _, c := range changes {
		if err := altered.apply(c, topicConfigs); err != nil {
			return nil, err
		}
	}
	return altered, altered.Check()
}

// checkChanges refuses changes that name a config twice, have no value, or are none.
func checkChanges(changes []Change) error {
	seen := make(map[string]bool, len(changes))
	for _, c := range changes {
		switch {
		case seen[c.Name]:
			return refuse("Error due to duplicate config keys")
		case c.Op < OpSet || c.Op > OpSubtract:
			return refuse("Unknown operation type in the alter of " + c.Name)
		case c.Op != OpDelete && c.Value == nil:
			return refuse("Null value not supported for : " + c.Name)
		case c.Value != nil && len(*c.Value) > MaxValue:
			return refuse("The value of " + c.Name + " is too long")
		}
		seen[c.Name] = true
	}
	return nil
}

// apply makes one change, without a look at the value.
func (s Set) apply(c Change, t *table) error {
	switch c.Op {
	case OpDelete:
		delete(s, c.Name)
		return nil
	case OpSet:
		s[c.Name] = strings.Clone(*c.Value)
		return nil
	case OpAppend, OpSubtract:
	}
	d := t.byName[c.Name]
	if d == nil || d.Type != List {
		verb := "APPEND"
		if c.Op == OpSubtract {
			verb = "SUBTRACT"
		}
		return textError("Can't " + verb + " to key " + c.Name + " because its type is not LIST.")
	}
	old, ok := s[c.Name]
	if !ok {
		old = d.Default
	}
	items := Items(old)
	for _, item := range Items(*c.Value) {
		if c.Op == OpSubtract {
			items = slices.DeleteFunc(items, func(o string) bool { return o == item })
		} else if !slices.Contains(items, item) {
			items = append(items, item)
		}
	}
	s[c.Name] = strings.Join(items, ",")
	return nil
}

// Check holds a topic's own configs against their rules, and puts values into the form that is kept.
//
// Errors: *ValueError and others whose text is for the client; all are INVALID_CONFIG.
func (s Set) Check() error {
	if len(s) > MaxConfigs {
		return textError("Too many configs.")
	}
	for _, name := range s.names() {
		d := FindTopic(name)
		if d == nil {
			return textError("Unknown topic config name: " + name)
		}
		kept, err := d.Check(s[name])
		if err != nil {
			return err
		}
		s[name] = kept
	}
	if s["remote.storage.enable"] == "true" {
		return textError("Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")
	}
	shortest, longest := s.long("min.compaction.lag.ms"), s.long("max.compaction.lag.ms")
	if shortest > longest {
		return textError("conflict topic config setting min.compaction.lag.ms (" + s["min.compaction.lag.ms"] +
			") > max.compaction.lag.ms (" + s["max.compaction.lag.ms"] + ")")
	}
	return nil
}

// AlterBroker returns what changes make of the configs set for one broker (id true) or for all of them; s is not
// changed. Names that are not in the table are kept, as Kafka keeps those of plugins.
//
// Errors: *RequestError.
func (s Set) AlterBroker(changes []Change, id bool) (Set, error) {
	if err := checkChanges(changes); err != nil {
		return nil, err
	}
	altered := s.Clone()
	for _, c := range changes {
		if err := altered.apply(c, brokerConfigs); err != nil {
			return nil, refuse(err.Error())
		}
		if err := altered.checkBroker(c.Name, id); err != nil {
			return nil, err
		}
	}
	if len(altered) > MaxConfigs {
		return nil, refuse("Too many configs.")
	}
	return altered, nil
}

// checkBroker holds one config that is changed against what may be changed while the broker runs.
func (s Set) checkBroker(name string, id bool) error {
	d := FindBroker(name)
	switch {
	case d == nil:
		return nil
	case d.Dynamic == Fixed:
		return refuse("Cannot update these configs dynamically: [" + name + "]")
	case strings.HasPrefix(name, "ssl."):
		return refuse("These security configs can be dynamically updated only per-listener using the listener prefix: [" + name + "]")
	case d.Dynamic == PerBroker && !id:
		return refuse("Cannot update these configs at default cluster level, broker id must be specified: [" + name + "]")
	}
	value, ok := s[name]
	if !ok {
		return nil
	}
	kept, err := d.Check(value)
	if err != nil {
		return refuse(err.Error())
	}
	s[name] = kept
	return nil
}
