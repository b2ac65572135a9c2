package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/test/process"
)

const (
	kafkaGroups       = 50
	kafkaGroupRecords = 20_000
	kafkaRestartBytes = 1 << 30
)

// kafkaShapes: sizes of records, one and many partitions, with and without compression. No bar hangs on it.
func (b *bench) kafkaShapes(ctx context.Context, t *kafkaTrio) error {
	for _, shape := range []struct {
		size       int
		partitions int32
		codec      kgo.CompressionCodec
		name       string
	}{
		{100, 4, kgo.NoCompression(), "100 B, 4 partitions"},
		{1024, 1, kgo.NoCompression(), "1 KiB, 1 partition"},
		{1024, 100, kgo.NoCompression(), "1 KiB, 100 partitions"},
		{1024, 4, kgo.Lz4Compression(), "1 KiB, 4 partitions, lz4"},
		{10 << 10, 4, kgo.NoCompression(), "10 KiB, 4 partitions"},
	} {
		samples, err := b.interleave(t.all(), func(s *server, round int) (kafkaSample, error) {
			topic, err := s.makeTopic(ctx, fmt.Sprint("shape-", shape.size, "-", shape.partitions, "-", shape.codec, "-", round), shape.partitions)
			if err != nil {
				return kafkaSample{}, err
			}
			got, err := s.shapeWindow(ctx, topic, shape.size, shape.codec, b.settings.window)
			return got, errors.Join(err, s.dropTopic(ctx, topic))
		})
		if err != nil {
			return err
		}
		for _, s := range t.all() {
			b.kafkaRow(shape.name, s, samples[s])
		}
	}
	return nil
}

// shapeWindow has two producers that spread records over all partitions. Half of a value repeats itself, so that there is
// something to compress.
func (s *server) shapeWindow(ctx context.Context, topic string, size int, codec kgo.CompressionCodec, d time.Duration) (kafkaSample, error) {
	value := make([]byte, size)
	for i := range size / 2 {
		value[i] = byte(i*7 + i>>3)
	}
	clients := make([]*kgo.Client, 2)
	for i := range clients {
		c, err := s.client(kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.MaxBufferedRecords(kafkaQueue), kgo.ProducerBatchCompression(codec))
		if err != nil {
			return kafkaSample{}, err
		}
		defer c.Close()
		clients[i] = c
		if err := c.ProduceSync(ctx, &kgo.Record{Value: value}).FirstErr(); err != nil {
			return kafkaSample{}, err
		}
	}
	return s.flood(ctx, clients, d, func(int) *kgo.Record { return &kgo.Record{Value: value} })
}

// kafkaManyGroups: 50 groups each read one topic from its start. No bar hangs on it.
func (b *bench) kafkaManyGroups(ctx context.Context, t *kafkaTrio) error {
	servers := []*server{t.millrace, t.kafka}
	for _, s := range servers {
		if err := s.fillTopic(ctx, "groups", kafkaGroupRecords); err != nil {
			return err
		}
	}
	samples, err := b.interleave(servers, func(s *server, round int) (kafkaSample, error) {
		return s.measured(func() (int, []float64, error) {
			errs := make([]error, kafkaGroups)
			var wg sync.WaitGroup
			for i := range kafkaGroups {
				wg.Go(func() { errs[i] = s.groupReads(ctx, fmt.Sprint("group-", round, "-", i)) })
			}
			wg.Wait()
			return kafkaGroups * kafkaGroupRecords, nil, errors.Join(errs...)
		})
	})
	if err != nil {
		return err
	}
	for _, s := range servers {
		b.kafkaRow("50 groups", s, samples[s])
	}
	return nil
}

// groupReads has the only member of a group read all records and commit.
func (s *server) groupReads(ctx context.Context, group string) error {
	c, err := s.client(kgo.ConsumeTopics("groups"), kgo.ConsumerGroup(group), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	if err != nil {
		return err
	}
	defer c.Close()
	for n := 0; n < kafkaGroupRecords; {
		got := c.PollFetches(ctx)
		if err := got.Err(); err != nil {
			return err
		}
		n += got.NumRecords()
	}
	return c.CommitUncommittedOffsets(ctx)
}

// kafkaRestart: a server is killed after a gigabyte, and has to be ready again, with a record produced to it.
func (b *bench) kafkaRestart(ctx context.Context) error {
	o := b.millraceOptions("restart-kafka")
	o.Kafka = true
	started, err := process.Start(ctx, o)
	if err != nil {
		return err
	}
	s := &server{name: "millrace", addr: started.Ready.Kafka, child: started.Child}
	defer func() { stop(s) }()
	if err := s.fillTopic(ctx, "restart", kafkaRestartBytes/kafkaRecord); err != nil {
		return err
	}
	if err := s.child.Kill(); err != nil {
		return err
	}
	begun := time.Now()
	again, err := process.Start(ctx, o)
	if err != nil {
		return err
	}
	ready := time.Since(begun)
	s = &server{name: "millrace", addr: again.Ready.Kafka, child: again.Child}
	c, err := s.client(kgo.DefaultProduceTopic("restart"))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.ProduceSync(ctx, &kgo.Record{Value: make([]byte, 10)}).FirstErr(); err != nil {
		return err
	}
	b.life("ready for Kafka after kill -9 with 1 GiB", "s", []float64{ready.Seconds()}, 2)
	return nil
}
