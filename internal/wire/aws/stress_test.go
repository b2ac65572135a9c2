package aws

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/kinesisapi"
)

// digests answers each record with the digest of what it was given, computed late, when a buffer
// that was given back too early would have been written again.
type digests struct {
	kinesisapi.Unimplemented
	mu sync.Mutex
}

func digest(data []byte, key, hash *string, stream *string) string {
	h := md5.New()
	h.Write(data)
	for _, s := range []*string{key, hash, stream} {
		if s != nil {
			io.WriteString(h, *s)
		}
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (d *digests) PutRecords(_ context.Context, in *kinesisapi.PutRecordsInput) (*kinesisapi.PutRecordsOutput, error) {
	d.mu.Lock() // others wait with their buffers in use
	defer d.mu.Unlock()
	out := &kinesisapi.PutRecordsOutput{FailedRecordCount: new(int32)}
	for i := range in.Records {
		r := &in.Records[i]
		out.Records = append(out.Records, kinesisapi.PutRecordsResultEntry{
			SequenceNumber: new(digest(r.Data, r.PartitionKey, r.ExplicitHashKey, in.StreamName)), ShardId: new("s"),
		})
	}
	return out, nil
}

func (d *digests) PutRecord(_ context.Context, in *kinesisapi.PutRecordInput) (*kinesisapi.PutRecordOutput, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &kinesisapi.PutRecordOutput{ShardId: "s", SequenceNumber: digest(in.Data, in.PartitionKey, in.ExplicitHashKey, in.StreamName)}, nil
}

// putRecords writes a random body and the digests it must be answered with.
func putRecords(rnd *rand.Rand) (body string, want []string) {
	stream := fmt.Sprintf("stream-%d", rnd.IntN(3))
	var b strings.Builder
	b.WriteString(`{"Records":[`)
	for i := range 1 + rnd.IntN(60) {
		if i > 0 {
			b.WriteByte(',')
		}
		data := make([]byte, rnd.IntN(3000))
		for j := range data {
			data[j] = byte(rnd.Uint32())
		}
		key, hash := fmt.Sprintf("key-%d", rnd.Uint64()), fmt.Sprint(rnd.Uint32())
		fmt.Fprintf(&b, `{"Data":"%s","PartitionKey":"%s","ExplicitHashKey":"%s"}`, base64.StdEncoding.EncodeToString(data), key, hash)
		want = append(want, digest(data, &key, &hash, &stream))
	}
	fmt.Fprintf(&b, `],"StreamName":"%s"}`, stream)
	return b.String(), want
}

func TestConcurrentCallsKeepTheirData(t *testing.T) {
	addr := serve(t, Options{}, kinesisapi.Bind(&digests{}))
	for _, http2 := range []bool{false, true} {
		hc := client(t, http2, nil)
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(worker), 1))
				for range 20 {
					body, want := putRecords(rnd)
					got, err := digestsOf(t.Context(), hc, addr, body)
					if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
						t.Errorf("worker %d, http2 %v: got %v, %v\nwant %v", worker, http2, got, err, want)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

func digestsOf(ctx context.Context, hc *http.Client, addr, body string) ([]string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", typeJSON11)
	r.Header.Set("X-Amz-Target", "Kinesis_20131202.PutRecords")
	resp, err := hc.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var out kinesisapi.PutRecordsOutput
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return nil, err
	}
	var got []string
	for _, e := range out.Records {
		got = append(got, *e.SequenceNumber)
	}
	return got, nil
}

func TestBodiesWaitForMemory(t *testing.T) {
	m := &memory{}
	s, addr := start(t, Options{MaxInFlightBytes: 100}, m)
	status := make(chan int)
	send := func(op, body string) {
		r, _ := http.NewRequest(http.MethodPost, "http://"+addr, strings.NewReader(body))
		r.Header.Set("Content-Type", typeJSON11)
		r.Header.Set("X-Amz-Target", "Kinesis_20131202."+op)
		resp, err := client(t, false, nil).Do(r)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}
	go send("DescribeLimits", "{}"+strings.Repeat(" ", 60))
	<-m.entered
	go send("PutRecord", smallPut+strings.Repeat(" ", 20))
	select {
	case got := <-status:
		t.Fatalf("a request was answered with %d past the bound", got)
	case <-time.After(20 * time.Millisecond):
	}
	close(m.block)
	for range 2 {
		if got := <-status; got != 200 {
			t.Errorf("got %d, want 200", got)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.inFlight.Acquire(ctx, 100); err != nil { // they come back after the answer
		t.Errorf("bytes were not given back: %v", err)
	}
}

func TestRequestsThatCannotGetMemoryAreToldToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(Options{MaxInFlightBytes: 10})
		began := time.Now()
		if s.hold(t.Context(), 11) {
			t.Error("more than the bound was given out")
		}
		if waited := time.Since(began); waited != bodyWait {
			t.Errorf("waited %v, want %v", waited, bodyWait)
		}
		s.cancel()
	})
}
