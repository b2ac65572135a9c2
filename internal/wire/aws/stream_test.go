package aws

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	oracle "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/wire/aws/codec"
	"millrace/internal/wire/aws/tlsca"
)

// pusher answers SubscribeToShard with what the test pushes.
type pusher struct {
	kinesisapi.Unimplemented

	events chan pushed   // closed: the stream ends
	ended  chan error    // what the context said when a stream ended
	begun  chan struct{} // one for each stream
}

type pushed struct {
	event *kinesisapi.SubscribeToShardEvent
	err   error
}

func newPusher() *pusher {
	return &pusher{events: make(chan pushed), ended: make(chan error, 2000), begun: make(chan struct{}, 2000)}
}

func (p *pusher) SubscribeToShard(ctx context.Context, in *kinesisapi.SubscribeToShardInput) (*kinesisapi.SubscribeToShardOutput, error) {
	if in.ShardId == "shardId-9" {
		return nil, kinesisapi.ResourceNotFoundException("no such shard")
	}
	return &kinesisapi.SubscribeToShardOutput{EventStream: func(yield func(*kinesisapi.SubscribeToShardEventStream, error) bool) {
		p.begun <- struct{}{}
		defer func() { p.ended <- ctx.Err() }()
		for {
			select {
			case <-ctx.Done():
				return
			case e, ok := <-p.events:
				if !ok || !yield(&kinesisapi.SubscribeToShardEventStream{SubscribeToShardEvent: e.event}, e.err) || e.err != nil {
					return
				}
			}
		}
	}}, nil
}

func subscribeInput(shard string) *kinesis.SubscribeToShardInput {
	return &kinesis.SubscribeToShardInput{
		ConsumerARN: sdk.String("arn:aws:kinesis:eu-west-1:000000000000:stream/s/consumer/c:1"), ShardId: sdk.String(shard),
		StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeLatest},
	}
}

// streamClient is client for answers that stay open. The SDK closes the body of its request when the head of the
// answer is there, while net/http may still look whether the body has more to send, takes that for a failure,
// and closes the connection. A server as near as this one is fast enough for it; so the body is a copy.
func streamClient(t *testing.T, http2 bool, trust *tls.Config) *http.Client {
	t.Helper()
	c := client(t, http2, trust)
	c.Transport = copyBody{c.Transport}
	return c
}

type copyBody struct{ http.RoundTripper }

func (c copyBody) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(b))
	return c.RoundTripper.RoundTrip(r)
}

// transports calls f with a client of each way to reach a server of p.
func transports(t *testing.T, f func(t *testing.T, p *pusher, k *kinesis.Client)) {
	ca, err := tlsca.EnsureCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	serverTLS, err := ca.ServerConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.CertPEM())
	for _, scheme := range []string{"http", "https"} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %t", scheme, http2), func(t *testing.T) {
				p := newPusher()
				addr := serve(t, Options{TLS: serverTLS}, kinesisapi.Bind(p))
				_, port, _ := strings.Cut(addr, ":")
				f(t, p, sdkClient(scheme+"://localhost:"+port, "AKID", "secret", streamClient(t, http2, &tls.Config{RootCAs: roots})))
			})
		}
	}
}

func TestEventsReachTheSDKOneByOne(t *testing.T) {
	transports(t, func(t *testing.T, p *pusher, k *kinesis.Client) {
		out, err := k.SubscribeToShard(t.Context(), subscribeInput("shardId-0"))
		if err != nil {
			t.Fatal(err)
		}
		stream := out.GetStream()
		defer stream.Close()
		for i, size := range []int{1, 0, 100_000} { // each is read before the next one is made
			e := &kinesisapi.SubscribeToShardEvent{ContinuationSequenceNumber: new(fmt.Sprint(i)), MillisBehindLatest: int64(i)}
			if size > 0 {
				e.Records = []kinesisapi.Record{{Data: bytes.Repeat([]byte("x"), size), SequenceNumber: "7", PartitionKey: new("ké"), ApproximateArrivalTimestamp: new(arrival)}}
			}
			p.events <- pushed{event: e}
			got, ok := (<-stream.Events()).(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent)
			if !ok || *got.Value.ContinuationSequenceNumber != fmt.Sprint(i) || *got.Value.MillisBehindLatest != int64(i) {
				t.Fatalf("event %d: got %+v, %v", i, got, stream.Err())
			}
			if size == 0 {
				continue
			}
			if r := got.Value.Records[0]; len(r.Data) != size || *r.PartitionKey != "ké" || !r.ApproximateArrivalTimestamp.Equal(arrival) {
				t.Errorf("event %d: got record of %d bytes, %+v", i, len(r.Data), r.PartitionKey)
			}
		}
		close(p.events)
		if e, ok := <-stream.Events(); ok || stream.Err() != nil {
			t.Errorf("at the end: got %+v, %v; want a clean end", e, stream.Err())
		}
	})
}

func TestErrorEndsAStreamAsException(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{kinesisapi.ResourceInUseException("taken over"), "ResourceInUseException: taken over"},
		{errors.New("secret detail"), "InternalFailure"},
	} {
		transports(t, func(t *testing.T, p *pusher, k *kinesis.Client) {
			out, err := k.SubscribeToShard(t.Context(), subscribeInput("shardId-0"))
			if err != nil {
				t.Fatal(err)
			}
			stream := out.GetStream()
			defer stream.Close()
			p.events <- pushed{err: c.err}
			e, ok := <-stream.Events()
			if err := stream.Err(); ok || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "detail") {
				t.Errorf("got %+v, %v; want %s", e, err, c.want)
			}
		})
	}
}

func TestRefusedStreamIsAnOrdinaryError(t *testing.T) {
	transports(t, func(t *testing.T, _ *pusher, k *kinesis.Client) {
		_, err := k.SubscribeToShard(t.Context(), subscribeInput("shardId-9"))
		var none *types.ResourceNotFoundException
		if !errors.As(err, &none) || none.ErrorMessage() != "no such shard" {
			t.Errorf("got %v, want ResourceNotFoundException", err)
		}
	})
}

func TestStreamEndsWhenItsClientLeaves(t *testing.T) {
	transports(t, func(t *testing.T, p *pusher, k *kinesis.Client) {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		out, err := k.SubscribeToShard(ctx, subscribeInput("shardId-0"))
		if err != nil {
			t.Fatal(err)
		}
		<-p.begun
		leave()
		out.GetStream().Close()
		if err := <-p.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the context said %v, want canceled", err)
		}
	})
}

func TestShutdownEndsStreamsCleanly(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		p := newPusher()
		s, addr := serveBinding(t, Options{}, kinesisapi.Bind(p))
		out, err := sdkClient("http://"+addr, "AKID", "secret", streamClient(t, http2, nil)).SubscribeToShard(t.Context(), subscribeInput("shardId-0"))
		if err != nil {
			t.Fatal(err)
		}
		<-p.begun
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(ctx) }()
		if e, ok := <-out.GetStream().Events(); ok || out.GetStream().Err() != nil {
			t.Errorf("HTTP/2 %t: got %+v, %v; want a clean end", http2, e, out.GetStream().Err())
		}
		out.GetStream().Close()
		if err := <-down; err != nil {
			t.Errorf("HTTP/2 %t: Shutdown: %v", http2, err)
		}
	}
}

// A request of HTTP/1.1 is read under a deadline, which must not end the stream that answers it.
func TestStreamOutlivesTheDeadlineOfItsRequest(t *testing.T) {
	p := newPusher()
	s := NewServer(Options{})
	s.http.ReadTimeout = 50 * time.Millisecond
	s.Handle(kinesisapi.Bind(p))
	addr := listen(t, s)
	for _, http2 := range []bool{false, true} {
		out, err := sdkClient("http://"+addr, "AKID", "secret", streamClient(t, http2, nil)).SubscribeToShard(t.Context(), subscribeInput("shardId-0"))
		if err != nil {
			t.Fatal(err)
		}
		stream := out.GetStream()
		for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
			p.events <- pushed{event: &kinesisapi.SubscribeToShardEvent{}}
			if e := <-stream.Events(); e == nil {
				t.Fatalf("HTTP/2 %t: the stream ended: %v", http2, stream.Err())
			}
		}
		stream.Close()
		<-p.ended
	}
}

// The window of an HTTP/2 stream fills up when its client does not take what comes.
func TestClientThatDoesNotReadIsCut(t *testing.T) {
	p := newPusher()
	addr := serve(t, Options{eventWait: 50 * time.Millisecond}, kinesisapi.Bind(p))
	out, err := sdkClient("http://"+addr, "AKID", "secret", streamClient(t, true, nil)).SubscribeToShard(t.Context(), subscribeInput("shardId-0"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.GetStream().Close()
	large := &kinesisapi.SubscribeToShardEvent{Records: []kinesisapi.Record{{Data: make([]byte, 2<<20), SequenceNumber: "1"}}}
	for {
		select {
		case p.events <- pushed{event: large}:
		case <-p.ended:
			return
		case <-time.After(20 * time.Second):
			t.Fatal("the stream is still open")
		}
	}
}

func TestEventsAreWrittenInTheEncodingOfTheRequest(t *testing.T) {
	input := kinesisapi.Bind(kinesisapi.Unimplemented{}).Operations["SubscribeToShard"].Input
	shape := kinesisapi.Bind(kinesisapi.Unimplemented{}).Operations["SubscribeToShard"].Output.Members[0].Shape.Elem.Members[0].Shape
	in := &kinesisapi.SubscribeToShardInput{
		ConsumerARN: "arn:aws:kinesis:eu-west-1:000000000000:stream/s/consumer/c:1", ShardId: "shardId-0",
		StartingPosition: &kinesisapi.StartingPosition{Type: kinesisapi.ShardIteratorTypeLatest},
	}
	event := &kinesisapi.SubscribeToShardEvent{
		Records:     []kinesisapi.Record{{Data: []byte("data"), SequenceNumber: "7"}},
		ChildShards: []kinesisapi.ChildShard{{ShardId: "shardId-1", ParentShards: []string{"shardId-0"}}},
	}
	for _, c := range []struct {
		contentType, initial, payload string
		body                          []byte
		decode                        func([]byte, *api.Shape, any) *api.Error
	}{
		{typeJSON11, "{}", "application/json", codec.AppendJSON(nil, input, in), codec.DecodeJSON},
		{typeCBOR, "\xbf\xff", "application/cbor", codec.AppendCBOR(nil, input, in), codec.DecodeCBOR},
	} {
		p := newPusher()
		addr := serve(t, Options{}, kinesisapi.Bind(p))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr, bytes.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Target", "Kinesis_20131202.SubscribeToShard")
		req.Header.Set("Content-Type", c.contentType)
		res, err := client(t, false, nil).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || got != "application/vnd.amazon.eventstream" {
			t.Fatalf("%s: got %d, %s", c.contentType, res.StatusCode, got)
		}
		if got := res.Header.Get("X-Amzn-Requestid"); got == "" {
			t.Errorf("%s: the answer has no request id", c.contentType)
		}
		d := oracle.NewDecoder()
		m, err := d.Decode(res.Body, nil)
		if err != nil || string(m.Payload) != c.initial || m.Headers.Get(":event-type").String() != "initial-response" ||
			m.Headers.Get(":message-type").String() != "event" || m.Headers.Get(":content-type").String() != c.payload {
			t.Errorf("%s: initial response: got %q, %v, %v", c.contentType, m.Payload, m.Headers, err)
		}
		p.events <- pushed{event: event}
		m, err = d.Decode(res.Body, nil)
		var got kinesisapi.SubscribeToShardEvent
		if err != nil || m.Headers.Get(":event-type").String() != "SubscribeToShardEvent" {
			t.Fatalf("%s: got %v, %v", c.contentType, m.Headers, err)
		}
		if err := c.decode(m.Payload, shape, &got); err != nil || string(got.Records[0].Data) != "data" ||
			got.ContinuationSequenceNumber != nil || got.ChildShards[0].ParentShards[0] != "shardId-0" {
			t.Errorf("%s: got %+v, %v", c.contentType, got, err)
		}
		if bytes.Contains(m.Payload, []byte("ContinuationSequenceNumber")) {
			t.Errorf("%s: an absent member is in %q", c.contentType, m.Payload)
		}
		close(p.events)
		if rest, err := io.ReadAll(res.Body); len(rest) > 0 || err != nil {
			t.Errorf("%s: at the end: got %q, %v", c.contentType, rest, err)
		}
	}
}

func TestBindingsThatCannotBeServedAreRefused(t *testing.T) {
	streaming := kinesisapi.Bind(kinesisapi.Unimplemented{}).Operations["SubscribeToShard"]
	operation := func(o api.Operation) map[string]*api.Operation { return map[string]*api.Operation{"O": &o} }
	for name, b := range map[string]*api.Binding{
		"another protocol":        {Protocols: []api.Protocol{api.ProtocolRESTXML}, TargetPrefix: "T", JSONVersion: "1.1"},
		"no target":               {JSONVersion: "1.1"},
		"no JSON version":         {TargetPrefix: "T"},
		"stream without events":   {TargetPrefix: "T", JSONVersion: "1.1", Operations: operation(api.Operation{Output: streaming.Output})},
		"events without a stream": {TargetPrefix: "T", JSONVersion: "1.1", Operations: operation(api.Operation{Events: streaming.Events})},
		"a stream of the client":  {TargetPrefix: "T", JSONVersion: "1.1", Operations: operation(api.Operation{Input: streaming.Output})},
		"a stream and other members": {TargetPrefix: "T", JSONVersion: "1.1", Operations: operation(api.Operation{
			Output: &api.Shape{Kind: api.KindStruct, Members: append(streaming.Input.Members[:1:1], streaming.Output.Members...)}, Events: streaming.Events,
		})},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: was accepted", name)
				}
			}()
			NewServer(Options{}).Handle(b)
		}()
	}
}
