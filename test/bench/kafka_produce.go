package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/test/load"
	"millrace/test/process"
)

const (
	kafkaRecord   = 1024   // bytes of a value
	kafkaQueue    = 10_000 // records in flight of a producer with a deep queue
	kafkaLoopers  = 32
	kafkaTxnBatch = 100 // records of a transaction
	besideBytes   = 300 << 20
)

// deepWindow has producers with deep queues, one for each partition, for d.
func (s *server) deepWindow(ctx context.Context, topic string, producers int, d time.Duration) (kafkaSample, error) {
	clients := make([]*kgo.Client, producers)
	for i := range clients {
		c, err := s.client(
			kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(kafkaQueue),
			kgo.MaxBufferedBytes(64<<20), kgo.ProducerBatchMaxBytes(1_000_000), kgo.ProducerBatchCompression(kgo.NoCompression()),
		)
		if err != nil {
			return kafkaSample{}, err
		}
		defer c.Close()
		clients[i] = c
		if err := c.ProduceSync(ctx, &kgo.Record{Partition: int32(i), Value: make([]byte, kafkaRecord)}).FirstErr(); err != nil {
			return kafkaSample{}, err // connected and known before anything is counted
		}
	}
	value := make([]byte, kafkaRecord)
	return s.flood(ctx, clients, d, func(i int) *kgo.Record { return &kgo.Record{Partition: int32(i), Value: value} })
}

// flood has each of the clients produce records, as fast as its queue takes them, for d, and counts those that were
// acknowledged until all queues are empty.
func (s *server) flood(ctx context.Context, clients []*kgo.Client, d time.Duration, record func(client int) *kgo.Record) (kafkaSample, error) {
	return s.measured(func() (int, []float64, error) {
		var n atomic.Int64
		var failed atomic.Pointer[error]
		var wg sync.WaitGroup
		until := time.Now().Add(d)
		for i, c := range clients {
			wg.Go(func() {
				done := func(_ *kgo.Record, err error) {
					if err != nil {
						failed.Store(&err)
						return
					}
					n.Add(1)
				}
				for k := 0; k%100 != 0 || time.Now().Before(until); k++ {
					c.Produce(ctx, record(i), done)
				}
				if err := c.Flush(ctx); err != nil {
					failed.Store(&err)
				}
			})
		}
		wg.Wait()
		if err := failed.Load(); err != nil {
			return 0, nil, *err
		}
		return int(n.Load()), nil, nil
	})
}

// kafkaDeep: four producers with deep queues of 1 KiB, idempotent, acks=all.
func (b *bench) kafkaDeep(ctx context.Context, t *kafkaTrio) error {
	samples, err := b.interleave(t.all(), func(s *server, round int) (kafkaSample, error) {
		topic, err := s.makeTopic(ctx, fmt.Sprint("deep-", round), 4)
		if err != nil {
			return kafkaSample{}, err
		}
		got, err := s.deepWindow(ctx, topic, 4, b.settings.window)
		return got, errors.Join(err, s.dropTopic(ctx, topic))
	})
	if err != nil {
		return err
	}
	for _, s := range t.all() {
		b.kafkaRow("4 deep queues", s, samples[s])
	}
	ours := samples[t.millrace]
	b.report.atLeast("deep queues: records per CPU second against Kafka", ratio(ours, samples[t.kafka], kafkaSample.perCPU), 1.3)
	b.report.atLeast("deep queues: rate against Kafka", ratio(ours, samples[t.kafka], kafkaSample.rate), 0.9)
	b.report.atLeast("deep queues: rate against Kafka synced", ratio(ours, samples[t.synced], kafkaSample.rate), 1.5)
	return nil
}

// loopWindow has so many clients that each wait for one record after the other.
func (s *server) loopWindow(ctx context.Context, topic string, loops int, d time.Duration) (kafkaSample, error) {
	clients := make([]*kgo.Client, loops)
	for i := range clients {
		c, err := s.client(kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()))
		if err != nil {
			return kafkaSample{}, err
		}
		defer c.Close()
		clients[i] = c
		if err := c.ProduceSync(ctx, &kgo.Record{Value: make([]byte, kafkaRecord)}).FirstErr(); err != nil {
			return kafkaSample{}, err
		}
	}
	return s.measured(func() (int, []float64, error) {
		lat := make([][]float64, loops)
		errs := make([]error, loops)
		var wg sync.WaitGroup
		until := time.Now().Add(d)
		for i, c := range clients {
			wg.Go(func() {
				value := make([]byte, kafkaRecord)
				for begun := time.Now(); begun.Before(until) && errs[i] == nil; begun = time.Now() {
					errs[i] = c.ProduceSync(ctx, &kgo.Record{Value: value}).FirstErr()
					lat[i] = append(lat[i], float64(time.Since(begun))/float64(time.Millisecond))
				}
			})
		}
		wg.Wait()
		var all []float64
		for _, l := range lat {
			all = append(all, l...)
		}
		return len(all), all, errors.Join(errs...)
	})
}

// kafkaLoops: 32 closed loops of single records.
func (b *bench) kafkaLoops(ctx context.Context, t *kafkaTrio) error {
	for _, s := range t.all() {
		if _, err := s.makeTopic(ctx, "loops", 4); err != nil {
			return err
		}
	}
	samples, err := b.interleave(t.all(), func(s *server, _ int) (kafkaSample, error) {
		return s.loopWindow(ctx, "loops", kafkaLoopers, b.settings.window)
	})
	if err != nil {
		return err
	}
	for _, s := range t.all() {
		b.kafkaRow("32 closed loops", s, samples[s])
	}
	ours := samples[t.millrace]
	b.report.atLeast("closed loops: rate against Kafka synced", ratio(ours, samples[t.synced], kafkaSample.rate), 4)
	b.report.atLeast("closed loops: rate against Kafka", ratio(ours, samples[t.kafka], kafkaSample.rate), 0.85)
	perRecord := func(k kafkaSample) float64 { return 1 / k.perCPU() }
	b.report.atMost("closed loops: CPU per record against Kafka", ratio(ours, samples[t.kafka], perRecord), 0.6, "x")
	return nil
}

// kafkaTransactions: one producer, transactions of 100 records.
func (b *bench) kafkaTransactions(ctx context.Context, t *kafkaTrio) error {
	servers := []*server{t.millrace, t.kafka}
	clients := map[*server]*kgo.Client{}
	for _, s := range servers {
		topic, err := s.makeTopic(ctx, "transactions", 4)
		if err != nil {
			return err
		}
		c, err := s.client(kgo.DefaultProduceTopic(topic), kgo.TransactionalID("bench"), kgo.ProducerLinger(0))
		if err != nil {
			return err
		}
		defer c.Close()
		clients[s] = c
	}
	samples, err := b.interleave(servers, func(s *server, _ int) (kafkaSample, error) {
		return s.measured(func() (n int, lat []float64, err error) {
			for until := time.Now().Add(b.settings.window); time.Now().Before(until); n++ {
				begun := time.Now()
				if err := transaction(ctx, clients[s]); err != nil {
					return 0, nil, err
				}
				lat = append(lat, float64(time.Since(begun))/float64(time.Millisecond))
			}
			return n, lat, nil
		})
	})
	if err != nil {
		return err
	}
	for _, s := range servers {
		b.kafkaRow("transactions of 100", s, samples[s])
	}
	b.report.atLeast("transactions of 100 records: rate against Kafka", ratio(samples[t.millrace], samples[t.kafka], kafkaSample.rate), 5)
	return nil
}

func transaction(ctx context.Context, c *kgo.Client) error {
	if err := c.BeginTransaction(); err != nil {
		return err
	}
	var failed atomic.Pointer[error]
	for range kafkaTxnBatch {
		c.Produce(ctx, &kgo.Record{Value: make([]byte, kafkaRecord)}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := c.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return c.EndTransaction(ctx, kgo.TryCommit)
}

// kafkaBeside: closed loops while 300 MB/s flow into other partitions.
func (b *bench) kafkaBeside(ctx context.Context, t *kafkaTrio) error {
	s := t.millrace
	bulk, err := s.makeTopic(ctx, "beside-bulk", 4)
	if err != nil {
		return err
	}
	small, err := s.makeTopic(ctx, "beside-small", 4)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := s.client(kgo.DefaultProduceTopic(bulk), kgo.MaxBufferedRecords(kafkaQueue), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer c.Close()
	var flowed atomic.Int64
	go func() { // paced in steps of a millisecond
		value := make([]byte, kafkaRecord)
		start, sent := time.Now(), 0
		for ctx.Err() == nil {
			for want := int(time.Since(start).Seconds() * besideBytes / kafkaRecord); sent < want && ctx.Err() == nil; sent++ {
				c.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
					if err == nil {
						flowed.Add(kafkaRecord)
					}
				})
			}
			time.Sleep(time.Millisecond)
		}
	}()
	var samples []kafkaSample
	for range b.settings.rounds {
		before, begun := flowed.Load(), time.Now()
		got, err := s.loopWindow(ctx, small, 4, 2*b.settings.window)
		if err != nil {
			return err
		}
		samples = append(samples, got)
		fmt.Printf("beside %.0f MB/s\n", float64(flowed.Load()-before)/1e6/time.Since(begun).Seconds())
	}
	b.kafkaRow("4 closed loops beside a bulk load", s, samples)
	b.report.atMost("closed loops beside 300 MB/s: p99", of(samples, kafkaSample.p99), 20, "ms")
	return nil
}

// kafkaTLS: deep queues over TLS against plain text, in the same rounds.
func (b *bench) kafkaTLS(ctx context.Context, t *kafkaTrio) error {
	s, err := b.startMillraceKafka(ctx, "millrace TLS", "--kafka-security", "SSL")
	if err != nil {
		return err
	}
	defer stop(s)
	s.kafka = []kgo.Opt{kgo.DialTLSConfig(&tls.Config{InsecureSkipVerify: true})}
	samples, err := b.interleave([]*server{t.millrace, s}, func(on *server, round int) (kafkaSample, error) {
		topic, err := on.makeTopic(ctx, "tls-"+strconv.Itoa(round), 4)
		if err != nil {
			return kafkaSample{}, err
		}
		got, err := on.deepWindow(ctx, topic, 4, b.settings.window)
		return got, errors.Join(err, on.dropTopic(ctx, topic))
	})
	if err != nil {
		return err
	}
	b.kafkaRow("4 deep queues", s, samples[s])
	b.report.atLeast("deep queues over TLS: records per CPU second against plain text", ratio(samples[s], samples[t.millrace], kafkaSample.perCPU), 0.5)
	return nil
}

// kafkaJava: the perf tool of Apache Kafka with its defaults.
func (b *bench) kafkaJava(ctx context.Context, t *kafkaTrio) error {
	const records = 1_000_000
	samples, err := b.interleave(t.all(), func(s *server, round int) (kafkaSample, error) {
		topic, err := s.makeTopic(ctx, "java-"+strconv.Itoa(round), 4)
		if err != nil {
			return kafkaSample{}, err
		}
		got, err := s.javaPerf(b, topic, records)
		return got, errors.Join(err, s.dropTopic(ctx, topic))
	})
	if err != nil {
		return err
	}
	for _, s := range t.all() {
		b.kafkaRow("Java perf tool", s, samples[s])
	}
	ours := samples[t.millrace]
	b.report.atLeast("Java perf tool: rate against Kafka", ratio(ours, samples[t.kafka], kafkaSample.rate), 0.9)
	b.report.atLeast("Java perf tool: rate against Kafka synced", ratio(ours, samples[t.synced], kafkaSample.rate), 3)
	return nil
}

// javaPerf runs the tool once; the rate is the one that it prints.
func (s *server) javaPerf(b *bench, topic string, records int) (kafkaSample, error) {
	log := b.log("perf-" + strings.ReplaceAll(s.name, " ", "-") + "-" + topic)
	before, err := load.Usage(s.child.PID())
	if err != nil {
		return kafkaSample{}, err
	}
	child, err := process.StartChild(log, nil, "java", "-Xmx512m", "-cp", filepath.Join(b.root, "build", "parts", "kafka-java", "lib", "*"),
		"org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--num-records", strconv.Itoa(records), "--record-size", strconv.Itoa(kafkaRecord),
		"--throughput", "-1", "--producer-props", "bootstrap.servers="+s.addr)
	if err != nil {
		return kafkaSample{}, err
	}
	<-child.Done()
	after, err := load.Usage(s.child.PID())
	if err != nil {
		return kafkaSample{}, err
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return kafkaSample{}, err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var sent int
	var rate float64
	if _, err := fmt.Sscanf(lines[len(lines)-1], "%d records sent, %f records/sec", &sent, &rate); err != nil || sent != records {
		return kafkaSample{}, fmt.Errorf("the perf tool said: %s", text)
	}
	return kafkaSample{n: sent, took: time.Duration(float64(sent) / rate * float64(time.Second)), cpu: after - before}, nil
}
