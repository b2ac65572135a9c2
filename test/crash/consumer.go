package crash

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
)

// pollPause is how long a polling consumer waits at the end of a shard: some shards are polled by the SDK at once.
const pollPause = 10 * time.Millisecond

// consumer is an application on the SDK for Go that reads a stream along its lineage, across crashes: a shard
// begins when all its parents were read to their end, and goes on behind what was seen. It polls, or is pushed.
type consumer struct {
	name   string
	stream string
	arn    string // of the registered consumer; empty: polls

	mu    sync.Mutex        // guards what follows
	after map[string]string // of each shard that has begun: the number to go on after; empty: its beginning
	ended map[string]bool
	seen  []Consumed
}

// Consumed is one record as a consumer got it; its place among others is the order of getting.
type Consumed struct {
	Shard string
	Found
}

func newConsumer(name, stream string, first int) *consumer {
	c := &consumer{name: name, stream: stream, after: map[string]string{}, ended: map[string]bool{}}
	for i := range first {
		c.after[fmt.Sprintf("shardId-%012d", i)] = ""
	}
	return c
}

// sdkClient speaks HTTP/2 with prior knowledge, as consumers of many shards do.
func sdkClient(addr string) (client *kinesis.Client, done func()) {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	return kinesis.New(kinesis.Options{
		BaseEndpoint: aws.String("http://" + addr), Region: "us-east-1", HTTPClient: &http.Client{Transport: transport}, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("123456789012", "any", ""),
	}), transport.CloseIdleConnections
}

// life is a consumer's time with one life of the server.
type life struct {
	*consumer
	client *kinesis.Client
	wg     sync.WaitGroup

	errs chan error // of size 1: the first thing that is wrong
}

// run consumes until the server is gone or ctx is done. A refusal is an error.
func (c *consumer) run(ctx context.Context, addr string) error {
	client, done := sdkClient(addr)
	defer done()
	l := &life{consumer: c, client: client, errs: make(chan error, 1)}
	for _, id := range c.reading() {
		l.wg.Go(func() { l.follow(ctx, id) })
	}
	l.wg.Wait()
	select {
	case err := <-l.errs:
		return fmt.Errorf("consumer %s of %s: %w", c.name, c.stream, err)
	default:
		return nil
	}
}

// reading lists the shards that have begun and not ended.
func (c *consumer) reading() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for id := range c.after {
		if !c.ended[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// follow reads a shard, and when it has ended begins those children whose parents have all ended.
func (l *life) follow(ctx context.Context, id string) {
	read := l.poll
	if l.arn != "" {
		read = l.push
	}
	children, err := read(ctx, id)
	if err != nil {
		l.judge(ctx, id, err)
		return
	}
	for _, child := range l.end(id, children) {
		l.wg.Go(func() { l.follow(ctx, child) })
	}
}

// judge keeps what is wrong; a broken connection is the kill.
func (l *life) judge(ctx context.Context, id string, err error) {
	_, refused := errors.AsType[smithy.APIError](err)
	_, wrong := errors.AsType[*lineageError](err)
	if ctx.Err() != nil || !refused && !wrong {
		return
	}
	select {
	case l.errs <- fmt.Errorf("%s: %w", id, err):
	default:
	}
}

// end notes that a shard was read to its end and gives the children that may begin.
func (c *consumer) end(id string, children []types.ChildShard) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended[id] = true
	var ready []string
	for _, child := range children {
		waits := slices.ContainsFunc(child.ParentShards, func(p string) bool { return !c.ended[p] })
		if _, begun := c.after[*child.ShardId]; !waits && !begun {
			c.after[*child.ShardId] = ""
			ready = append(ready, *child.ShardId)
		}
	}
	return ready
}

// saw keeps records, and where to go on: after the number given, or else after the last record.
func (c *consumer) saw(id string, records []types.Record, after *string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range records {
		c.after[id] = *r.SequenceNumber
		c.seen = append(c.seen, Consumed{id, Found{Sequence: *r.SequenceNumber, Key: *r.PartitionKey, Data: string(r.Data)}})
	}
	if after != nil {
		c.after[id] = *after
	}
}

// has counts the records that were consumed.
func (c *consumer) has() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

func (c *consumer) goOnAfter(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.after[id]
}

// poll reads a shard by GetRecords and gives its children at its end.
func (l *life) poll(ctx context.Context, id string) ([]types.ChildShard, error) {
	in := &kinesis.GetShardIteratorInput{StreamName: &l.stream, ShardId: &id, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	if after := l.goOnAfter(id); after != "" {
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &after
	}
	it, err := l.client.GetShardIterator(ctx, in)
	if err != nil {
		return nil, err
	}
	for next := it.ShardIterator; ; {
		out, err := l.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: next})
		if err != nil {
			return nil, err
		}
		l.saw(id, out.Records, nil)
		if err := endsOnce(out.NextShardIterator, out.ChildShards); err != nil {
			return nil, err
		}
		if next = out.NextShardIterator; next == nil {
			return out.ChildShards, nil
		}
		if len(out.Records) == 0 {
			time.Sleep(pollPause)
		}
	}
}

// push reads a shard by SubscribeToShard and gives its children at its end. A stream that ends before is asked for
// again, as after five minutes.
func (l *life) push(ctx context.Context, id string) ([]types.ChildShard, error) {
	for {
		in := &kinesis.SubscribeToShardInput{ConsumerARN: &l.arn, ShardId: &id, StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon}}
		if after := l.goOnAfter(id); after != "" {
			in.StartingPosition = &types.StartingPosition{Type: types.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: &after}
		}
		out, err := l.client.SubscribeToShard(ctx, in)
		if err != nil {
			return nil, err
		}
		children, err := l.events(id, out.GetStream())
		if children != nil || err != nil {
			return children, err
		}
	}
}

func (l *life) events(id string, stream *kinesis.SubscribeToShardEventStream) ([]types.ChildShard, error) {
	defer stream.Close() //nolint:errcheck // the connection may be gone, and Err says why
	for event := range stream.Events() {
		e, ok := event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent)
		if !ok {
			return nil, &lineageError{fmt.Sprintf("an event is a %T", event)}
		}
		l.saw(id, e.Value.Records, e.Value.ContinuationSequenceNumber)
		if err := endsOnce(e.Value.ContinuationSequenceNumber, e.Value.ChildShards); err != nil {
			return nil, err
		}
		if len(e.Value.ChildShards) > 0 {
			return e.Value.ChildShards, nil
		}
	}
	return nil, stream.Err()
}

// endsOnce holds the rule of consumers: a place to go on from, or children, and never both.
func endsOnce(next *string, children []types.ChildShard) error {
	if (next == nil) != (len(children) > 0) {
		return &lineageError{fmt.Sprintf("the next place is %q, with %d children", aws.ToString(next), len(children))}
	}
	return nil
}
