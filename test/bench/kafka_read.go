package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/test/load"
)

const (
	kafkaCatchUpRecords = 400_000
	kafkaCatchUpReads   = 4 // of all records: CPU is counted in ticks of 10 ms
)

// kafkaLatency: from producing a record to its consumer, at 1,000 and 10,000 records a second.
func (b *bench) kafkaLatency(ctx context.Context, t *kafkaTrio) error {
	for _, perSecond := range []int{1000, 10_000} {
		samples, err := b.interleave(t.all(), func(s *server, round int) (kafkaSample, error) {
			topic, err := s.makeTopic(ctx, fmt.Sprint("latency-", perSecond, "-", round), 1)
			if err != nil {
				return kafkaSample{}, err
			}
			return s.latencyWindow(ctx, topic, perSecond, b.settings.window)
		})
		if err != nil {
			return err
		}
		for _, s := range t.all() {
			b.kafkaRow(fmt.Sprintf("end to end at %d/s", perSecond), s, samples[s])
		}
		if perSecond == 1000 {
			ours := samples[t.millrace]
			b.report.atMost("end to end at 1,000/s: p50", of(ours, kafkaSample.p50), 0.45, "ms")
			b.report.atMost("end to end at 1,000/s: p99", of(ours, kafkaSample.p99), 3, "ms")
		}
	}
	return nil
}

// latencyWindow produces at a pace and takes the time until a consumer has each record, whose value is when it
// was produced.
func (s *server) latencyWindow(ctx context.Context, topic string, perSecond int, d time.Duration) (kafkaSample, error) {
	in, err := s.client(kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return kafkaSample{}, err
	}
	defer in.Close()
	out, err := s.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return kafkaSample{}, err
	}
	defer out.Close()
	start := time.Now()
	value := func() []byte {
		v := make([]byte, kafkaRecord)
		binary.BigEndian.PutUint64(v, uint64(time.Since(start)))
		return v
	}
	if err := in.ProduceSync(ctx, &kgo.Record{Value: value()}).FirstErr(); err != nil {
		return kafkaSample{}, err
	}
	if got := out.PollFetches(ctx); got.NumRecords() != 1 {
		return kafkaSample{}, fmt.Errorf("first record: %w", errors.Join(got.Err(), ctx.Err()))
	}
	count := int(float64(perSecond) * d.Seconds())
	return s.measured(func() (int, []float64, error) {
		go func() {
			next, step := time.Now(), time.Second/time.Duration(perSecond)
			for range count {
				if wait := time.Until(next); wait > 0 {
					time.Sleep(wait)
				}
				in.Produce(ctx, &kgo.Record{Value: value()}, nil)
				next = next.Add(step)
			}
		}()
		var lat []float64
		for len(lat) < count {
			got := out.PollFetches(ctx)
			if err := got.Err(); err != nil {
				return 0, nil, err
			}
			now := time.Since(start)
			got.EachRecord(func(r *kgo.Record) {
				lat = append(lat, float64(now-time.Duration(binary.BigEndian.Uint64(r.Value)))/float64(time.Millisecond))
			})
		}
		return len(lat), lat, nil
	})
}

// consumeAll has consumers that each read a topic from its start to its end, and counts all they read.
func (s *server) consumeAll(ctx context.Context, topic string, consumers int) (int, error) {
	var wg sync.WaitGroup
	counts, errs := make([]int, consumers), make([]error, consumers)
	for i := range consumers {
		wg.Go(func() { counts[i], errs[i] = s.consume(ctx, topic) })
	}
	wg.Wait()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum, errors.Join(errs...)
}

// consume reads a topic until nothing has come for a second.
func (s *server) consume(ctx context.Context, topic string) (n int, err error) {
	c, err := s.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxBytes(50<<20), kgo.FetchMaxPartitionBytes(1<<20))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for {
		wait, cancel := context.WithTimeout(ctx, time.Second)
		got := c.PollFetches(wait)
		cancel()
		if wait.Err() != nil && ctx.Err() == nil && got.NumRecords() == 0 {
			return n, nil
		}
		if err := got.Err(); err != nil {
			return n, err
		}
		n += got.NumRecords()
	}
}

// kafkaCatchUp: reading 400,000 records from the start, once with millrace's default tail cache, which holds
// next to nothing of them, and once with one that holds all.
func (b *bench) kafkaCatchUp(ctx context.Context, t *kafkaTrio) error {
	cached, err := b.startMillraceKafka(ctx, "millrace cached", "--tail-cache-mib", "1024")
	if err != nil {
		return err
	}
	defer stop(cached)
	servers := []*server{t.millrace, cached, t.kafka}
	for _, s := range servers {
		if err := s.fillTopic(ctx, "catch-up", kafkaCatchUpRecords); err != nil {
			return err
		}
	}
	samples, err := b.interleave(servers, func(s *server, _ int) (kafkaSample, error) {
		before, err := load.Usage(s.child.PID())
		if err != nil {
			return kafkaSample{}, err
		}
		begun := time.Now()
		n, err := s.consumeAll(ctx, "catch-up", kafkaCatchUpReads)
		if err != nil {
			return kafkaSample{}, err
		}
		if n != kafkaCatchUpReads*kafkaCatchUpRecords {
			return kafkaSample{}, fmt.Errorf("read %d records, want %d", n, kafkaCatchUpReads*kafkaCatchUpRecords)
		}
		took := time.Since(begun) - time.Second // in which nothing came
		after, err := load.Usage(s.child.PID())
		return kafkaSample{n: n, took: took, cpu: after - before}, err
	})
	if err != nil {
		return err
	}
	for _, s := range servers {
		b.kafkaRow("catch-up, 4 consumers", s, samples[s])
	}
	b.report.atLeast("catch-up from files: records per CPU second against Kafka", ratio(samples[t.millrace], samples[t.kafka], kafkaSample.perCPU), 0.7)
	b.report.atLeast("catch-up from the tail cache: records per CPU second against Kafka", ratio(samples[cached], samples[t.kafka], kafkaSample.perCPU), 1.0)
	return nil
}

// fillTopic makes a topic of four partitions with n records in all.
func (s *server) fillTopic(ctx context.Context, topic string, n int) error {
	if _, err := s.makeTopic(ctx, topic, 4); err != nil {
		return err
	}
	c, err := s.client(kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(kafkaQueue))
	if err != nil {
		return err
	}
	defer c.Close()
	value := make([]byte, kafkaRecord)
	for i := range n {
		c.Produce(ctx, &kgo.Record{Partition: int32(i % 4), Value: value}, nil)
	}
	return c.Flush(ctx)
}

// kafkaPartitions: new partitions, each with one acknowledged record.
func (b *bench) kafkaPartitions(ctx context.Context, t *kafkaTrio) error {
	for _, c := range []struct {
		n       int32
		seconds float64
	}{{1000, 0.1}, {10_000, 1}} {
		servers := []*server{t.millrace}
		if c.n == 1000 { // 10,000 take Apache Kafka half a minute and as many open files
			servers = append(servers, t.kafka)
		}
		for _, s := range servers {
			before, err := load.Resident(s.child.PID())
			if err != nil {
				return err
			}
			took, err := s.newPartitions(ctx, fmt.Sprint("partitions-", c.n), c.n)
			if err != nil {
				return err
			}
			after, err := load.Resident(s.child.PID())
			if err != nil {
				return err
			}
			what := fmt.Sprintf("%d new partitions with a record each, %s", c.n, s.name)
			if s != t.millrace {
				fmt.Printf("[%s %.2f s]\n", what, took.Seconds())
				continue
			}
			b.life(what, "s", []float64{took.Seconds()}, c.seconds)
			if c.n == 10_000 {
				b.life("memory of 10000 new partitions", "MiB", []float64{float64(after-before) / (1 << 20)}, 150)
			}
		}
	}
	return nil
}

func (s *server) newPartitions(ctx context.Context, topic string, n int32) (time.Duration, error) {
	c, err := s.client(kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(20_000))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.Ping(ctx); err != nil {
		return 0, err
	}
	begun := time.Now()
	if _, err := s.makeTopic(ctx, topic, n); err != nil {
		return 0, err
	}
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Partition: int32(i), Value: make([]byte, 100)}
	}
	err = c.ProduceSync(ctx, records...).FirstErr()
	return time.Since(begun), err
}
