package aws

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"millrace/internal/api/kinesisapi"
)

// request is a plain request as our loop knows it; more are further header lines.
func request(op, body string, more ...string) string {
	head := "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + typeJSON11 + "\r\nX-Amz-Target: Kinesis_20131202." + op + "\r\n"
	for _, line := range more {
		head += line + "\r\n"
	}
	return head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

const smallPut = `{"StreamName":"s","PartitionKey":"k","Data":"aGVsbG8="}`

// reply is what of an answer must not depend on the loop that gave it.
type reply struct {
	status                       int
	errorType, contentType, body string
	length                       int64
	last                         bool
}

// talk sends raw in pieces of the given size and reads every answer until the server closes or all
// are there.
func talk(tb testing.TB, addr string, raw []byte, size, answers int) []reply {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		tb.Fatal(err)
	}
	go func() {
		for len(raw) > 0 {
			n := min(size, len(raw))
			if _, err := c.Write(raw[:n]); err != nil {
				return
			}
			raw = raw[n:]
		}
	}()
	var out []reply
	r := bufio.NewReader(c)
	for len(out) < answers {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				tb.Logf("after %d answers: %v", len(out), err)
			}
			break
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			tb.Fatalf("answer %d: %v", len(out), err)
		}
		out = append(out, reply{resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), resp.Header.Get("Content-Type"), string(body), resp.ContentLength, resp.Close})
		if resp.Close {
			break
		}
	}
	return out
}

// pair starts two servers that differ in their loop only.
func pair(tb testing.TB) (ours, netHTTP string) {
	tb.Helper()
	var addrs [2]string
	for i := range addrs {
		_, addrs[i] = start(tb, Options{netHTTPOnly: i == 1}, &memory{})
	}
	return addrs[0], addrs[1]
}

func TestBothLoopsAnswerAlike(t *testing.T) {
	put := request("PutRecord", smallPut)
	big := request("PutRecord", `{"PartitionKey":"k","Data":"`+strings.Repeat("QUJD", 50_000)+`"}`)
	for name, c := range map[string]struct {
		raw     string
		answers int
	}{
		"one":                   {put, 1},
		"three in a row":        {put + put + put, 3},
		"large between small":   {put + big + put, 3},
		"error between":         {put + request("PutRecord", "{}") + put, 3},
		"no such operation":     {request("Invented", "{}") + put, 2},
		"empty body":            {request("PutRecord", "") + put, 2},
		"empty answer":          {request("CreateStream", `{"StreamName":"s"}`) + put, 2},
		"panic":                 {request("DeleteStream", `{"StreamName":"s"}`) + put, 2},
		"keep-alive":            {request("PutRecord", smallPut, "Connection: Keep-Alive") + put, 2},
		"close":                 {put + request("PutRecord", smallPut, "Connection: close"), 2},
		"origin":                {put + request("PutRecord", smallPut, "Origin: https://evil.example"), 2},
		"over the limit":        {request("CreateStream", strings.Repeat("x", controlLimit+drainMax)), 1},
		"little over the limit": {request("CreateStream", strings.Repeat("x", controlLimit+1)), 1},
		"GET":                   {put + "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 2},
		"HTTP/1.0":              {"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}", 1},
		"no host":               {"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 1},
		"two lengths":           {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 1},
		"bad header":            {"POST / HTTP/1.1\r\nHost: a\r\nA B: c\r\nContent-Length: 2\r\n\r\n{}", 1},
		"chunked": {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + typeJSON11 + "\r\nX-Amz-Target: Kinesis_20131202.PutRecord\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + put, 2},
		"continue": {request("PutRecord", smallPut, "Expect: 100-continue"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			ours, netHTTP := pair(t)
			for _, size := range []int{len(c.raw), 1000} {
				got, want := talk(t, ours, []byte(c.raw), size, c.answers), talk(t, netHTTP, []byte(c.raw), size, c.answers)
				if len(got) != len(want) || len(got) == 0 {
					t.Fatalf("pieces of %d: got %d answers, net/http gives %d", size, len(got), len(want))
				}
				for i := range got {
					got[i].body, want[i].body = withoutNumber(got[i].body), withoutNumber(want[i].body)
					if got[i] != want[i] {
						t.Errorf("pieces of %d, answer %d\n got %+v\nwant %+v", size, i, got[i], want[i])
					}
				}
			}
		})
	}
}

// withoutNumber takes out what differs between two servers that got the same calls in another order.
func withoutNumber(body string) string {
	var out kinesisapi.PutRecordOutput
	if json.Unmarshal([]byte(body), &out) == nil && out.SequenceNumber != "" {
		return out.ShardId
	}
	return body
}

func TestRequestsInPiecesOfAnySize(t *testing.T) {
	_, addr := start(t, Options{}, &memory{})
	raw := []byte(strings.Repeat(request("PutRecord", smallPut), 3))
	for _, size := range []int{1, 7, 64, 333} {
		for i, r := range talk(t, addr, raw, size, 3) {
			if r.status != 200 || !strings.Contains(r.body, "SequenceNumber") {
				t.Errorf("pieces of %d, answer %d: got %+v", size, i, r)
			}
		}
	}
}

func TestLargeAnswersComeInChunks(t *testing.T) {
	m := &memory{}
	_, addr := start(t, Options{}, m)
	for range 300 {
		m.put(bytes.Repeat([]byte("x"), 1000), new("k"))
	}
	m.put(bytes.Repeat([]byte("y"), 500_000), new("k"))
	raw := strings.Repeat(request("GetRecords", `{"ShardIterator":"i"}`), 2)
	got := talk(t, addr, []byte(raw), len(raw), 2)
	if len(got) != 2 {
		t.Fatalf("got %d answers, want 2", len(got))
	}
	for _, r := range got {
		var out struct {
			Records           []struct{ Data []byte }
			NextShardIterator string
		}
		if err := json.Unmarshal([]byte(r.body), &out); err != nil || r.length != -1 || len(out.Records) != 301 || len(out.Records[300].Data) != 500_000 || out.NextShardIterator != "next" {
			t.Errorf("got %d records of length %d, %v", len(out.Records), r.length, err)
		}
	}
}

func TestLargeAnswersOverHTTP2(t *testing.T) {
	m := &memory{}
	_, addr := start(t, Options{}, m)
	for range 20 {
		m.put(bytes.Repeat([]byte("z"), 500_001), new("k"))
	}
	for _, contentType := range []string{typeJSON11, typeCBOR} {
		body := `{"ShardIterator":"i"}`
		if contentType == typeCBOR {
			body = "\xa1\x6dShardIterator\x61i"
		}
		resp, got := call(t, client(t, true, nil), "POST", addr, headers(contentType, "Kinesis_20131202.GetRecords"), body)
		var out struct{ Records []struct{ Data []byte } }
		decode := json.Unmarshal
		if contentType == typeCBOR {
			decode = cbor.Unmarshal
		}
		if err := decode([]byte(got), &out); err != nil || resp.StatusCode != 200 || len(out.Records) != 20 || len(out.Records[19].Data) != 500_001 {
			t.Errorf("%s: got status %d, %d records in %d bytes, %v", contentType, resp.StatusCode, len(out.Records), len(got), err)
		}
	}
}

func TestIdleConnectionsEndAtShutdown(t *testing.T) {
	s, addr := start(t, Options{}, &memory{})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, request("PutRecord", smallPut))
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	begin := time.Now()
	if err := s.Shutdown(ctx); err != nil || time.Since(begin) > time.Second {
		t.Errorf("Shutdown took %v: %v", time.Since(begin), err)
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v on the idle connection, want EOF", err)
	}
}

func TestShutdownThatIsCutShortClosesConnections(t *testing.T) {
	m := &memory{}
	s, addr := start(t, Options{}, m)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, request("DescribeLimits", "{}"))
	<-m.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if _, err := io.ReadAll(c); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("got %v, want the end of the connection", err)
	}
}

// FuzzBody: whatever the body and however it is cut into packets, both loops answer alike and the
// connection lives on.
func FuzzBody(f *testing.F) {
	f.Add([]byte(smallPut), uint16(10))
	f.Add([]byte(`{"Records":[{"Data":"AA==","PartitionKey":"a"}],"StreamName":"s"}`), uint16(1))
	f.Add([]byte("\x00\r\n\r\nPOST / HTTP/1.1\r\n"), uint16(3))
	ours, netHTTP := pair(f)
	f.Fuzz(func(t *testing.T, body []byte, size uint16) {
		raw := []byte(request("PutRecords", string(body)) + request("PutRecord", smallPut))
		step := max(int(size), 1+len(raw)/50)
		got, want := talk(t, ours, raw, step, 2), talk(t, netHTTP, raw, step, 2)
		if len(got) != 2 || len(want) != 2 {
			t.Fatalf("got %d answers, net/http gives %d, want 2\nbody %q", len(got), len(want), body)
		}
		for i := range got {
			if got[i].status != want[i].status || got[i].errorType != want[i].errorType {
				t.Fatalf("answer %d\n got %+v\nwant %+v\nbody %q", i, got[i], want[i], body)
			}
		}
	})
}

// BenchmarkPutRecord measures one connection and both ends of it; the allocations are the server's.
func BenchmarkPutRecord(b *testing.B) {
	for _, loop := range []string{"ours", "net/http"} {
		b.Run(loop, func(b *testing.B) {
			_, addr := start(b, Options{netHTTPOnly: loop == "net/http"}, &memory{forgets: true})
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			raw := []byte(request("PutRecord", `{"StreamName":"s","PartitionKey":"k","Data":"`+base64.StdEncoding.EncodeToString(make([]byte, 1024))+`"}`))
			answer := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(raw); err != nil {
					b.Fatal(err)
				}
				n, err := c.Read(answer) // one write, so one read
				if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 OK\r\n")) || answer[n-1] != '}' {
					b.Fatalf("got %q, %v", answer[:n], err)
				}
			}
		})
	}
}
