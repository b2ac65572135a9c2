package kafka

import (
	"errors"
	"strings"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// refusal is a request, or a part of one, that is answered with a code and a text for the client.
type refusal struct {
	code kafkaapi.Code
	text string
}

func (r *refusal) Error() string { return r.text }

func refuse(code kafkaapi.Code, text string) error { return &refusal{code, text} }

// explain is the code of an error and the text that goes with it.
func (b *Broker) explain(doing string, err error) (kafkaapi.Code, *string) {
	if err == nil {
		return kafkaapi.None, nil
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.code, &r.text
	}
	code := b.codeOf(doing, err)
	text := code.Message()
	return code, &text
}

// invalidName says what is wrong with a name for a topic by Kafka's rules; empty when nothing is.
//
// Source: texts of a broker of Apache Kafka 4.3.1 (recorded 2026-11).
func invalidName(name string) string {
	switch {
	case name == "":
		return "Topic name is invalid: the empty string is not allowed"
	case name == "." || name == "..":
		return "Topic name is invalid: '" + name + "' is not allowed"
	case len(name) > catalog.MaxName:
		return "Topic name is invalid: the length of '" + name + "' is longer than the max allowed length 249"
	}
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' {
			continue
		}
		return "Topic name is invalid: '" + name + "' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
	}
	return ""
}

// checkNewName refuses what no client may make: names against Kafka's rules, and those that stand for topics of
// others.
func checkNewName(name string) error {
	text := invalidName(name)
	switch {
	case text != "":
	case strings.HasPrefix(name, catalog.ReservedPrefix):
		text = "Topic name is invalid: '" + name + "' begins with '" + catalog.ReservedPrefix + "', which is reserved for streams of tables"
	case catalog.Qualified(name):
		text = "Topic name is invalid: '" + name + "' has the form account.region.name, which stands for a stream made by Kinesis"
	default:
		return nil
	}
	return refuse(kafkaapi.InvalidTopicException, text)
}

// alike is the name under which a name collides with others: metrics of Kafka do not tell "." and "_" apart.
func alike(name string) string { return strings.ReplaceAll(name, ".", "_") }

// mayCollide tells whether a name is looked after: others collide with nothing but themselves.
func mayCollide(name string) bool { return strings.ContainsAny(name, "._") }

// checkCollision refuses a name that differs from that of a topic made by Kafka only in "." and "_".
//
// Errors: *refusal, those of the store.
func (b *Broker) checkCollision(tx store.ReadTx, name string) error {
	if !mayCollide(name) {
		return nil
	}
	num, ok, err := getNumber(tx, configKey(kindAlike, alike(name)))
	if err != nil || !ok {
		return err
	}
	t, err := b.topics.cat.Get(tx, num)
	switch {
	case errors.Is(err, catalog.ErrNotFound): // Kinesis has deleted it
		return nil
	case err != nil:
		return err
	case t.Kafka == name:
		return refuse(kafkaapi.TopicAlreadyExists, "Topic '"+name+"' already exists.")
	}
	return refuse(kafkaapi.InvalidTopicException, "Topic '"+name+"' collides with existing topic: "+t.Kafka)
}
