package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"millrace/test/load"
)

const (
	pushRate = 10 * time.Millisecond // between records
	pushes   = 500                   // records that are timed, after as many for warming up

	// Idle subscriptions: 20 consumers, as many as a stream may have, on each of 500 shards.
	idleConsumers = 20
	idleShards    = 500
	idlePerConn   = 100
	// Subscriptions that have a connection for each: what a client pays that reads one shard.
	singleConsumers = 4
	singleShards    = 250
	// idleWatch is how long idle subscriptions are watched: three of the events that come every five seconds.
	idleWatch = 15 * time.Second
)

// runPush measures put to pushed event with one and with twenty consumers, and what idle subscriptions cost.
func (b *bench) runPush(ctx context.Context) error {
	for _, consumers := range []int{1, 20} {
		if err := b.pushLatency(ctx, consumers); err != nil {
			return err
		}
	}
	if err := b.idlePush(ctx, "idle subscriptions", idleConsumers, idleShards, idlePerConn, 20); err != nil {
		return err
	}
	return b.idlePush(ctx, "connections with a single idle subscription", singleConsumers, singleShards, 1, 56)
}

// pushLatency puts a record every 10 ms and takes the time until each consumer has it. A figure is over all
// records and consumers.
func (b *bench) pushLatency(ctx context.Context, consumers int) error {
	s, err := b.startMillrace(ctx, fmt.Sprint("push-", consumers))
	if err != nil {
		return err
	}
	defer stop(s)
	arrived := make(chan time.Time, consumers)
	subs, err := s.subscribeAll(ctx, consumers, 1, consumers, func() { arrived <- time.Now() })
	if err != nil {
		return err
	}
	defer subs.close()
	c, err := load.DialHTTP1(s.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	var took []float64
	next := time.NewTicker(pushRate)
	defer next.Stop()
	for i := range 2 * pushes {
		req, err := s.putRecord()
		if err != nil {
			return err
		}
		<-next.C
		begun := time.Now()
		if _, err := c.Do(req); err != nil {
			return err
		}
		for range consumers {
			select {
			case at := <-arrived:
				if i >= pushes {
					took = append(took, float64(at.Sub(begun))/float64(time.Millisecond))
				}
			case <-time.After(10 * time.Second):
				return fmt.Errorf("record %d did not come to all of %d consumers", i, consumers)
			}
		}
	}
	what := fmt.Sprintf("put to event, %d consumers", consumers)
	b.life(what+", p50", "ms", []float64{median(took)}, 1.5)
	b.life(what+", p99", "ms", []float64{took[len(took)*99/100]}, 10)
	return nil
}

// idlePush opens subscriptions on a stream that nobody writes to: all consumers on all shards, perConn of them on
// each connection. kib is the bar for the memory of each.
func (b *bench) idlePush(ctx context.Context, what string, consumers, shards, perConn int, kib float64) error {
	s, err := b.startMillrace(ctx, fmt.Sprint("push-idle-", perConn))
	if err != nil {
		return err
	}
	defer stop(s)
	time.Sleep(idleAfter)
	before, err := load.Resident(s.child.PID())
	if err != nil {
		return err
	}
	subs, err := s.subscribeAll(ctx, consumers, shards, perConn, func() {})
	if err != nil {
		return err
	}
	defer subs.close()
	cpu, err := load.Usage(s.child.PID())
	if err != nil {
		return err
	}
	time.Sleep(idleWatch)
	cpuAfter, err := load.Usage(s.child.PID())
	if err != nil {
		return err
	}
	after, err := load.Resident(s.child.PID())
	if err != nil {
		return err
	}
	count := consumers * shards
	b.life(fmt.Sprintf("memory of each of %d %s", count, what), "KiB", []float64{float64(after-before) / 1024 / float64(count)}, kib)
	b.life(fmt.Sprintf("CPU of %d %s", count, what), "cores", []float64{(cpuAfter - cpu).Seconds() / idleWatch.Seconds()}, 0.1)
	return nil
}

// subscriptions are open answers and the connections that carry them.
type subscriptions struct {
	answers []io.Closer
	conns   []*http.Transport
}

func (s *subscriptions) close() {
	for _, a := range s.answers {
		_ = a.Close() // the server is stopped next
	}
	for _, c := range s.conns {
		c.CloseIdleConnections()
	}
}

// subscribeAll makes the stream with consumers and subscribes each of them to each shard, over HTTP/2 connections of
// perConn streams. arrived is called for every event that has records.
func (s *server) subscribeAll(ctx context.Context, consumers, shards, perConn int, arrived func()) (*subscriptions, error) {
	if err := s.createShards(ctx, shards); err != nil {
		return nil, err
	}
	all := &subscriptions{}
	for i := range consumers {
		arn, err := s.register(ctx, fmt.Sprint("consumer-", i))
		if err != nil {
			return all, err
		}
		for shard := range shards {
			if len(all.answers)%perConn == 0 {
				protocols := new(http.Protocols)
				protocols.SetUnencryptedHTTP2(true)
				all.conns = append(all.conns, &http.Transport{Protocols: protocols})
			}
			body, err := s.subscribe(ctx, all.conns[len(all.conns)-1], arn, shard, arrived)
			if err != nil {
				return all, err
			}
			all.answers = append(all.answers, body)
		}
	}
	return all, nil
}

// register makes a consumer and waits until it can subscribe.
func (s *server) register(ctx context.Context, name string) (arn string, err error) {
	c, err := load.DialHTTP1(s.addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	stream := "arn:aws:kinesis:" + region + ":" + accessKey + ":stream/" + streamName
	var out struct {
		Consumer struct{ ConsumerARN string }
	}
	if err := s.call(c, "RegisterStreamConsumer", map[string]any{"StreamARN": stream, "ConsumerName": name}, &out); err != nil {
		return "", err
	}
	arn = out.Consumer.ConsumerARN
	return arn, await(ctx, func() (bool, error) {
		var out struct {
			ConsumerDescription struct{ ConsumerStatus string }
		}
		err := s.call(c, "DescribeStreamConsumer", map[string]any{"ConsumerARN": arn}, &out)
		return out.ConsumerDescription.ConsumerStatus == "ACTIVE", err
	})
}

// subscribe opens one subscription, waits for its first event, and reads on in a goroutine that ends with it.
func (s *server) subscribe(ctx context.Context, conn *http.Transport, arn string, shard int, arrived func()) (io.Closer, error) {
	body := fmt.Appendf(nil, `{"ConsumerARN":%q,"ShardId":"shardId-%012d","StartingPosition":{"Type":"LATEST"}}`, arn, shard)
	signed, err := s.signer().Kinesis("SubscribeToShard", body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, h := range signed.Headers {
		r.Header.Set(h.Name, h.Value)
	}
	res, err := conn.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		text, err := io.ReadAll(res.Body)
		return nil, errors.Join(errors.New("SubscribeToShard: "+strconv.Itoa(res.StatusCode)+" "+string(text)), err, res.Body.Close())
	}
	in, d := bufio.NewReader(res.Body), eventstream.NewDecoder()
	for range 2 { // initial response and first event
		if _, err := d.Decode(in, nil); err != nil {
			return nil, errors.Join(err, res.Body.Close())
		}
	}
	go func() {
		var buf []byte
		for {
			m, err := d.Decode(in, buf[:0])
			if err != nil {
				return
			}
			if buf = m.Payload; bytes.Contains(buf, []byte(`"Records":[{`)) {
				arrived()
			}
		}
	}()
	return res.Body, nil
}
