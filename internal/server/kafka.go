package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/internal/api"
	"millrace/internal/api/kafkaapi"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb"
	"millrace/internal/service/kafka"
	"millrace/internal/service/kinesis"
	wire "millrace/internal/wire/kafka"
)

// Broker configs that admin clients are shown: the folder of the logs, the addresses that are listened on and those that
// clients are told.
const (
	logDirs             = "log.dirs"
	listenersConfig     = "listeners"
	advertisedListeners = "advertised.listeners"
)

// showListeners sets the configs that tell of listeners, where they are not said. An address that clients came in on is not
// known yet: its listener's own stands for it.
func showListeners(configs map[string]string, listeners []kafkaListener) {
	own, told := make([]string, len(listeners)), make([]string, len(listeners))
	for i, l := range listeners {
		own[i] = l.name + "://" + l.listen
		told[i] = own[i]
		if l.host == "" {
			continue
		}
		port := strconv.Itoa(int(l.port))
		if _, listen, err := net.SplitHostPort(l.listen); err == nil && l.port == 0 {
			port = listen
		}
		told[i] = l.name + "://" + net.JoinHostPort(l.host, port)
	}
	for name, addresses := range map[string][]string{listenersConfig: own, advertisedListeners: told} {
		if _, said := configs[name]; !said {
			configs[name] = strings.Join(addresses, ",")
		}
	}
}

// openKafka starts the broker, unless no listener is configured. Its listeners open with listenKafka.
func (s *Server) openKafka(listeners []kafkaListener, users map[string]string) error {
	if len(listeners) == 0 {
		return nil
	}
	configs, err := s.opts.kafkaConfigs()
	if err != nil {
		return err
	}
	if _, said := configs[logDirs]; !said && !s.opts.InMemory {
		if configs[logDirs], err = filepath.Abs(s.opts.Data); err != nil {
			return err
		}
	}
	showListeners(configs, listeners)
	s.broker, err = kafka.New(kafka.Options{
		Store: s.store, Logger: s.log, DefaultRegion: s.opts.Region, Users: users, Configs: configs, Streams: kinesisStreams{s.kinesis},
		Tables: kafkaTables{s.tables},
	})
	if err != nil {
		return err
	}
	observe := newKafkaMetrics(s.metrics.registry)
	s.kafka = wire.NewServer(s.broker, wire.Options{Logger: s.log, Observe: func(key kafkaapi.Key, d time.Duration, in, out int) {
		observe.request(key, d, in, out)
		s.quiet.touch()
	}})
	return nil
}

// kafkaMetrics are what /metrics tells of Kafka requests, by API.
type kafkaMetrics struct{ by [kafkaKeys]*kafkaCounters }

// kafkaKeys bounds the keys that are counted; none that is served is as high.
const kafkaKeys = 128

// kafkaCounters are looked up once, not for each request.
type kafkaCounters struct {
	seconds prometheus.Observer
	in, out prometheus.Counter
}

func newKafkaMetrics(registry *prometheus.Registry) *kafkaMetrics {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "millrace_kafka_request_seconds", Help: "Time from a request's arrival until its answer is complete; for Fetch and JoinGroup with the wait.",
		Buckets: []float64{.0002, .0005, .001, .0025, .005, .01, .025, .05, .1, .5, 1, 5},
	}, []string{"api"})
	bytes := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"api"})
	}
	in := bytes("millrace_kafka_request_bytes_total", "Bytes of Kafka requests.")
	out := bytes("millrace_kafka_response_bytes_total", "Bytes of Kafka answers.")
	registry.MustRegister(seconds, in, out)
	m := &kafkaMetrics{}
	for _, api := range kafkaapi.Served() {
		name := api.Key.Name()
		m.by[api.Key] = &kafkaCounters{seconds.WithLabelValues(name), in.WithLabelValues(name), out.WithLabelValues(name)}
	}
	return m
}

func (m *kafkaMetrics) request(key kafkaapi.Key, d time.Duration, in, out int) {
	c := m.by[key]
	c.seconds.Observe(d.Seconds())
	c.in.Add(float64(in))
	c.out.Add(float64(out))
}

// listenKafka opens the Kafka listeners. localhost stands for both loopback addresses, as for the others.
func (s *Server) listenKafka(all []kafkaListener, config *tls.Config) error {
	for i := range all {
		l := &all[i]
		opened, err := listen(l.listen)
		if err != nil {
			return fmt.Errorf("--kafka-listen %s: %w", l.listen, err)
		}
		o := wire.ListenerOptions{Name: l.name, AdvertisedHost: l.host, AdvertisedPort: int(l.port), Authenticate: l.sasl}
		if l.tls {
			if o.TLS, err = kafkaTLS(config); err != nil {
				return errors.Join(err, closeAll(opened))
			}
		}
		for _, one := range opened {
			s.serve(func() error { return s.kafka.Serve(one, o) })
		}
		addr := opened[0].Addr().String()
		if s.addr.Kafka == "" {
			s.addr.Kafka, s.addr.KafkaListeners = addr, map[string]string{}
		}
		s.addr.KafkaListeners[l.name] = addr
	}
	return nil
}

// kafkaTLS is the server's certificate for Kafka, which has no protocol to agree on.
func kafkaTLS(config *tls.Config) (*tls.Config, error) {
	if config == nil {
		return nil, errors.New("a server in memory has no certificate: give it --tls-cert and --tls-key")
	}
	config = config.Clone()
	config.NextProtos = nil
	return config, nil
}

func closeAll(listeners []net.Listener) error {
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// kinesisStreams deletes streams for clients of Kafka.
type kinesisStreams struct{ service *kinesis.Service }

// DeleteStream implements kafka.Streams. Consumers of the stream go with it, as Kafka's clients expect of a topic.
func (k kinesisStreams) DeleteStream(ctx context.Context, account, region, name string) error {
	ctx = api.WithCall(ctx, &api.Call{Service: "kinesis", Operation: "DeleteStream", Account: account, Region: region})
	_, err := k.service.DeleteStream(ctx, &kinesisapi.DeleteStreamInput{StreamName: &name, EnforceConsumerDeletion: new(true)})
	return err
}

// kafkaTables shows changes of tables to clients of Kafka.
type kafkaTables struct{ service *dynamodb.Service }

// View implements kafka.Tables.
func (k kafkaTables) View(tx store.ReadTx, topic *catalog.Topic) (kafka.TableView, error) {
	view, err := k.service.TopicView(tx, topic)
	if err != nil {
		return nil, err
	}
	return view, nil
}
