package kinesis

import (
	"strconv"
	"strings"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
)

// consumer is one registered consumer of a stream. Its states end by themselves: what it is at a time
// follows from what is kept, so nobody has to move it on.
type consumer struct {
	name    string
	created int64 // ms since 1970, store time
	state   catalog.State
	due     int64 // when the state ends, ms since 1970; 0: it does not
	tags    []tag
}

// at is the consumer as it is at now (ms); false when it is gone.
func (c *consumer) at(now int64) (consumer, bool) {
	is := *c
	if c.due == 0 || now < c.due {
		return is, true
	}
	if c.state == catalog.StateDeleting {
		return is, false
	}
	is.state, is.due = catalog.StateActive, 0
	return is, true
}

// arn is unique among all consumers that a stream ever had: the second of its creation is in it.
func (c *consumer) arn(p place) string {
	return p.arn() + "/consumer/" + c.name + ":" + strconv.FormatInt(c.created/1000, 10)
}

func (c *consumer) answer(p place) kinesisapi.Consumer {
	return kinesisapi.Consumer{
		ConsumerName: c.name, ConsumerARN: c.arn(p), ConsumerStatus: kinesisapi.ConsumerStatus(c.state.String()),
		ConsumerCreationTimestamp: time.Unix(c.created/1000, 0).UTC(),
	}
}

// consumerName is what a request means by a consumer: the name in a stream and, if it gave an ARN, the
// second of its creation.
type consumerName struct {
	place  place
	name   string
	second int64 // -1: any
	text   string
}

// parseConsumerARN reads arn:PARTITION:kinesis:REGION:ACCOUNT:stream/NAME/consumer/NAME:SECOND.
func parseConsumerARN(arn string) (consumerName, bool) {
	stream, rest, ok := strings.Cut(arn, "/consumer/")
	at, known := parseARN(stream)
	name, second, dated := strings.Cut(rest, ":")
	n, err := strconv.ParseInt(second, 10, 64)
	if !ok || !known || !dated || err != nil || n < 0 || name == "" || len(name) > 128 || strings.Contains(name, "/") {
		return consumerName{}, false
	}
	return consumerName{at, name, n, arn}, true
}

// addressConsumer finds what a request means: a consumer's ARN, a name in the stream of an ARN, or both if
// they agree.
func addressConsumer(call *api.Call, streamARN, name, arn *string) (consumerName, error) {
	if arn == nil {
		if streamARN == nil || name == nil {
			return consumerName{}, errNoConsumerName()
		}
		p, err := address(call, nil, streamARN)
		return consumerName{p, *name, -1, *name}, err
	}
	n, ok := parseConsumerARN(*arn)
	switch {
	case !ok:
		return n, errBadConsumerARN(*arn)
	case streamARN != nil && *streamARN != n.place.arn(), name != nil && *name != n.name:
		return n, errTwoConsumers()
	case n.place.account != call.Account || n.place.region != call.Region:
		return n, errNoConsumer(n)
	}
	return n, nil
}

// Texts of errors. Unless it says so no record of AWS's was found and they are our own.

func errNoConsumerName() error {
	return kinesisapi.InvalidArgumentException("Either ConsumerARN, or StreamARN and ConsumerName must be provided.")
}

func errBadConsumerARN(arn string) error {
	return kinesisapi.InvalidArgumentException("ConsumerARN " + arn + " is not the ARN of a consumer.")
}

func errTwoConsumers() error {
	return kinesisapi.InvalidArgumentException("ConsumerARN, StreamARN and ConsumerName do not name the same consumer.")
}

func errNoConsumer(n consumerName) error {
	return kinesisapi.ResourceNotFoundException("Consumer " + n.text + " under stream " + n.place.stream + " under account " + n.place.account + " not found.")
}

func errConsumerExists(p place, name string) error {
	return kinesisapi.ResourceInUseException("Consumer " + name + " under stream " + p.stream + " under account " + p.account + " already exists.")
}

func errConsumerLimit(p place, what string, limit int) error {
	return kinesisapi.LimitExceededException("This request would exceed the limit of " + strconv.Itoa(limit) + " " + what +
		" for the stream " + p.stream + " under account " + p.account + ".")
}

// errConsumerState is AWS's text.
//
// Source: awslabs/kinesis-hot-shard-advisor, issue 37 (read 2026-11).
func errConsumerState(p place, c *consumer) error {
	return kinesisapi.ResourceInUseException("Consumer " + c.name + " with creation timestamp " + strconv.FormatInt(c.created/1000, 10) +
		" under stream: " + p.stream + " , account " + p.account + " is not in ACTIVE status.")
}

// errHasConsumers is AWS's text.
//
// Source: cloud-custodian, issue 7260 (read 2026-11).
func errHasConsumers(p place) error {
	return kinesisapi.ResourceInUseException("DeleteStream can't delete " + p.arn() + " because there are consumers associated with this data stream. " +
		"To delete " + p.stream + " anyway, set the EnforceConsumerDeletion parameter to true to force the deletion of all the consumers that are associated with it.")
}
