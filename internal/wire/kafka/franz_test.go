package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/api/kafkaapi/kbin"
)

// partitionLog is a broker with one topic of one partition in memory, enough for a producer and a consumer.
type partitionLog struct {
	mu      sync.Mutex
	batches [][]byte     // guarded by mu
	next    int64        // guarded by mu
	waiting []*FetchCall // at the end of the log; guarded by mu
	ended   bool         // nobody waits any more; guarded by mu
}

var topicID = kbin.UUID{1, 2, 3}

func (l *partitionLog) Closed(*Conn) {}

func (l *partitionLog) Produce(r *ProduceRequest) {
	l.mu.Lock()
	for t := range r.Topics {
		for i := range r.Topics[t].Partitions {
			p := &r.Topics[t].Partitions[i]
			b := slices.Clone(p.Records)
			p.BaseOffset, p.LogStartOffset = l.next, 0
			binary.BigEndian.PutUint64(b, uint64(l.next))
			l.next += int64(binary.BigEndian.Uint32(b[57:])) // the count of records
			l.batches = append(l.batches, b)
		}
	}
	waiting := l.waiting
	l.waiting = nil
	l.mu.Unlock()
	r.Done()
	for _, call := range waiting {
		call.Send(l.read(max(0, l.next-1)))
	}
}

func (l *partitionLog) Fetch(r *FetchRequest) {
	from := r.Topics[0].Partitions[0].FetchOffset
	l.mu.Lock()
	if from >= l.next && !l.ended {
		l.waiting = append(l.waiting, r.Call)
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	r.Call.Send(l.read(from))
}

// end answers those that wait, with nothing, and lets nobody wait any more.
func (l *partitionLog) end() {
	l.mu.Lock()
	waiting := l.waiting
	l.waiting, l.ended = nil, true
	l.mu.Unlock()
	for _, call := range waiting {
		call.Send(&FetchResponse{})
	}
}

func (l *partitionLog) read(from int64) *FetchResponse {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := NewFetchedPartition(0)
	p.HighWatermark, p.LastStableOffset, p.LogStartOffset = l.next, l.next, 0
	for i, b := range l.batches {
		end := l.next
		if i+1 < len(l.batches) {
			end = int64(binary.BigEndian.Uint64(l.batches[i+1]))
		}
		if end > from {
			p.Records = append(p.Records, b)
		}
	}
	return &FetchResponse{Topics: []FetchedTopic{{Name: "t", ID: topicID, Partitions: []FetchedPartition{p}}}}
}

func (l *partitionLog) Handle(r *Request) {
	host, port := r.Conn().Endpoint()
	switch m := r.Body.(type) {
	case *kafkaapi.MetadataRequest:
		topic := kafkaapi.NewMetadataResponseTopic()
		name := "t"
		topic.Name, topic.TopicID = &name, topicID
		p := kafkaapi.NewMetadataResponsePartition()
		p.ReplicaNodes, p.IsrNodes = []int32{0}, []int32{0}
		topic.Partitions = []kafkaapi.MetadataResponsePartition{p}
		answer := kafkaapi.NewMetadataResponse()
		answer.Brokers = []kafkaapi.MetadataResponseBroker{{Host: host, Port: int32(port)}}
		answer.Topics = []kafkaapi.MetadataResponseTopic{topic}
		r.Reply(&answer)
	case *kafkaapi.InitProducerIDRequest:
		r.Reply(&kafkaapi.InitProducerIDResponse{ProducerID: 7})
	case *kafkaapi.ListOffsetsRequest:
		p := kafkaapi.NewListOffsetsResponseListOffsetsPartitionResponse()
		p.Offset = 0
		r.Reply(&kafkaapi.ListOffsetsResponse{Topics: []kafkaapi.ListOffsetsResponseListOffsetsTopicResponse{{
			Name: m.Topics[0].Name, Partitions: []kafkaapi.ListOffsetsResponseListOffsetsPartitionResponse{p},
		}}})
	default:
		answerVersions(r)
	}
}

func TestFranzGoProducesAndConsumes(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secure), func(t *testing.T) {
			var l ListenerOptions
			opts := []kgo.Opt{kgo.DefaultProduceTopic("t"), kgo.ConsumeTopics("t"), kgo.DisableFetchSessions()}
			if secure {
				var roots *x509.CertPool
				l.TLS, roots = certificate(t)
				opts = append(opts, kgo.DialTLSConfig(&tls.Config{RootCAs: roots, ServerName: "localhost"}))
			}
			broker := &partitionLog{}
			s := start(t, broker, Options{}, l)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.addr))...)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			const n = 2000
			for i := range n {
				client.Produce(ctx, kgo.StringRecord(fmt.Sprintf("record %d, with some more text", i)), func(_ *kgo.Record, err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}
			for next := 0; next < n; {
				fetches := client.PollFetches(ctx)
				if err := fetches.Err(); err != nil {
					t.Fatal(err)
				}
				for r := range fetches.RecordsAll() {
					if want := fmt.Sprintf("record %d, with some more text", next); string(r.Value) != want || r.Offset != int64(next) {
						t.Fatalf("got %q at %d, want %q at %d", r.Value, r.Offset, want, next)
					}
					next++
				}
			}
			if err := client.Flush(ctx); err != nil { // records may come before their answers
				t.Error(err)
			}
			client.Close()
			broker.end()
		})
	}
}

// certificate is one for localhost, signed by itself.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

func TestPlainTextOnATLSListenerEndsTheConnection(t *testing.T) {
	config, _ := certificate(t)
	s := start(t, &scripted{}, Options{}, ListenerOptions{TLS: config})
	c := s.dial(t)
	c.send(1, versionsRequest(0))
	eventually(t, "the log says so", func() bool { return s.log.has("TLS handshake") })
}
