package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/test/load"
)

// kafkaWarm is how long each server is under load before anything is counted: Java compiles meanwhile.
const kafkaWarm = 8 * time.Second

// kafkaScenario compares all three servers.
type kafkaScenario struct {
	name string
	run  func(*bench, context.Context, *kafkaTrio) error
}

// kafkaScenarios are the scenarios that compare with Apache Kafka, in their order.
var kafkaScenarios = []kafkaScenario{
	{"kafka-deep", (*bench).kafkaDeep},
	{"kafka-loops", (*bench).kafkaLoops},
	{"kafka-transactions", (*bench).kafkaTransactions},
	{"kafka-latency", (*bench).kafkaLatency},
	{"kafka-beside", (*bench).kafkaBeside},
	{"kafka-catch-up", (*bench).kafkaCatchUp},
	{"kafka-java", (*bench).kafkaJava},
	{"kafka-partitions", (*bench).kafkaPartitions},
	{"kafka-tls", (*bench).kafkaTLS},
	{"kafka-shapes", (*bench).kafkaShapes},
	{"kafka-groups", (*bench).kafkaManyGroups},
}

// runKafka runs the Kafka scenarios that -only names.
func (b *bench) runKafka(ctx context.Context) error {
	if b.wants("kafka-connections") {
		if err := b.kafkaConnections(ctx); err != nil {
			return err
		}
	}
	if b.wants("kafka-restart") {
		if err := b.kafkaRestart(ctx); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(kafkaScenarios, func(s kafkaScenario) bool { return b.wants(s.name) }) {
		return nil
	}
	t, err := b.startTrio(ctx)
	if err != nil {
		return err
	}
	defer stop(t.all()...)
	for _, s := range t.all() {
		if err := b.warmKafka(ctx, s); err != nil {
			return fmt.Errorf("warm %s: %w", s.name, err)
		}
	}
	for _, s := range kafkaScenarios {
		if !b.wants(s.name) {
			continue
		}
		if err := s.run(b, ctx, t); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// warmKafka puts a server under the loads that are measured later.
func (b *bench) warmKafka(ctx context.Context, s *server) error {
	topic, err := s.makeTopic(ctx, "warm", 4)
	if err != nil {
		return err
	}
	if _, err := s.deepWindow(ctx, topic, 2, kafkaWarm/4); err != nil {
		return err
	}
	if _, err := s.loopWindow(ctx, topic, 16, kafkaWarm/2); err != nil {
		return err
	}
	if _, err := s.consumeAll(ctx, topic, 1); err != nil {
		return err
	}
	return s.dropTopic(ctx, topic)
}

// kafkaSample is one window of load: what was done, and what the server took for it.
type kafkaSample struct {
	n    int           // records, transactions, polls
	took time.Duration // of the window
	cpu  time.Duration // of the server
	lat  []float64     // ms
}

func (s kafkaSample) rate() float64   { return float64(s.n) / s.took.Seconds() }
func (s kafkaSample) perCPU() float64 { return float64(s.n) / s.cpu.Seconds() }

// percentile of latencies, in ms.
func (s kafkaSample) percentile(p float64) float64 {
	slices.Sort(s.lat)
	if len(s.lat) == 0 {
		return 0
	}
	return s.lat[min(len(s.lat)-1, int(p*float64(len(s.lat))))]
}

func (s kafkaSample) p50() float64 { return s.percentile(0.5) }
func (s kafkaSample) p99() float64 { return s.percentile(0.99) }

// measured runs load and counts the server's CPU beside it.
func (s *server) measured(window func() (int, []float64, error)) (kafkaSample, error) {
	before, err := load.Usage(s.child.PID())
	if err != nil {
		return kafkaSample{}, err
	}
	start := time.Now()
	n, lat, err := window()
	if err != nil {
		return kafkaSample{}, err
	}
	took := time.Since(start)
	after, err := load.Usage(s.child.PID())
	return kafkaSample{n: n, took: took, cpu: after - before, lat: lat}, err
}

// interleave runs a window on each server, round after round, and gives the samples by server.
func (b *bench) interleave(servers []*server, window func(s *server, round int) (kafkaSample, error)) (map[*server][]kafkaSample, error) {
	all := map[*server][]kafkaSample{}
	for round := range b.settings.rounds {
		for _, s := range servers {
			got, err := window(s, round)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			all[s] = append(all[s], got)
		}
	}
	return all, nil
}

// kafkaRow adds a row of medians and prints it.
func (b *bench) kafkaRow(scenario string, s *server, samples []kafkaSample) {
	row := []string{
		scenario, s.name, fmt.Sprintf("%.0f", of(samples, kafkaSample.rate)), fmt.Sprintf("%.0f", of(samples, kafkaSample.perCPU)),
		fmt.Sprintf("%.2f", of(samples, kafkaSample.p50)),
		fmt.Sprintf("%.2f", of(samples, kafkaSample.p99)),
	}
	b.report.kafka = append(b.report.kafka, row)
	fmt.Println(strings.Join(row, "  "))
}

// client connects to a server's Kafka listener.
func (s *server) client(opts ...kgo.Opt) (*kgo.Client, error) {
	all := append([]kgo.Opt{kgo.SeedBrokers(s.addr), kgo.ClientID("bench")}, s.kafka...)
	return kgo.NewClient(append(all, opts...)...)
}

// makeTopic makes a topic without retention by time or size of its own.
func (s *server) makeTopic(ctx context.Context, name string, partitions int32) (string, error) {
	c, err := s.client()
	if err != nil {
		return "", err
	}
	defer c.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
	req.Topics = append(req.Topics, topic)
	req.TimeoutMillis = 60_000
	res, err := req.RequestWith(ctx, c)
	if err != nil {
		return "", err
	}
	if code := res.Topics[0].ErrorCode; code != 0 {
		return "", fmt.Errorf("create topic %s: error %d", name, code)
	}
	return name, nil
}

func (s *server) dropTopic(ctx context.Context, name string) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	req := kmsg.NewPtrDeleteTopicsRequest()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	req.Topics, req.TopicNames, req.TimeoutMillis = append(req.Topics, topic), append(req.TopicNames, name), 60_000
	_, err = req.RequestWith(ctx, c)
	return err
}
