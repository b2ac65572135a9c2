package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"millrace/test/load"
)

const (
	streamName = "bench"
	shardCount = 4
	recordSize = 1024 // bytes of data, before base64
)

func (s *server) signer() load.Signer {
	return load.Signer{
		Host: s.addr, Region: region,
		Credentials: aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey},
	}
}

// call sends one request over c and decodes the answer into out unless that is nil.
func (s *server) call(c load.Conn, op string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := s.signer().Kinesis(op, body)
	if err != nil {
		return err
	}
	answer, err := c.Do(req)
	if err != nil {
		return fmt.Errorf("%s on %s: %w", op, s.name, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// hasStreams tells the floor, which answers everything alike, from the others.
func (s *server) hasStreams() bool { return s.name != floorName }

const floorName = "floor"

// createStream makes the stream of the benchmark and waits until it is active.
func (s *server) createStream(ctx context.Context) error {
	if !s.hasStreams() {
		return nil
	}
	return s.createShards(ctx, shardCount)
}

// createShards is createStream with a number of shards.
func (s *server) createShards(ctx context.Context, shards int) error {
	return s.createNamed(ctx, streamName, shards)
}

// createNamed is createShards with a name.
func (s *server) createNamed(ctx context.Context, stream string, shards int) error {
	c, err := load.DialHTTP1(s.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := s.call(c, "CreateStream", map[string]any{"StreamName": stream, "ShardCount": shards}, nil); err != nil {
		return err
	}
	return s.awaitActive(ctx, c, stream)
}

// awaitActive returns when a stream is ACTIVE.
func (s *server) awaitActive(ctx context.Context, c load.Conn, stream string) error {
	return await(ctx, func() (bool, error) {
		var out struct {
			StreamDescriptionSummary struct{ StreamStatus string }
		}
		err := s.call(c, "DescribeStreamSummary", map[string]any{"StreamName": stream}, &out)
		return out.StreamDescriptionSummary.StreamStatus == "ACTIVE", err
	})
}

// deleteStream removes it and waits until it is gone from the list.
func (s *server) deleteStream(ctx context.Context) error {
	if !s.hasStreams() {
		return nil
	}
	c, err := load.DialHTTP1(s.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := s.call(c, "DeleteStream", map[string]any{"StreamName": streamName}, nil); err != nil {
		return err
	}
	return await(ctx, func() (bool, error) {
		var out struct{ StreamNames []string }
		err := s.call(c, "ListStreams", map[string]any{}, &out)
		return len(out.StreamNames) == 0, err
	})
}

// await asks every 10 ms until done says yes, half a minute long.
func await(ctx context.Context, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// random makes the same record data in every run.
var random = rand.NewChaCha8([32]byte{1})

func recordData() string {
	data := make([]byte, recordSize)
	_, _ = random.Read(data) // never fails
	return base64.StdEncoding.EncodeToString(data)
}

// putRecord builds a PutRecord of 1 KiB.
func (s *server) putRecord() (*load.Request, error) {
	body := fmt.Appendf(nil, `{"StreamName":%q,"PartitionKey":"key-%d","Data":%q}`, streamName, random.Uint64(), recordData())
	return s.signer().Kinesis("PutRecord", body)
}

// recordsPerCall is what the PutRecords scenarios send at once.
const recordsPerCall = 100

// putRecords builds a PutRecords of 100 records of 1 KiB.
func (s *server) putRecords() (*load.Request, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"StreamName":%q,"Records":[`, streamName)
	for i := range recordsPerCall {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"Data":%q,"PartitionKey":"key-%d"}`, recordData(), random.Uint64())
	}
	b.WriteString("]}")
	return s.signer().Kinesis("PutRecords", b.Bytes())
}
