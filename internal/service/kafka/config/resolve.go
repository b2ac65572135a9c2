package config

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"millrace/internal/core/store"
)

// Source says where a value comes from, with the number that DescribeConfigs uses.
type Source int8

// The sources.
const (
	SourceTopic         Source = 1
	SourceBroker        Source = 2 // set for one broker
	SourceDefaultBroker Source = 3 // set for all brokers
	SourceStatic        Source = 4 // given at the start
	SourceDefault       Source = 5
)

// Broker is what holds on a broker, in order of precedence. It does not change once it is in use.
type Broker struct {
	Own     Set // set for this broker
	Cluster Set // set for all brokers
	Static  Set // given at the start
}

// CheckStatic holds what was given at the start against the rules, and puts values into the form that is kept.
//
// Errors: *ValueError, an error that names a config that is not in the table.
func CheckStatic(s Set) error {
	for _, name := range s.names() {
		d := FindBroker(name)
		if d == nil {
			return fmt.Errorf("unknown broker config name: %s", name)
		}
		kept, err := d.Check(s[name])
		if err != nil {
			return err
		}
		s[name] = kept
	}
	return nil
}

// Synonym is a name that a value was looked for under, and the value found there; nil is null.
type Synonym struct {
	Name   string
	Value  *string
	Source Source
}

// values are all values of a broker's config, the one in force first; none when it has no value at all.
func (b *Broker) values(d *Def) []Synonym {
	var found []Synonym
	for _, place := range []struct {
		set    Set
		source Source
	}{{b.Own, SourceBroker}, {b.Cluster, SourceDefaultBroker}, {b.Static, SourceStatic}} {
		if v, ok := place.set[d.Name]; ok {
			found = append(found, Synonym{d.Name, &v, place.source})
		}
	}
	if !d.Null {
		found = append(found, Synonym{d.Name, &d.Default, SourceDefault})
	}
	return found
}

// synonyms are all values of a broker's config and then those of the same in larger units, which Kafka tells only when
// the config itself has a value.
func (b *Broker) synonyms(d *Def) []Synonym {
	found := b.values(d)
	if len(found) == 0 {
		return nil
	}
	for _, l := range longer[d.Name] {
		found = append(found, b.values(FindBroker(l.name))...)
	}
	return found
}

// Value is a broker's config in force; false when it is not in the table or null.
func (b *Broker) Value(name string) (string, bool) {
	d := FindBroker(name)
	if d == nil {
		return "", false
	}
	if found := b.values(d); len(found) > 0 {
		return *found[0].Value, true
	}
	return "", false
}

// Int is a broker's config in force as a number, 0 when it has none.
func (b *Broker) Int(name string) int64 {
	v, _ := b.Value(name)
	n, _ := strconv.ParseInt(v, 10, 64)
	return n
}

// Bool is a broker's config in force as a flag.
func (b *Broker) Bool(name string) bool {
	v, _ := b.Value(name)
	return v == "true"
}

// longer are the configs in larger units that a broker's config in milliseconds goes before.
var longer = map[string][]struct {
	name   string
	millis int64
}{
	"log.retention.ms":   {{"log.retention.minutes", 60_000}, {"log.retention.hours", 3_600_000}},
	"log.roll.ms":        {{"log.roll.hours", 3_600_000}},
	"log.roll.jitter.ms": {{"log.roll.jitter.hours", 3_600_000}},
}

// fallback is the value that a topic's config has when neither it nor its synonym is set: that of a config in a
// larger unit, or Kafka's default.
func (b *Broker) fallback(d *Def) (value string, source Source) {
	for _, l := range longer[d.Synonym] {
		found := b.values(FindBroker(l.name))
		if len(found) == 0 {
			continue
		}
		n, _ := strconv.ParseInt(*found[0].Value, 10, 64)
		if n >= 0 {
			n *= l.millis
		}
		return strconv.FormatInt(n, 10), found[0].Source
	}
	return d.Default, SourceDefault
}

// resolved is a topic's config in force, with the values it goes before.
func (b *Broker) resolved(d *Def, own Set) (value string, source Source, synonyms []Synonym) {
	if v, ok := own[d.Name]; ok {
		synonyms = append(synonyms, Synonym{d.Name, &v, SourceTopic})
	}
	if d.Synonym != "" {
		synonyms = append(synonyms, b.synonyms(FindBroker(d.Synonym))...)
	}
	if len(synonyms) > 0 {
		return *synonyms[0].Value, synonyms[0].Source, synonyms
	}
	value, source = b.fallback(d)
	return value, source, nil
}

// Topic is what is in force for a topic. Times are ms; -1 is without end in Retention.
type Topic struct {
	Delete, Compact bool // cleanup.policy

	RetentionMillis, RetentionBytes int64

	MaxMessageBytes       int
	LogAppendTime         bool
	TimestampBeforeMillis int64 // a record may be older by so much than the broker's time
	TimestampAfterMillis  int64 // or newer

	DeleteRetentionMillis  int64
	MinCompactionLagMillis int64
	MaxCompactionLagMillis int64
	MinCleanableDirtyRatio float64
	SegmentMillis          int64
	SegmentBytes           int64

	Reroute bool // kinesis.produce
}

// Topic resolves a topic's own configs.
func (b *Broker) Topic(own Set) Topic {
	value := func(name string) string {
		v, _, _ := b.resolved(FindTopic(name), own)
		return v
	}
	long := func(name string) int64 { return parseLong(value(name)) }
	policy := Items(value("cleanup.policy"))
	ratio, _ := strconv.ParseFloat(value("min.cleanable.dirty.ratio"), 64)
	return Topic{
		Delete: slices.Contains(policy, "delete"), Compact: slices.Contains(policy, "compact"),
		RetentionMillis: long("retention.ms"), RetentionBytes: long("retention.bytes"),
		MaxMessageBytes:       int(long("max.message.bytes")),
		LogAppendTime:         value("message.timestamp.type") == "LogAppendTime",
		TimestampBeforeMillis: long("message.timestamp.before.max.ms"),
		TimestampAfterMillis:  long("message.timestamp.after.max.ms"),

		DeleteRetentionMillis:  long("delete.retention.ms"),
		MinCompactionLagMillis: long("min.compaction.lag.ms"),
		MaxCompactionLagMillis: long("max.compaction.lag.ms"),
		MinCleanableDirtyRatio: ratio,
		SegmentMillis:          long("segment.ms"),
		SegmentBytes:           long("segment.bytes"),

		Reroute: value("kinesis.produce") == "reroute",
	}
}

// Retention is what the store may trim of a topic by itself: nothing unless its policy is to delete.
//
// The store's zero means no limit. Kafka's zero means that everything may go at once: it becomes the smallest limit.
func (t *Topic) Retention() store.Retention {
	if !t.Delete {
		return store.Retention{}
	}
	limit := func(n int64) int64 {
		if n < 0 {
			return 0
		}
		return max(n, 1)
	}
	return store.Retention{Millis: limit(t.RetentionMillis), Bytes: limit(t.RetentionBytes)}
}

// Compaction is how the store compacts the topic's partitions. Segments are what of a log is not looked at yet: here it is
// what is not moved out of the journal.
func (t *Topic) Compaction() store.Compaction {
	if !t.Compact {
		return store.Compaction{}
	}
	limit := func(n int64) int64 {
		if n == math.MaxInt64 {
			return 0
		}
		return n
	}
	return store.Compaction{
		Enabled:      true,
		DeleteMillis: t.DeleteRetentionMillis,
		MinLagMillis: t.MinCompactionLagMillis,
		MaxLagMillis: limit(t.MaxCompactionLagMillis),
		DirtyMin:     int64(t.MinCleanableDirtyRatio * 1e6),
		RollMillis:   t.SegmentMillis,
		RollBytes:    t.SegmentBytes,
	}
}

// names are the names in the set, in order.
func (s Set) names() []string { return slices.Sorted(maps.Keys(s)) }

// long is a topic's own config as a number, its default when it is not set.
func (s Set) long(name string) int64 {
	if v, ok := s[name]; ok {
		return parseLong(v)
	}
	return parseLong(FindTopic(name).Default)
}

func parseLong(v string) int64 {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	return n
}
