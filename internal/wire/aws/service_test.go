package aws

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
)

// memory is a stream in memory, enough of Kinesis for clients to talk to.
type memory struct {
	kinesisapi.Unimplemented

	mu      sync.Mutex
	forgets bool                // keeps no records and no calls
	records []kinesisapi.Record // guarded by mu
	calls   []api.Call          // guarded by mu
	sent    int                 // calls whose answer was written; guarded by mu
	block   chan struct{}       // DescribeLimits waits for it
	entered chan struct{}       // DescribeLimits says that it waits
}

func (m *memory) note(ctx context.Context) {
	if m.forgets {
		return
	}
	c := api.CallFrom(ctx)
	c.OnSent(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.sent++
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, *c)
}

func (m *memory) lastCall(t *testing.T) api.Call {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.calls) == 0 {
		t.Fatal("no call reached the service")
	}
	return m.calls[len(m.calls)-1]
}

// arrival is when every record of memory arrived.
var arrival = time.UnixMilli(1_763_600_000_123).UTC()

func (m *memory) put(data []byte, key *string) string {
	if m.forgets {
		return "1000"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	seq := strconv.Itoa(1000 + len(m.records))
	r := kinesisapi.Record{Data: slices.Clone(data), SequenceNumber: seq, ApproximateArrivalTimestamp: new(arrival)}
	if key != nil {
		r.PartitionKey = new(string(append([]byte(nil), *key...)))
	}
	m.records = append(m.records, r)
	return seq
}

func (m *memory) CreateStream(ctx context.Context, in *kinesisapi.CreateStreamInput) (*kinesisapi.CreateStreamOutput, error) {
	m.note(ctx)
	if in.StreamName == "taken" {
		return nil, kinesisapi.ResourceInUseException("Stream taken under account " + api.CallFrom(ctx).Account + " already exists.")
	}
	return &kinesisapi.CreateStreamOutput{}, nil
}

func (m *memory) PutRecord(ctx context.Context, in *kinesisapi.PutRecordInput) (*kinesisapi.PutRecordOutput, error) {
	m.note(ctx)
	return &kinesisapi.PutRecordOutput{ShardId: "shardId-000000000000", SequenceNumber: m.put(in.Data, in.PartitionKey)}, nil
}

func (m *memory) PutRecords(ctx context.Context, in *kinesisapi.PutRecordsInput) (*kinesisapi.PutRecordsOutput, error) {
	m.note(ctx)
	out := &kinesisapi.PutRecordsOutput{FailedRecordCount: new(int32)}
	for _, r := range in.Records {
		out.Records = append(out.Records, kinesisapi.PutRecordsResultEntry{
			ShardId: new("shardId-000000000000"), SequenceNumber: new(m.put(r.Data, r.PartitionKey)),
		})
	}
	return out, nil
}

func (m *memory) GetRecords(ctx context.Context, _ *kinesisapi.GetRecordsInput) (*kinesisapi.GetRecordsOutput, error) {
	m.note(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	return &kinesisapi.GetRecordsOutput{
		Records: slices.Clone(m.records), NextShardIterator: new("next"), MillisBehindLatest: new(int64),
	}, nil
}

func (m *memory) ListStreams(context.Context, *kinesisapi.ListStreamsInput) (*kinesisapi.ListStreamsOutput, error) {
	return nil, errors.New("secret detail")
}

func (m *memory) DeleteStream(context.Context, *kinesisapi.DeleteStreamInput) (*kinesisapi.DeleteStreamOutput, error) {
	panic("planted")
}

func (m *memory) DescribeLimits(ctx context.Context, _ *kinesisapi.DescribeLimitsInput) (*kinesisapi.DescribeLimitsOutput, error) {
	m.entered <- struct{}{}
	select {
	case <-m.block:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &kinesisapi.DescribeLimitsOutput{ShardLimit: 1}, nil
}

// start serves m on a free port until the test ends and gives the address.
func start(tb testing.TB, opts Options, m *memory) (*Server, string) {
	tb.Helper()
	m.block, m.entered = make(chan struct{}), make(chan struct{}, 1)
	return serveBinding(tb, opts, kinesisapi.Bind(m))
}

// serve is start for any binding.
func serve(tb testing.TB, opts Options, bindings ...*api.Binding) string {
	tb.Helper()
	_, addr := serveBinding(tb, opts, bindings...)
	return addr
}

func serveBinding(tb testing.TB, opts Options, bindings ...*api.Binding) (*Server, string) {
	tb.Helper()
	s := NewServer(opts)
	for _, b := range bindings {
		s.Handle(b)
	}
	return s, listen(tb, s)
}

// listen serves s on a free port until the test ends.
func listen(tb testing.TB, s *Server) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			tb.Errorf("Shutdown: %v", err)
		}
		if err := <-done; err != nil {
			tb.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

// client is an HTTP client that speaks only what is asked for.
func client(tb testing.TB, http2 bool, trust *tls.Config) *http.Client {
	tb.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	protocols.SetUnencryptedHTTP2(http2)
	tr := &http.Transport{Protocols: protocols, TLSClientConfig: trust}
	tb.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}
