package kafka

import (
	"context"
	"strings"
	"sync"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/service/kafka/fetch"
	"millrace/internal/service/kafka/produce"
	"millrace/internal/service/kafka/session"
	wire "millrace/internal/wire/kafka"
)

// startData starts what appends and reads.
func (b *Broker) startData() {
	b.answerProduce, b.answerFetch = b.produced, b.fetched
	configs := b.topics.broker.Load()
	slots := int(configs.Int("max.incremental.fetch.session.cache.slots"))
	if slots == 0 {
		slots = -1 // none
	}
	b.producer = produce.New(produce.Options{Store: b.store, Clock: b.opts.Clock, Txns: b.txns})
	b.fetcher = fetch.New(fetch.Options{
		Store: b.store, Clock: b.opts.Clock, Logger: b.log, Resolve: b.resolve,
		SessionSlots: slots, MaxBytes: int(configs.Int("fetch.max.bytes")),
	})
}

// Fetch: whole batches from given offsets of many partitions on, at once or when min_bytes have come or max_wait is
// over.
//
// Behaviour
//   - sessions (KIP-227): the answer names only what has changed since the last one
//   - the first partition with records gets one batch at least, however large
//   - readers of committed records see nothing above the last stable offset, and which transactions were aborted
//   - throttle time is 0: waiting is not throttling
//
// Errors: FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR for all;
// UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, OFFSET_OUT_OF_RANGE, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
// KAFKA_STORAGE_ERROR, NOT_LEADER_OR_FOLLOWER for a partition
// Source: FetchRequest.json of Kafka 4.3.1; the rest in packages fetch and session
func (b *Broker) Fetch(r *wire.FetchRequest) {
	q := fetch.NewRequest()
	q.Tag = r.Call
	q.SessionID, q.Epoch, q.UsesIDs, q.Committed = r.SessionID, r.SessionEpoch, r.Call.Version() >= 13, r.Isolation == 1
	q.MaxWait = time.Duration(max(r.MaxWaitMs, 0)) * time.Millisecond
	q.MinBytes, q.MaxBytes = int(r.MinBytes), int(r.MaxBytes)
	for i := range r.Topics {
		in := &r.Topics[i]
		key := b.fetchKey(in.Name, in.ID)
		for _, p := range in.Partitions {
			key.Index = p.Index
			q.Wanted = append(q.Wanted, session.Wanted{
				Key:    key,
				Params: session.Params{Offset: p.FetchOffset, LeaderEpoch: p.CurrentLeaderEpoch, MaxBytes: p.MaxBytes},
			})
		}
	}
	for i := range r.Forgotten {
		in := &r.Forgotten[i]
		key := b.fetchKey(in.Name, in.ID)
		for _, index := range in.Partitions {
			key.Index = index
			q.Forgotten = append(q.Forgotten, key)
		}
	}
	b.fetcher.Fetch(q, b.answerFetch)
}

// fetchKey is how a session keeps a topic: with a name that does not alias the request.
func (b *Broker) fetchKey(name string, id kafkaapi.UUID) session.Key {
	if name == "" {
		return session.Key{ID: id}
	}
	if t := b.topics.byName(name); t != nil {
		return session.Key{Name: t.name}
	}
	return session.Key{Name: strings.Clone(name)}
}

// resolve finds a partition for a look at it.
func (b *Broker) resolve(_ context.Context, key *session.Key) (fetch.Place, kafkaapi.Code) {
	t, code := b.dataTopic(key.Name == "", key.Name, key.ID)
	if code != kafkaapi.None {
		return fetch.Place{}, code
	}
	p, ok := t.partition(key.Index)
	if !ok {
		b.refresh(t) // it may be a new one
		return fetch.Place{}, kafkaapi.UnknownTopicOrPartition
	}
	place := fetch.Place{ID: p.id}
	if t.views != nil {
		place.View = t.views[key.Index]
	}
	return place, kafkaapi.None
}

// fetchAnswer is a response with room for what it points to, used again and again.
type fetchAnswer struct {
	response wire.FetchResponse
	parts    []wire.FetchedPartition
	records  [][]byte
	aborted  []wire.AbortedTransaction
}

// fetchAnswers bounds none of its entries: all but a few are small, and the garbage collector empties it.
var fetchAnswers = sync.Pool{New: func() any { return &fetchAnswer{} }}

// fetched sends an answer.
func (b *Broker) fetched(q *fetch.Request) {
	call := q.Tag.(*wire.FetchCall)
	a := fetchAnswers.Get().(*fetchAnswer)
	a.fill(q)
	call.Send(&a.response)
	a.clear()
	fetchAnswers.Put(a)
}

// fill makes the answer of a request that is done. What it points to is the request's, until Release.
func (a *fetchAnswer) fill(q *fetch.Request) {
	res := &a.response
	res.Error, res.SessionID, res.Release = q.Code, q.AnswerID, q.Release()
	a.grow(q)
	for i := range q.Parts {
		p := &q.Parts[i]
		n := len(res.Topics)
		if n == 0 || res.Topics[n-1].Name != p.Key.Name || res.Topics[n-1].ID != kafkaapi.UUID(p.Key.ID) {
			res.Topics = append(res.Topics, wire.FetchedTopic{Name: p.Key.Name, ID: kafkaapi.UUID(p.Key.ID)})
			n++
		}
		a.parts = append(a.parts, a.part(p, q.Committed))
		t := &res.Topics[n-1]
		t.Partitions = a.parts[len(a.parts)-len(t.Partitions)-1:]
	}
}

// grow makes room for all, so that nothing moves while the answer points to it.
func (a *fetchAnswer) grow(q *fetch.Request) {
	batches, aborted := 0, 0
	for i := range q.Parts {
		batches += len(q.Parts[i].Batches)
		aborted += len(q.Parts[i].Aborted)
	}
	if cap(a.parts) < len(q.Parts) {
		a.parts = make([]wire.FetchedPartition, 0, len(q.Parts))
	}
	if cap(a.records) < batches {
		a.records = make([][]byte, 0, batches)
	}
	if a.aborted == nil || cap(a.aborted) < aborted {
		a.aborted = make([]wire.AbortedTransaction, 0, aborted)
	}
}

func (a *fetchAnswer) part(p *fetch.Part, committed bool) wire.FetchedPartition {
	out := wire.NewFetchedPartition(p.Key.Index)
	out.Error = p.Code
	out.HighWatermark, out.LastStableOffset, out.LogStartOffset = p.HighWatermark, p.LastStable, p.LogStart
	first := len(a.records)
	for i := range p.Batches {
		a.records = append(a.records, p.Batches[i].Bytes)
	}
	out.Records = a.records[first:len(a.records):len(a.records)]
	if committed && p.Code == kafkaapi.None {
		first = len(a.aborted)
		for _, t := range p.Aborted {
			a.aborted = append(a.aborted, wire.AbortedTransaction{Producer: int64(t.Producer), FirstOffset: int64(t.First)})
		}
		out.Aborted = a.aborted[first:len(a.aborted):len(a.aborted)]
	}
	return out
}

// keepFetched is how many batches an answer that is used again has room for.
const keepFetched = 4096

func (a *fetchAnswer) clear() {
	clear(a.response.Topics)
	clear(a.parts)
	clear(a.records)
	topics := a.response.Topics[:0]
	if cap(a.records) > keepFetched || cap(a.parts) > keepFetched || cap(topics) > keepFetched || cap(a.aborted) > keepFetched {
		*a = fetchAnswer{}
		return
	}
	*a = fetchAnswer{parts: a.parts[:0], records: a.records[:0], aborted: a.aborted[:0]}
	a.response.Topics = topics
}
