package kafka

import (
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/produce"
	wire "millrace/internal/wire/kafka"
)

// Produce: one batch for each partition, answered when it is durable, whatever acks says; without an answer for acks=0.
//
// Behaviour
//   - partitions stand alone: one that fails does not fail the others
//   - a repeat of one of a producer's last five batches in a partition succeeds with its first offset
//   - topics that take nothing from Kafka (streams with a closed shard, views of tables) say why
//   - with kinesis.produce=reroute, records for a stream with a closed shard go to its open ones by the MD5 of their keys
//   - a stream of Kinesis keeps when Kafka has produced to it, so that on-demand scaling lets it be
//
// Errors: those of package produce; UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_TOPIC_EXCEPTION (internal
// topics), POLICY_VIOLATION; never UNKNOWN_SERVER_ERROR
// Source: ProduceRequest.json of Kafka 4.3.1; the rest in package produce
func (b *Broker) Produce(r *wire.ProduceRequest) {
	q := produce.NewRequest()
	q.Version, q.Acks, q.Timeout = r.Version(), r.Acks, time.Duration(r.TimeoutMs)*time.Millisecond
	q.TransactionalID, q.Transactional, q.Tag = r.TransactionalID, r.Transactional, r
	for i := range r.Topics {
		in := &r.Topics[i]
		t, code := b.dataTopic(q.Version >= 13, in.Name, in.ID)
		for j := range in.Partitions {
			part := q.Add()
			part.Index, part.Records, part.Code = in.Partitions[j].Index, in.Partitions[j].Records, code
			if code == kafkaapi.None {
				b.place(part, t)
			}
		}
	}
	b.producer.Produce(b.ctx, q, b.answerProduce)
}

// dataTopic finds a topic for Produce and Fetch.
func (b *Broker) dataTopic(byID bool, name string, id kafkaapi.UUID) (t *topic, code kafkaapi.Code) {
	if byID {
		t, code = b.topicByID(b.ctx, id)
	} else {
		t, code = b.topic(b.ctx, name)
	}
	switch code {
	case kafkaapi.None, kafkaapi.UnknownTopicOrPartition, kafkaapi.UnknownTopicID:
		return t, code
	default:
		return nil, kafkaapi.NotLeaderOrFollower // the client looks again
	}
}

// place says where a part belongs.
func (b *Broker) place(part *produce.Part, t *topic) {
	p, ok := t.partition(part.Index)
	if !ok {
		part.Code = kafkaapi.UnknownTopicOrPartition
		b.refresh(t) // it may be a new one
		return
	}
	part.Topic, part.Partition, part.Rules = t.name, p.id, b.rulesOf(t)
}

// rulesOf is what a topic asks of batches.
func (b *Broker) rulesOf(t *topic) *produce.Rules {
	if rules := t.rules.Load(); rules != nil {
		return rules
	}
	rules := &produce.Rules{
		MaxMessageBytes: t.config.MaxMessageBytes,
		LogAppendTime:   t.config.LogAppendTime,
		DataKey:         t.dataKey,
		BeforeMaxMs:     t.config.TimestampBeforeMillis,
		AfterMaxMs:      t.config.TimestampAfterMillis,
		Keyed:           t.config.Compact,
		Reroute:         t.config.Reroute && t.byKinesis(),
	}
	switch {
	case internal(t.name):
		rules.Refused = kafkaapi.InvalidTopicException
	case t.ofTable():
		rules.Refused, rules.RefusedText = kafkaapi.PolicyViolation, readOnlyText
	case t.closed && rules.Reroute:
		rules.Routes = t.routes
	case t.closed:
		rules.Refused, rules.RefusedText = kafkaapi.PolicyViolation, produce.ClosedText
	}
	if t.byKinesis() {
		rules.Noted = func() error { return b.noteProduced(t.num) }
	}
	t.rules.Store(rules)
	return rules
}

// noteEvery is how often it is kept that Kafka produces to a stream of Kinesis.
const noteEvery = time.Hour

// noteProduced keeps that Kafka produces to a stream of Kinesis: one look-up in memory, but once an hour.
func (b *Broker) noteProduced(num uint64) error {
	now := b.opts.Clock.Now().UnixNano()
	if last, ok := b.noted.Load(num); ok && now-last.(int64) < int64(noteEvery) {
		return nil
	}
	_, err := b.store.Update(b.ctx, func(tx store.Tx) error { return catalog.KafkaProduced(tx, num, tx.Now()) })
	if err == nil {
		b.noted.Store(num, now)
	}
	return err
}

// produced answers a request, in the goroutine that answers everybody.
func (b *Broker) produced(q *produce.Request) {
	r := q.Tag.(*wire.ProduceRequest)
	n := 0
	for i := range r.Topics {
		out := r.Topics[i].Partitions
		for j := range out {
			answerPart(&out[j], &q.Parts[n])
			n++
		}
		if len(out) > 0 && stale(out) {
			b.refreshProduced(&r.Topics[i], r.Version())
		}
	}
	q.Free()
	r.Done()
}

func answerPart(out *wire.ProducePartition, p *produce.Part) {
	out.Error, out.ErrorMessage = p.Code, p.Message
	out.BaseOffset, out.LogAppendTimeMs, out.LogStartOffset = p.BaseOffset, p.AppendTimeMs, p.LogStart
	for _, e := range p.Errors {
		out.RecordErrors = append(out.RecordErrors, wire.RecordError{Index: e.Index, Message: e.Message})
	}
}

// stale tells whether an answer says that the topic is not what the copy of it says.
func stale(parts []wire.ProducePartition) bool {
	for i := range parts {
		e := parts[i].Error
		if e == kafkaapi.UnknownTopicOrPartition || e == kafkaapi.PolicyViolation || e == kafkaapi.NotLeaderOrFollower {
			return true
		}
	}
	return false
}

// refreshProduced has the next request look whether the copy of a topic is current.
func (b *Broker) refreshProduced(in *wire.ProduceTopic, version int16) {
	t := b.topics.byName(in.Name)
	if version >= 13 {
		t = b.topics.byID(in.ID)
	}
	if t != nil {
		b.refresh(t)
	}
}
