package config

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"millrace/internal/core/store"
)

// Recorded from a broker of Apache Kafka 4.3.1 with CreateTopics (2026-11).
func TestValuesOfTopicConfigsAreTakenAndRefusedAsKafkaDoes(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"cleanup.policy", "bogus", "Invalid value bogus for configuration cleanup.policy: String must be one of: compact, delete"},
		{"cleanup.policy", "", ""},
		{"cleanup.policy", "compact,delete", ""},
		{"cleanup.policy", "delete,delete", ""},
		{"retention.ms", "abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG"},
		{"retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"},
		{"retention.ms", "", "Invalid value  for configuration retention.ms: Not a number of type LONG"},
		{"retention.ms", " 77 ", ""},
		{"retention.bytes", "-5", ""},
		{"segment.bytes", "5", "Invalid value 5 for configuration segment.bytes: Value must be at least 1048576"},
		{
			"compression.type", "foo",
			"Invalid value foo for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
		},
		{"compression.gzip.level", "11", "Invalid value 11 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"},
		{"compression.gzip.level", "-1", ""},
		{"compression.lz4.level", "0", "Invalid value 0 for configuration compression.lz4.level: Value must be at least 1"},
		{"compression.zstd.level", "23", "Invalid value 23 for configuration compression.zstd.level: Value must be no more than 22"},
		{"min.cleanable.dirty.ratio", "2", "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
		{"min.cleanable.dirty.ratio", "x", "Invalid value x for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE"},
		{"preallocate", "maybe", "Invalid value maybe for configuration preallocate: Expected value to be either true or false"},
		{"preallocate", " TRUE", ""},
		{"max.message.bytes", "99999999999", "Invalid value 99999999999 for configuration max.message.bytes: Not a number of type INT"},
		{
			"message.timestamp.type", "foo",
			"Invalid value foo for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime",
		},
		{
			"leader.replication.throttled.replicas", "abc",
			"Invalid value [abc] for configuration leader.replication.throttled.replicas: leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
		},
		{"leader.replication.throttled.replicas", "*", ""},
		{"leader.replication.throttled.replicas", "0:1, 1:1", ""},
		{"min.insync.replicas", "0", "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1"},
		{"max.compaction.lag.ms", "0", "Invalid value 0 for configuration max.compaction.lag.ms: Value must be at least 1"},
		{"local.retention.ms", "-3", "Invalid value -3 for configuration local.retention.ms: Value must be at least -2"},
		{"remote.storage.enable", "true", "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."},
		{"message.format.version", "2.8", "Unknown topic config name: message.format.version"},
	} {
		got := ""
		if err := (Set{c.name: c.value}).Check(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s=%q:\ngot  %q\nwant %q", c.name, c.value, got, c.want)
		}
	}
	err := Set{"min.compaction.lag.ms": "100", "max.compaction.lag.ms": "10"}.Check()
	if err == nil || err.Error() != "conflict topic config setting min.compaction.lag.ms (100) > max.compaction.lag.ms (10)" {
		t.Errorf("lags that conflict: got %v", err)
	}
}

func TestDefaultsKeepTheirOwnRules(t *testing.T) {
	for _, defs := range [][]Def{topicConfigs.defs, brokerConfigs.defs} {
		for _, d := range defs {
			if d.Doc == "" || d.Importance == "" {
				t.Errorf("%s has no document or no importance", d.Name)
			}
			if d.Null {
				continue
			}
			if kept, err := d.Check(d.Default); err != nil || kept != d.Default {
				t.Errorf("%s: default %q is kept as %q, %v", d.Name, d.Default, kept, err)
			}
		}
	}
	for _, d := range topicConfigs.defs {
		if d.Synonym != "" && FindBroker(d.Synonym) == nil {
			t.Errorf("%s has a synonym that is no broker config: %s", d.Name, d.Synonym)
		}
	}
}

func TestIncrementalChangesOfATopic(t *testing.T) {
	set := func(name, value string) Change { return Change{name, OpSet, &value} }
	list := func(op Op, name, value string) Change { return Change{name, op, &value} }
	for _, c := range []struct {
		what    string
		before  Set
		changes []Change
		want    Set
		refused string
	}{
		{what: "set", changes: []Change{set("retention.ms", " 1000 ")}, want: Set{"retention.ms": "1000"}},
		{what: "delete", before: Set{"retention.ms": "1"}, changes: []Change{{"retention.ms", OpDelete, nil}}, want: Set{}},
		{what: "delete of what is not set", changes: []Change{{"nope", OpDelete, nil}}, want: Set{}},
		{what: "append to the default", changes: []Change{list(OpAppend, "cleanup.policy", "compact")}, want: Set{"cleanup.policy": "delete,compact"}},
		{
			what: "append what is there", before: Set{"cleanup.policy": "compact"}, changes: []Change{list(OpAppend, "cleanup.policy", "compact")},
			want: Set{"cleanup.policy": "compact"},
		},
		{
			what: "subtract", before: Set{"cleanup.policy": "compact,delete"}, changes: []Change{list(OpSubtract, "cleanup.policy", "compact")},
			want: Set{"cleanup.policy": "delete"},
		},
		{what: "subtract the last", before: Set{"cleanup.policy": "delete"}, changes: []Change{list(OpSubtract, "cleanup.policy", "delete")}, want: Set{"cleanup.policy": ""}},
		{what: "append to a number", changes: []Change{list(OpAppend, "retention.ms", "1")}, refused: "Can't APPEND to key retention.ms because its type is not LIST."},
		{what: "append to nothing", changes: []Change{list(OpAppend, "nope", "1")}, refused: "Can't APPEND to key nope because its type is not LIST."},
		{what: "append what is not allowed", changes: []Change{list(OpAppend, "cleanup.policy", "bogus")}, refused: "Invalid value bogus for configuration cleanup.policy: String must be one of: compact, delete"},
		{what: "unknown", changes: []Change{set("nope", "1")}, refused: "Unknown topic config name: nope"},
		{what: "null", changes: []Change{{"retention.ms", OpSet, nil}}, refused: "Null value not supported for : retention.ms"},
		{what: "twice", changes: []Change{set("retention.ms", "1"), set("retention.ms", "2")}, refused: "Error due to duplicate config keys"},
	} {
		before := c.before.Clone()
		got, err := c.before.Alter(c.changes)
		if !c.before.Clone().Equal(before) {
			t.Errorf("%s: the set was changed to %v", c.what, c.before)
		}
		switch {
		case c.refused != "" && (err == nil || err.Error() != c.refused):
			t.Errorf("%s: got error %v, want %q", c.what, err, c.refused)
		case c.refused == "" && (err != nil || !got.Equal(c.want)):
			t.Errorf("%s: got %v, %v, want %v", c.what, got, err, c.want)
		}
	}
}

func TestBrokerConfigsAreChangedWhereKafkaAllowsIt(t *testing.T) {
	for _, c := range []struct {
		name, value string
		id          bool
		refused     string
	}{
		{"log.retention.ms", "1000000", false, ""},
		{"log.cleaner.threads", "2", true, ""},
		{"some.plugin.config", "2", true, ""},
		{"num.partitions", "3", true, "Cannot update these configs dynamically: [num.partitions]"},
		{"num.io.threads", "abc", false, "Invalid value abc for configuration num.io.threads: Not a number of type INT"},
		{"message.max.bytes", "-1", true, "Invalid value -1 for configuration message.max.bytes: Value must be at least 0"},
		{"listeners", "PLAINTEXT://:1", false, "Cannot update these configs at default cluster level, broker id must be specified: [listeners]"},
		{"ssl.keystore.password", "secret", true, "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.password]"},
	} {
		got, err := Set(nil).AlterBroker([]Change{{c.name, OpSet, &c.value}}, c.id)
		var request *RequestError
		switch {
		case c.refused == "" && (err != nil || got[c.name] != c.value):
			t.Errorf("%s=%s: got %v, %v", c.name, c.value, got, err)
		case c.refused != "" && (!errors.As(err, &request) || err.Error() != c.refused):
			t.Errorf("%s=%s: got error %v, want %q", c.name, c.value, err, c.refused)
		}
	}
}

// told is how an entry is shown in these tests: value, source, synonyms.
func told(entries []Entry, name string) string {
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return "absent"
	}
	text := func(v *string) string {
		if v == nil {
			return "null"
		}
		return *v
	}
	parts := []string{text(entries[i].Value), string('0' + rune(entries[i].Source))}
	for _, s := range entries[i].Synonyms {
		parts = append(parts, s.Name+"="+text(s.Value)+"@"+string('0'+rune(s.Source)))
	}
	return strings.Join(parts, " ")
}

func TestValuesAreToldWithSourceAndSynonyms(t *testing.T) {
	b := &Broker{
		Own:     Set{"message.max.bytes": "2000000", "plugin": "x"},
		Cluster: Set{"log.retention.ms": "1000000"},
		Static:  Set{"num.partitions": "3", "ssl.keystore.password": "secret"},
	}
	topic := b.DescribeTopic(Set{"cleanup.policy": "compact"}, true)
	if len(topic) != len(topicConfigs.defs) {
		t.Errorf("a topic has %d configs, want %d", len(topic), len(topicConfigs.defs))
	}
	for name, want := range map[string]string{
		"cleanup.policy":                          "compact 1 cleanup.policy=compact@1 log.cleanup.policy=delete@5",
		"retention.ms":                            "1000000 3 log.retention.ms=1000000@3 log.retention.hours=168@5",
		"max.message.bytes":                       "2000000 2 message.max.bytes=2000000@2 message.max.bytes=1048588@5",
		"segment.ms":                              "604800000 5",
		"min.cleanable.dirty.ratio":               "0.5 5 log.cleaner.min.cleanable.ratio=0.5@5",
		"follower.replication.throttled.replicas": " 5",
	} {
		if got := told(topic, name); got != want {
			t.Errorf("topic %s:\ngot  %s\nwant %s", name, got, want)
		}
	}
	broker := b.DescribeBroker()
	for name, want := range map[string]string{
		"num.partitions":        "3 4 num.partitions=3@4 num.partitions=1@5",
		"log.retention.ms":      "1000000 3 log.retention.ms=1000000@3 log.retention.hours=168@5",
		"log.roll.ms":           "null 5",
		"ssl.keystore.password": "null 4 ssl.keystore.password=null@4",
		"plugin":                "null 2 plugin=null@2",
	} {
		if got := told(broker, name); got != want {
			t.Errorf("broker %s:\ngot  %s\nwant %s", name, got, want)
		}
	}
	cluster := b.DescribeCluster()
	if got := told(cluster, "log.retention.ms"); len(cluster) != 1 || got != "1000000 3 log.retention.ms=1000000@3" {
		t.Errorf("what is set for all: got %d configs, %s", len(cluster), got)
	}
}

func TestWhatIsInForceForATopic(t *testing.T) {
	none := &Broker{}
	got := none.Topic(nil)
	want := Topic{
		Delete: true, RetentionMillis: 604800000, RetentionBytes: -1, MaxMessageBytes: 1048588,
		TimestampBeforeMillis: 1<<63 - 1, TimestampAfterMillis: 3600000,
		DeleteRetentionMillis: 86400000, MaxCompactionLagMillis: 1<<63 - 1, MinCleanableDirtyRatio: 0.5,
		SegmentMillis: 604800000, SegmentBytes: 1 << 30,
	}
	if got != want {
		t.Errorf("defaults:\ngot  %+v\nwant %+v", got, want)
	}
	for _, c := range []struct {
		broker Broker
		own    Set
		want   store.Retention
	}{
		{Broker{}, nil, store.Retention{Millis: 604800000}},
		{Broker{}, Set{"retention.ms": "-1"}, store.Retention{}},
		{Broker{}, Set{"retention.ms": "0", "retention.bytes": "5"}, store.Retention{Millis: 1, Bytes: 5}},
		{Broker{}, Set{"cleanup.policy": "compact", "retention.ms": "5"}, store.Retention{}},
		{Broker{}, Set{"cleanup.policy": "compact,delete", "retention.ms": "5"}, store.Retention{Millis: 5}},
		{Broker{Static: Set{"log.retention.hours": "2"}}, nil, store.Retention{Millis: 7200000}},
		{Broker{Static: Set{"log.retention.hours": "-1"}}, nil, store.Retention{}},
		{Broker{Static: Set{"log.retention.hours": "2", "log.retention.minutes": "3"}}, nil, store.Retention{Millis: 180000}},
		{Broker{Static: Set{"log.retention.hours": "2"}, Cluster: Set{"log.retention.ms": "7"}}, nil, store.Retention{Millis: 7}},
	} {
		topic := c.broker.Topic(c.own)
		if got := topic.Retention(); got != c.want {
			t.Errorf("broker %v, topic %v: got retention %+v, want %+v", c.broker, c.own, got, c.want)
		}
	}
}

func TestSetsAreStoredAndReadBack(t *testing.T) {
	for _, s := range []Set{{}, {"a": ""}, {"retention.ms": "5", "cleanup.policy": "compact,delete"}, {"long": strings.Repeat("v", MaxValue)}} {
		b := s.AppendTo(nil)
		got, err := DecodeSet(b)
		if err != nil || !got.Equal(s) {
			t.Errorf("%.80v: read back %.80v, %v", s, got, err)
		}
		for n := range min(len(b), 40) {
			if got, err := DecodeSet(b[:n]); !errors.Is(err, ErrSet) {
				t.Errorf("the first %d bytes of %x: got %v, %v", n, b[:min(len(b), 40)], got, err)
			}
		}
	}
	want := "\x01\x00\x01\x00\x01a\x00\x02bc"
	if got := string(Set{"a": "bc"}.AppendTo(nil)); got != want {
		t.Errorf("stored form: got %q, want %q", got, want)
	}
}

func TestSetsStateTheirFailures(t *testing.T) {
	for _, b := range []string{"", "\x02\x00\x00", "\x01\x00\x00x", "\x01\xff\xff", "\x01\x00\x02\x00\x01b\x00\x00\x00\x01a\x00\x00"} {
		if s, err := DecodeSet([]byte(b)); !errors.Is(err, ErrSet) {
			t.Errorf("%q: got %v, %v", b, s, err)
		}
	}
}

func TestStaticConfigsMustBeKnown(t *testing.T) {
	s := Set{"num.partitions": " 4 "}
	if err := CheckStatic(s); err != nil || s["num.partitions"] != "4" {
		t.Errorf("got %v, %v", s, err)
	}
	for _, s := range []Set{{"nope": "1"}, {"num.partitions": "0"}} {
		if err := CheckStatic(s); err == nil {
			t.Errorf("%v was taken", s)
		}
	}
}

func FuzzDecodeSet(f *testing.F) {
	f.Add(Set{}.AppendTo(nil))
	f.Add(Set{"retention.ms": "5", "cleanup.policy": "compact"}.AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSet(b)
		if err != nil {
			return
		}
		if got := s.AppendTo(nil); string(got) != string(b) {
			t.Errorf("%x: written again as %x", b, got)
		}
	})
}
