package kafka

import (
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// alterOne changes one config and returns the refusal, empty when there is none.
func alterOne(t *testing.T, b *Broker, kind int8, name string, op int8, key, value string) string {
	t.Helper()
	c := kafkaapi.IncrementalAlterConfigsRequestAlterableConfig{Name: key, ConfigOperation: op, Value: &value}
	if op == 1 {
		c.Value = nil
	}
	r := ask[*kafkaapi.IncrementalAlterConfigsResponse](t, b, 1, &kafkaapi.IncrementalAlterConfigsRequest{
		Resources: []kafkaapi.IncrementalAlterConfigsRequestAlterConfigsResource{{
			ResourceType: kind, ResourceName: name, Configs: []kafkaapi.IncrementalAlterConfigsRequestAlterableConfig{c},
		}},
	}).Responses[0]
	if r.ResourceType != kind || r.ResourceName != name {
		t.Errorf("%s: the answer is for %d %q", key, r.ResourceType, r.ResourceName)
	}
	return refused(r.ErrorCode, r.ErrorMessage)
}

// shown is a config as DescribeConfigs tells it: value and source; "absent" when it is not told.
func shown(t *testing.T, b *Broker, kind int8, name, key string) string {
	t.Helper()
	r := ask[*kafkaapi.DescribeConfigsResponse](t, b, 4, &kafkaapi.DescribeConfigsRequest{
		Resources:       []kafkaapi.DescribeConfigsRequestDescribeConfigsResource{{ResourceType: kind, ResourceName: name, ConfigurationKeys: []string{key}}},
		IncludeSynonyms: true,
	}).Results[0]
	if r.ErrorCode != kafkaapi.None {
		return refused(r.ErrorCode, r.ErrorMessage)
	}
	if len(r.Configs) == 0 {
		return "absent"
	}
	value := "null"
	if r.Configs[0].Value != nil {
		value = *r.Configs[0].Value
	}
	return value + " " + string('0'+rune(r.Configs[0].ConfigSource))
}

// retentionOf is what the store trims a topic's first partition by.
func retentionOf(t *testing.T, b *Broker, name string) store.Retention {
	t.Helper()
	topic, code := b.topic(t.Context(), name)
	if code != kafkaapi.None {
		t.Fatalf("%s: %s", name, code)
	}
	h, err := b.store.Head(t.Context(), topic.partitions[0].id)
	if err != nil {
		t.Fatal(err)
	}
	return h.Retention
}

// Texts recorded from a broker of Apache Kafka 4.3.1 (2026-11).
func TestConfigsAreAlteredAndRefusedAsKafkaDoes(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("def", 1))
	for _, c := range []struct {
		kind       int8
		name       string
		op         int8
		key, value string
		want       string
	}{
		{resourceTopic, "nosuch", 0, "retention.ms", "1", "UNKNOWN_TOPIC_OR_PARTITION: The topic 'nosuch' does not exist."},
		{resourceTopic, "def", 0, "retention.ms", "1000", ""},
		{resourceTopic, "def", 0, "retention.ms", "x", "INVALID_CONFIG: Invalid value x for configuration retention.ms: Not a number of type LONG"},
		{resourceTopic, "def", 2, "retention.ms", "1", "INVALID_CONFIG: Can't APPEND to key retention.ms because its type is not LIST."},
		{resourceTopic, "def", 2, "cleanup.policy", "compact", ""},
		{resourceTopic, "def", 1, "nope", "", ""},
		{resourceTopic, "", 0, "retention.ms", "1", "INVALID_REQUEST: Default topic resources are not allowed."},
		{resourceTopic, "bad name", 0, "retention.ms", "1", "INVALID_TOPIC_EXCEPTION: Topic name is invalid: 'bad name' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"},
		{resourceBroker, "0", 0, "num.partitions", "3", "INVALID_REQUEST: Cannot update these configs dynamically: [num.partitions]"},
		{resourceBroker, "", 0, "log.cleaner.threads", "2", ""},
		{resourceBroker, "7", 0, "log.cleaner.threads", "2", "INVALID_REQUEST: Unexpected broker id, expected 0 or empty string, but received 7"},
		{resourceBroker, "x", 0, "log.cleaner.threads", "2", "INVALID_REQUEST: Broker id must be an integer, but it is: x"},
		{resourceGroup, "g", 0, "consumer.session.timeout.ms", "1", "INVALID_REQUEST: Configs of groups are not served here."},
		{99, "g", 0, "x", "1", "INVALID_REQUEST: Unknown resource type 99"},
	} {
		if got := alterOne(t, b, c.kind, c.name, c.op, c.key, c.value); got != c.want {
			t.Errorf("%d %q, operation %d of %s=%s:\ngot  %s\nwant %s", c.kind, c.name, c.op, c.key, c.value, got, c.want)
		}
	}
	for key, want := range map[string]string{"retention.ms": "1000 1", "cleanup.policy": "delete,compact 1", "segment.ms": "604800000 5", "nope": "absent"} {
		if got := shown(t, b, resourceTopic, "def", key); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
	if got := shown(t, b, resourceTopic, "nosuch", "retention.ms"); got != "UNKNOWN_TOPIC_OR_PARTITION: " {
		t.Errorf("of a topic that does not exist: got %s", got)
	}
}

func TestRetentionFollowsTheConfigsOfTopicAndBroker(t *testing.T) {
	s := storetest.NewModel()
	b := open(t, s)
	mustCreate(t, b, topicOf("plain", 2), topicOf("own", 1, "retention.ms", "5000"), topicOf("kept", 1, "cleanup.policy", "compact"))
	check := func(when string, plain, own, kept store.Retention) {
		t.Helper()
		for name, want := range map[string]store.Retention{"plain": plain, "own": own, "kept": kept} {
			if got := retentionOf(t, b, name); got != want {
				t.Errorf("%s: %s has %+v, want %+v", when, name, got, want)
			}
		}
	}
	week, five := store.Retention{Millis: 604800000}, store.Retention{Millis: 5000}
	check("by default", week, five, store.Retention{})
	if got := alterOne(t, b, resourceBroker, "", 0, "log.retention.ms", "9000"); got != "" {
		t.Fatal(got)
	}
	check("after the broker's was set", store.Retention{Millis: 9000}, five, store.Retention{})
	if got := shown(t, b, resourceTopic, "plain", "retention.ms"); got != "9000 3" {
		t.Errorf("retention.ms: got %s, want 9000 of all brokers", got)
	}
	for _, c := range [][2]string{{"retention.bytes", "77"}, {"retention.ms", "-1"}} {
		if got := alterOne(t, b, resourceTopic, "own", 0, c[0], c[1]); got != "" {
			t.Fatal(got)
		}
	}
	check("after the topic's was set", store.Retention{Millis: 9000}, store.Retention{Bytes: 77}, store.Retention{})
	if got := alterOne(t, b, resourceTopic, "kept", 0, "cleanup.policy", "compact,delete"); got != "" {
		t.Fatal(got)
	}
	check("after one deletes too", store.Retention{Millis: 9000}, store.Retention{Bytes: 77}, store.Retention{Millis: 9000})

	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if b, err = New(Options{Store: s, Configs: map[string]string{"log.retention.bytes": "123"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	check("after a start with another", store.Retention{Millis: 9000, Bytes: 123}, store.Retention{Bytes: 77}, store.Retention{Millis: 9000, Bytes: 123})
	if got := shown(t, b, resourceTopic, "plain", "retention.bytes"); got != "123 4" {
		t.Errorf("retention.bytes: got %s, want 123 of the start", got)
	}
}

func TestRetentionThatKinesisHasSetIsShownAndKept(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("t", 1))
	topic, _ := b.topic(t.Context(), "t")
	if _, err := b.store.Update(t.Context(), func(tx store.Tx) error {
		c, err := b.topics.cat.Get(tx, topic.num)
		if err != nil {
			return err
		}
		if err := tx.SetRetention(topic.partitions[0].id, store.Retention{Millis: 3_600_000}); err != nil {
			return err
		}
		return b.topics.cat.Save(tx, c)
	}); err != nil {
		t.Fatal(err)
	}
	if got := shown(t, b, resourceTopic, "t", "retention.ms"); got != "3600000 1" {
		t.Errorf("got %s, want what is stored", got)
	}
	for _, c := range []struct {
		kind            int8
		name, key, text string
	}{{resourceTopic, "t", "max.message.bytes", "50"}, {resourceBroker, "", "log.retention.ms", "9000"}} {
		if got := alterOne(t, b, c.kind, c.name, 0, c.key, c.text); got != "" {
			t.Fatal(got)
		}
	}
	if got := retentionOf(t, b, "t"); got != (store.Retention{Millis: 3_600_000}) {
		t.Errorf("after changes of others: %+v", got)
	}
	if got := alterOne(t, b, resourceTopic, "t", 1, "retention.ms", ""); got != "" {
		t.Fatal(got)
	}
	if got := retentionOf(t, b, "t"); got != (store.Retention{Millis: 9000}) {
		t.Errorf("after it was no longer set: %+v, want the broker's", got)
	}
}

func TestConfigsSurviveARestartAndSecretsAreHidden(t *testing.T) {
	s := storetest.NewModel()
	b := open(t, s)
	for _, c := range []struct{ name, key, value string }{{"0", "message.max.bytes", "2000000"}, {"", "plugin.password", "secret"}} {
		if got := alterOne(t, b, resourceBroker, c.name, 0, c.key, c.value); got != "" {
			t.Fatal(got)
		}
	}
	mustCreate(t, b, topicOf("t", 1))
	again := open(t, s)
	for _, c := range []struct {
		kind            int8
		name, key, want string
	}{
		{resourceBroker, "0", "message.max.bytes", "2000000 2"},
		{resourceBroker, "0", "plugin.password", "null 3"},
		{resourceBroker, "", "plugin.password", "null 3"},
		{resourceBroker, "", "message.max.bytes", "absent"},
		{resourceTopic, "t", "max.message.bytes", "2000000 2"},
		{resourceBroker, "0", "num.partitions", "1 5"},
	} {
		if got := shown(t, again, c.kind, c.name, c.key); got != c.want {
			t.Errorf("%d %q %s: got %s, want %s", c.kind, c.name, c.key, got, c.want)
		}
	}
}

func TestAlterConfigsReplacesWhatIsSet(t *testing.T) {
	b := open(t, storetest.NewModel())
	mustCreate(t, b, topicOf("t", 1, "retention.ms", "1000", "max.message.bytes", "50"))
	value := "70"
	in := []kafkaapi.AlterConfigsRequestAlterConfigsResource{{
		ResourceType: resourceTopic, ResourceName: "t", Configs: []kafkaapi.AlterConfigsRequestAlterableConfig{{Name: "max.message.bytes", Value: &value}},
	}}
	for _, validate := range []bool{true, false} {
		r := ask[*kafkaapi.AlterConfigsResponse](t, b, 2, &kafkaapi.AlterConfigsRequest{Resources: in, ValidateOnly: validate}).Responses[0]
		if r.ErrorCode != kafkaapi.None {
			t.Fatalf("only validated %v: %s", validate, refused(r.ErrorCode, r.ErrorMessage))
		}
		want := map[bool][2]string{true: {"1000 1", "50 1"}, false: {"604800000 5", "70 1"}}[validate]
		if got := [2]string{shown(t, b, resourceTopic, "t", "retention.ms"), shown(t, b, resourceTopic, "t", "max.message.bytes")}; got != want {
			t.Errorf("only validated %v: got %q, want %q", validate, got, want)
		}
	}
	r := ask[*kafkaapi.AlterConfigsResponse](t, b, 2, &kafkaapi.AlterConfigsRequest{Resources: append(in, in...)})
	if r.Responses[0].ErrorCode != kafkaapi.InvalidRequest || r.Responses[1].ErrorCode != kafkaapi.InvalidRequest {
		t.Errorf("a resource twice: got %+v", r.Responses)
	}
}

func TestStartWithAConfigThatIsUnknownFails(t *testing.T) {
	for _, configs := range []map[string]string{{"no.such.config": "1"}, {"num.partitions": "none"}} {
		if b, err := New(Options{Store: storetest.NewModel(), Configs: configs}); err == nil {
			_ = b.Close()
			t.Errorf("%v was taken", configs)
		}
	}
}

func TestConfigsThatApacheKafkaDoesNotHaveAreShownOfStreams(t *testing.T) {
	s := storetest.NewModel()
	stream(t, s, catalog.DefaultAccount, "", "stream", 1)
	b := open(t, s)
	create(t, b, topicOf("topic", 1))
	want := func(topic, want string) {
		t.Helper()
		if got := shown(t, b, resourceTopic, topic, "kinesis.produce"); got != want {
			t.Errorf("%s: got %s, want %s", topic, got, want)
		}
	}
	want("topic", "absent")
	want("stream", "refuse 5")
	for _, topic := range []string{"topic", "stream"} {
		if got := alterOne(t, b, resourceTopic, topic, 0, "kinesis.produce", "reroute"); got != "" {
			t.Errorf("alter %s: %s", topic, got)
		}
		want(topic, "reroute 1")
	}
	text := "INVALID_CONFIG: Invalid value perhaps for configuration kinesis.produce: String must be one of: refuse, reroute"
	if got := alterOne(t, b, resourceTopic, "stream", 0, "kinesis.produce", "perhaps"); got != text {
		t.Errorf("got %s, want %s", got, text)
	}
	if got := alterOne(t, b, resourceTopic, "stream", 1, "kinesis.produce", ""); got != "" {
		t.Errorf("delete: %s", got)
	}
	want("stream", "refuse 5")
}
