//go:build system

package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// roleVariable makes this test binary play a client of its own, so that it can be killed: bootstrap, transactional id and the
// file of its notes follow as arguments.
const roleVariable = "MILLRACE_TEST_KAFKA_ROLE"

// txnTopics and their partitions.
var txnTopics = map[string]int32{"left": 3, "right": 2}

// hasty are options of clients that meet a server that is killed again and again.
func hasty(bootstrap string) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(bootstrap), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.MetadataMinAge(20 * time.Millisecond), kgo.MetadataMaxAge(time.Second), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.UnknownTopicRetries(1000),
		kgo.RequestRetries(1000), kgo.RetryTimeout(20 * time.Second),
	}
}

// txnClient runs transactions until it is killed.
type txnClient struct {
	bootstrap, id string
	notes         *os.File
	count         int
	random        *rand.Rand
}

// playTransactions is the role.
func playTransactions(args []string) error {
	notes, err := os.OpenFile(args[2], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	c := &txnClient{bootstrap: args[0], id: args[1], notes: notes, random: rand.New(rand.NewPCG(rand.Uint64(), 0))}
	for {
		if err := c.run(); err != nil {
			fmt.Println(c.id, "begins anew:", err)
		}
	}
}

// run runs transactions until one fails: then the producer starts anew, as applications do.
func (c *txnClient) run() error {
	p, err := kgo.NewClient(append(hasty(c.bootstrap), kgo.TransactionalID(c.id), kgo.TransactionTimeout(20*time.Second))...)
	if err != nil {
		return err
	}
	defer p.Close()
	for {
		if err := c.transaction(p); err != nil {
			return err
		}
	}
}

// transaction runs one, of 1 to 30 records over random partitions; one in four is aborted.
func (c *txnClient) transaction(p *kgo.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c.count++
	id := fmt.Sprintf("%s.%d.%d", c.id, os.Getpid(), c.count)
	if err := p.BeginTransaction(); err != nil {
		return err
	}
	total := 1 + c.random.IntN(30)
	records := make([]*kgo.Record, total)
	for i := range records {
		topic := "left"
		if c.random.IntN(2) == 0 {
			topic = "right"
		}
		records[i] = &kgo.Record{Topic: topic, Partition: c.random.Int32N(txnTopics[topic]), Value: []byte(id + "/" + strconv.Itoa(i))}
	}
	var sent error
	if c.random.IntN(3) == 0 { // with a pause, so that kills also meet what is half done
		sent = p.ProduceSync(ctx, records[:len(records)/2]...).FirstErr()
		time.Sleep(time.Duration(c.random.IntN(20)) * time.Millisecond)
		records = records[len(records)/2:]
	}
	if err := p.ProduceSync(ctx, records...).FirstErr(); err != nil {
		sent = err
	}
	if sent != nil || c.random.IntN(4) == 0 {
		if err := p.EndTransaction(ctx, kgo.TryAbort); err != nil {
			return fmt.Errorf("abort: %w", err)
		}
		return c.note("aborted %s\n", id)
	}
	if err := c.note("try %s %d\n", id, total); err != nil {
		return err
	}
	if err := p.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return c.note("committed %s\n", id)
}

// note writes a line with one call, so that a kill leaves it whole or away.
func (c *txnClient) note(format string, args ...any) error {
	_, err := fmt.Fprintf(c.notes, format, args...)
	return err
}
