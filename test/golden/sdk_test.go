package golden

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"reflect"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	client "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/wire/aws"
)

// texts are values that patterns of the model allow; the first that a shape takes is its value.
var texts = []string{
	"text", "7", "shardId-000000000001", "arn:aws:kinesis:us-east-1:123456789012:stream/text",
	"arn:aws:kinesis:us-east-1:123456789012:stream/text/consumer/reader:1", "abcdefghijklmnopqrst-abc",
	"arn:aws:iam::123456789012:role/text", "arn:aws:s3:::text", "arn:aws:s3tables:us-east-1:123456789012:bucket/text", "123456789012",
	"arn:aws:kinesis:us-east-1:123456789012:queue/text",
	"arn:aws:glue:us-east-1:123456789012:schema/text/text", "arn:aws:kinesis:us-east-1:123456789012:channel/text:1",
}

// newer are members of our model that the SDK has not heard of; a test fails when it has.
var newer = map[string]bool{"QueueCount": true}

// sample is a document with every member of a shape, valid by the model. n makes values differ.
func sample(t *testing.T, s *api.Shape, n int) any {
	t.Helper()
	switch s.Kind {
	case api.KindString:
		return text(t, s, n)
	case api.KindBlob:
		return jsonForm.blob([]byte{0, 255, byte(n)})
	case api.KindBool:
		return true
	case api.KindInt32, api.KindInt64:
		return float64(max(s.Min, 1) + int64(n)%max(1, s.Max-s.Min))
	case api.KindFloat32, api.KindFloat64:
		return 1.5
	case api.KindTimestamp:
		return jsonForm.time(time.UnixMilli(1_700_000_000_120 + int64(n)))
	case api.KindList:
		var list []any
		for i := range min(2, int(max(s.Max, s.Min))|2) {
			list = append(list, sample(t, s.Elem, n+i))
		}
		return list
	case api.KindJSON: // no service of the SDK's kinesis has it
	case api.KindMap:
		return map[string]any{"key": sample(t, s.Elem, n)}
	case api.KindStruct:
		members := map[string]any{}
		for i, m := range s.Members {
			if m.Shape.Kind != api.KindStream && !newer[m.Name] {
				members[m.Name] = sample(t, m.Shape, n+i)
			}
		}
		return members
	case api.KindStream:
	}
	t.Fatalf("no sample of %s", s.Name)
	return nil
}

func text(t *testing.T, s *api.Shape, n int) string {
	t.Helper()
	if len(s.Enum) > 0 {
		return s.Enum[n%len(s.Enum)]
	}
	for _, candidate := range texts {
		holder := &struct{ Value string }{candidate}
		if api.Validate(&api.Shape{Kind: api.KindStruct, Members: []api.Member{{Name: "Value", Shape: s}}, Order: []uint8{0}}, holder) == nil {
			return candidate
		}
	}
	t.Fatalf("no text for %s, pattern %s", s.Name, s.Pattern)
	return ""
}

// oracle answers every operation with a document and keeps what came in.
type oracle struct {
	in  any // document of the last input
	out any
}

// bind makes o the service behind every operation.
func (o *oracle) bind() *api.Binding {
	b := kinesisapi.Bind(kinesisapi.Unimplemented{})
	for _, op := range b.Operations {
		op.Invoke = func(_ context.Context, in any) (any, error) {
			o.in = jsonForm.of(in) // at once: what it points to is gone after the answer
			if op.Output == nil {
				return nil, nil
			}
			out := reflect.New(op.Output.Type).Interface()
			if op.Events != nil {
				return out, nil
			}
			return out, set(out, o.out)
		}
		if op.Events != nil {
			op.Events = func(any) iter.Seq2[any, error] { return o.event }
		}
	}
	return b
}

// event is a stream of one event, of which o.out is the value.
func (o *oracle) event(yield func(any, error) bool) {
	e := &kinesisapi.SubscribeToShardEventStream{SubscribeToShardEvent: &kinesisapi.SubscribeToShardEvent{}}
	err := set(e.SubscribeToShardEvent, o.out)
	yield(e, err)
}

// serve puts o behind a front and gives a client of it.
func serve(t *testing.T, o *oracle) *client.Client {
	t.Helper()
	s := aws.NewServer(aws.Options{})
	s.Handle(o.bind())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return client.New(client.Options{
		Region: "us-east-1", BaseEndpoint: sdk.String("http://" + l.Addr().String()), RetryMaxAttempts: 1,
		HTTPClient:  &http.Client{Transport: toServer{l.Addr().String()}},
		Credentials: credentials.NewStaticCredentialsProvider("123456789012", "any", ""),
	})
}

// toServer sends requests to one address: a StreamId makes the SDK choose an endpoint of AWS, whatever it was given.
// It also copies bodies, since the SDK closes one that net/http is still reading when the head of an answer that
// stays open comes at once.
type toServer struct{ addr string }

func (s toServer) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = "http", s.addr, s.addr
	r.Body = io.NopCloser(bytes.NewReader(b))
	return http.DefaultTransport.RoundTrip(r)
}

// TestEveryMemberPassesBetweenTheSDKAndTheService calls each operation that the SDK has with all members set, several
// times with other values, and compares what the service got and what the SDK read.
func TestEveryMemberPassesBetweenTheSDKAndTheService(t *testing.T) {
	o := &oracle{}
	k := serve(t, o)
	called := map[string]bool{}
	for name, op := range model.Operations {
		method := reflect.ValueOf(k).MethodByName(name)
		if !method.IsValid() {
			continue // newer than the SDK
		}
		called[name] = true
		t.Run(name, func(t *testing.T) {
			for n := range 5 {
				o.out = answerOf(t, op, n)
				want := sample(t, op.Input, n)
				in := reflect.New(method.Type().In(1).Elem())
				if err := set(in.Interface(), want); err != nil {
					t.Fatalf("input: %v", err)
				}
				got := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), in})
				if err, ok := reflect.TypeAssert[error](got[1]); ok {
					t.Fatalf("input %s: %v", show(want), err)
				}
				equal(t, "the service got", o.in, want)
				equal(t, "the SDK read", readBack(t, got[0].Interface()), o.out)
			}
		})
	}
	allServed(t, called)
}

// answerOf is a sample of an operation's answer, or of its event.
func answerOf(t *testing.T, op *api.Operation, n int) any {
	t.Helper()
	switch {
	case op.Output == nil:
		return map[string]any{}
	case op.Events != nil:
		return sample(t, op.Output.Members[0].Shape.Elem.Members[0].Shape, n)
	}
	return sample(t, op.Output, n)
}

// readBack is what the SDK read as a document; of a stream, its event.
func readBack(t *testing.T, out any) any {
	t.Helper()
	subscribed, ok := out.(*client.SubscribeToShardOutput)
	if !ok {
		return jsonForm.of(out)
	}
	stream := subscribed.GetStream()
	var all []any
	for e := range stream.Events() {
		all = append(all, jsonForm.of(e.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent).Value))
	}
	if err := stream.Close(); err != nil || stream.Err() != nil || len(all) != 1 {
		t.Fatalf("events: got %d, %v, %v, want one", len(all), err, stream.Err())
	}
	return all[0]
}

func TestTheSDKHasNotHeardOfNewerMembers(t *testing.T) {
	for name := range newer {
		if _, known := reflect.TypeFor[types.StreamDescriptionSummary]().FieldByName(name); known {
			t.Errorf("the SDK has %s: take it into the comparison", name)
		}
	}
}

// TestDocumentsSurviveTheirStructs holds set and of to each other for random documents.
func TestDocumentsSurviveTheirStructs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, op := range model.Operations {
		want := sample(t, op.Input, r.IntN(1000))
		in := op.New()
		if err := set(in, want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		equal(t, fmt.Sprint(name, " set and read"), jsonForm.of(in), want)
	}
}
