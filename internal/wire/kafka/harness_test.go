package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/api/kafkaapi"
)

// patience is how long a test waits for something that comes in microseconds.
const patience = 20 * time.Second

// scripted is a handler of functions; what a test does not give answers with nothing.
type scripted struct {
	produce func(*ProduceRequest)
	fetch   func(*FetchRequest)
	handle  func(*Request)
	closed  func(*Conn)
}

func (h *scripted) Produce(r *ProduceRequest) { h.produce(r) }
func (h *scripted) Fetch(r *FetchRequest)     { h.fetch(r) }

func (h *scripted) Handle(r *Request) {
	if h.handle != nil {
		h.handle(r)
		return
	}
	answerVersions(r)
}

func (h *scripted) Closed(c *Conn) {
	if h.closed != nil {
		h.closed(c)
	}
}

func answerVersions(r *Request) {
	answer := kafkaapi.NewAPIVersionsResponse()
	for _, api := range kafkaapi.Served() {
		answer.APIKeys = append(answer.APIKeys, kafkaapi.APIVersionsResponseAPIVersion{APIKey: int16(api.Key), MinVersion: api.Min, MaxVersion: api.Max})
	}
	r.Reply(&answer)
}

// lines is a log that a test looks into.
type lines struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// running is a server on a port of its own.
type running struct {
	*Server
	addr string
	log  *lines
}

func start(tb testing.TB, h Handler, opts Options, l ListenerOptions) running {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	log := &lines{}
	opts.Logger = slog.New(slog.NewTextHandler(log, nil))
	s := NewServer(h, opts)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln, l) }()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			tb.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			tb.Errorf("serve: %v", err)
		}
	})
	return running{s, ln.Addr().String(), log}
}

// client is a bare socket.
type client struct {
	net.Conn
	t testing.TB
}

func (r running) dial(tb testing.TB) client {
	tb.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	return client{c, tb}
}

func framed(m kmsg.Request, correlation int32) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("raw")).AppendRequest(nil, m, correlation)
}

func (c client) send(correlation int32, m kmsg.Request) {
	c.t.Helper()
	c.write(framed(m, correlation))
}

func (c client) write(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// frame reads one answer whole, without its size.
func (c client) frame() []byte {
	c.t.Helper()
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		c.t.Fatal(err)
	}
	return b
}

// receive reads the answer to a request, which must have the correlation id.
func (c client) receive(correlation int32, m kmsg.Response) {
	c.t.Helper()
	b := c.frame()
	if got := int32(binary.BigEndian.Uint32(b)); got != correlation {
		c.t.Fatalf("got the answer to request %d, want %d", got, correlation)
	}
	b = b[4:]
	if m.IsFlexible() && m.Key() != int16(kafkaapi.KeyAPIVersions) {
		if b[0] != 0 {
			c.t.Fatalf("response header has %d tagged fields", b[0])
		}
		b = b[1:]
	}
	if err := m.ReadFrom(b); err != nil {
		c.t.Fatalf("%T: %v\n% x", m, err, b)
	}
}

// isCut waits until the server has closed the connection.
func (c client) isCut() {
	c.t.Helper()
	n, err := c.Read(make([]byte, 1))
	if n > 0 || err == nil || errors.Is(err, context.DeadlineExceeded) {
		c.t.Fatalf("got %d bytes, %v, want the end of the connection", n, err)
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		c.t.Fatal("the connection is still open")
	}
}

// eventually waits for a condition.
func eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// idleMemory fails when frames are still counted.
func (r running) idleMemory(tb testing.TB) {
	tb.Helper()
	eventually(tb, "all frames are given back", func() bool {
		if !r.inFlight.TryAcquire(r.opts.MaxInFlightBytes) {
			return false
		}
		r.inFlight.Release(r.opts.MaxInFlightBytes)
		return true
	})
}

func produceOf(partition int32, acks int16, records []byte) *kmsg.ProduceRequest {
	m := kmsg.NewPtrProduceRequest()
	m.SetVersion(9)
	m.Acks = acks
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = "t"
	topic.Partitions = append(topic.Partitions, p)
	m.Topics = append(m.Topics, topic)
	return m
}

func versionsRequest(version int16) *kmsg.ApiVersionsRequest {
	m := kmsg.NewPtrApiVersionsRequest()
	m.SetVersion(version)
	m.ClientSoftwareName, m.ClientSoftwareVersion = "raw", "1.0"
	return m
}
