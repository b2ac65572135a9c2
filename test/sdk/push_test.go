//go:build system

package sdk

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"millrace/test/process"
)

// wholeBody sends a copy of a request's body. The SDK closes the body once the head of an answer is there, while
// net/http may still look whether more of it is to be sent over HTTP/1.1, and then closes the connection; that is
// seen only with answers that stay open, from a server as near as ours.
type wholeBody struct{ http.RoundTripper }

func (w wholeBody) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(b))
	return w.RoundTripper.RoundTrip(r)
}

func TestSDKForGoIsPushedRecords(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startOn(t, process.Options{Data: data, Args: noQuotas})
	_, pem := authority(t, data)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for _, c := range []struct {
		name, scheme string
		http2        bool
	}{
		{"http1", "http", false},
		{"h2c", "http", true},
		{"tls-http1", "https", false},
		{"tls-h2", "https", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting for the time of a takeover
			protocols := new(http.Protocols)
			protocols.SetHTTP1(!c.http2)
			protocols.SetHTTP2(c.http2)
			protocols.SetUnencryptedHTTP2(c.http2)
			transport := &http.Transport{Protocols: protocols, TLSClientConfig: &tls.Config{RootCAs: roots}}
			t.Cleanup(transport.CloseIdleConnections)
			client := newGoClient(c.scheme+"://"+s.Ready.AWS, "push-"+c.name, &http.Client{Transport: wholeBody{transport}}, accessKey, secretKey)
			(&pushed{goClient: client}).play(t)
		})
	}
}

// pushed is a consumer of the one shard of a stream.
type pushed struct {
	*goClient
	streamARN, arn *string
	next           string // where the last event went on
}

func (p *pushed) play(t *testing.T) {
	must[*kinesis.CreateStreamOutput](t)(p.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &p.stream, ShardCount: aws.Int32(1)}))
	until(t, "ACTIVE", func() bool { return p.summary(t).StreamStatus == types.StreamStatusActive })
	p.streamARN = p.summary(t).StreamARN
	p.register(t)
	first := p.subscribe(t, types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon})
	p.follow(t, first, 0, 50)
	_, err := p.SubscribeToShard(t.Context(), p.input(types.StartingPosition{Type: types.ShardIteratorTypeLatest}))
	if _, ok := errors.AsType[*types.ResourceInUseException](err); !ok {
		t.Errorf("a second subscription at once: got %v, want ResourceInUseException", err)
	}
	second := p.takeOver(t)
	p.ended(t, first, new(types.ResourceInUseException).ErrorCode())
	p.follow(t, second, 50, 100)
	must[*kinesis.DeregisterStreamConsumerOutput](t)(p.DeregisterStreamConsumer(t.Context(), &kinesis.DeregisterStreamConsumerInput{ConsumerARN: p.arn}))
	p.ended(t, second, new(types.ResourceNotFoundException).ErrorCode())
	until(t, "the consumer to be gone", func() bool {
		_, err := p.DescribeStreamConsumer(t.Context(), &kinesis.DescribeStreamConsumerInput{ConsumerARN: p.arn})
		_, gone := errors.AsType[*types.ResourceNotFoundException](err)
		return gone
	})
	p.delete(t)
}

func (p *pushed) register(t *testing.T) {
	t.Helper()
	name := aws.String("consumer")
	out := must[*kinesis.RegisterStreamConsumerOutput](t)(p.RegisterStreamConsumer(t.Context(), &kinesis.RegisterStreamConsumerInput{StreamARN: p.streamARN, ConsumerName: name}))
	p.arn = out.Consumer.ConsumerARN
	until(t, "the consumer to be ACTIVE", func() bool {
		in := &kinesis.DescribeStreamConsumerInput{StreamARN: p.streamARN, ConsumerName: name}
		d := must[*kinesis.DescribeStreamConsumerOutput](t)(p.DescribeStreamConsumer(t.Context(), in)).ConsumerDescription
		return d.ConsumerStatus == types.ConsumerStatusActive && *d.ConsumerARN == *p.arn
	})
	listed := must[*kinesis.ListStreamConsumersOutput](t)(p.ListStreamConsumers(t.Context(), &kinesis.ListStreamConsumersInput{StreamARN: p.streamARN}))
	if len(listed.Consumers) != 1 || *listed.Consumers[0].ConsumerARN != *p.arn {
		t.Errorf("ListStreamConsumers: got %+v, want %s", listed.Consumers, *p.arn)
	}
	if got := p.summary(t).ConsumerCount; *got != 1 {
		t.Errorf("ConsumerCount: got %d, want 1", *got)
	}
}

func (p *pushed) input(at types.StartingPosition) *kinesis.SubscribeToShardInput {
	return &kinesis.SubscribeToShardInput{ConsumerARN: p.arn, ShardId: aws.String("shardId-000000000000"), StartingPosition: &at}
}

func (p *pushed) subscribe(t *testing.T, at types.StartingPosition) *kinesis.SubscribeToShardEventStream {
	t.Helper()
	out := must[*kinesis.SubscribeToShardOutput](t)(p.SubscribeToShard(t.Context(), p.input(at)))
	t.Cleanup(func() { out.GetStream().Close() })
	return out.GetStream()
}

// takeOver subscribes again where the first subscription stands, as soon as that is allowed.
func (p *pushed) takeOver(t *testing.T) *kinesis.SubscribeToShardEventStream {
	t.Helper()
	var stream *kinesis.SubscribeToShardEventStream
	until(t, "the takeover", func() bool {
		out, err := p.SubscribeToShard(t.Context(), p.input(types.StartingPosition{Type: types.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: &p.next}))
		if _, busy := errors.AsType[*types.ResourceInUseException](err); busy {
			return false
		}
		stream = must[*kinesis.SubscribeToShardOutput](t)(out, err).GetStream()
		return true
	})
	t.Cleanup(func() { stream.Close() })
	return stream
}

// follow puts records one by one and takes each from the stream: all of them, once, in order.
func (p *pushed) follow(t *testing.T, stream *kinesis.SubscribeToShardEventStream, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		data := bytes.Repeat(fmt.Appendf(nil, "record %d ", i), i*i+1)
		in := &kinesis.PutRecordInput{StreamName: &p.stream, PartitionKey: aws.String(fmt.Sprintf("Schlüssel-%d", i)), Data: data}
		put := must[*kinesis.PutRecordOutput](t)(p.PutRecord(t.Context(), in))
		r := p.record(t, stream)
		if *r.SequenceNumber != *put.SequenceNumber || !bytes.Equal(r.Data, data) || *r.PartitionKey != *in.PartitionKey || r.ApproximateArrivalTimestamp == nil {
			t.Fatalf("record %d: got %s %q with %d bytes, want %s %q with %d", i,
				*r.SequenceNumber, *r.PartitionKey, len(r.Data), *put.SequenceNumber, *in.PartitionKey, len(data))
		}
	}
}

// record takes events until one has a record; no event here has two.
func (p *pushed) record(t *testing.T, stream *kinesis.SubscribeToShardEventStream) types.Record {
	t.Helper()
	for {
		e, ok := (<-stream.Events()).(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent)
		if !ok {
			t.Fatalf("the stream ended: %v", stream.Err())
		}
		p.next = *e.Value.ContinuationSequenceNumber
		if len(e.Value.Records) > 0 {
			return e.Value.Records[0]
		}
	}
}

// ended takes what is left of a stream, empty events, and checks the exception it ends with.
func (p *pushed) ended(t *testing.T, stream *kinesis.SubscribeToShardEventStream, want string) {
	t.Helper()
	for e := range stream.Events() {
		if e, ok := e.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent); !ok || len(e.Value.Records) > 0 {
			t.Errorf("got %+v, want the end", e)
		}
	}
	var coded interface{ ErrorCode() string }
	if err := stream.Err(); !errors.As(err, &coded) || coded.ErrorCode() != want {
		t.Errorf("the stream ended with %v, want %s", err, want)
	}
}
