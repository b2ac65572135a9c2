package load

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// newServer answers over HTTP/1.1 and HTTP/2 in plain text: the body back, or what the operation asks.
func newServer(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch op := r.Header.Get("X-Amz-Target"); op {
		case "Kinesis_20131202.Echo":
			w.Header().Set("Content-Length", r.Header.Get("Content-Length"))
			_, _ = w.Write(body)
		case "Kinesis_20131202.Pieces":
			for chunk := range bytes.SplitSeq(body, []byte(" ")) {
				_, _ = w.Write(chunk)
				w.(http.Flusher).Flush()
			}
		case "Kinesis_20131202.Large":
			_, _ = w.Write(make([]byte, 3<<20))
		default:
			http.Error(w, "no operation "+op, http.StatusTeapot)
		}
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func request(t *testing.T, addr, op, body string) *Request {
	t.Helper()
	s := Signer{Host: addr, Region: "us-east-1", Credentials: aws.Credentials{AccessKeyID: "a", SecretAccessKey: "s"}}
	r, err := s.Kinesis(op, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestConnReadsAnswersOfEveryFraming(t *testing.T) {
	addr := newServer(t)
	for name, dial := range map[string]func(string) (Conn, error){"http1": DialHTTP1, "http2": DialHTTP2} {
		t.Run(name, func(t *testing.T) {
			c, err := dial(addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			large := strings.Repeat("x", 60_000)
			for range 100 { // more than the first window of HTTP/2 in all
				for _, test := range []struct{ op, body, want string }{
					{"Echo", "hello", "hello"},
					{"Echo", "", ""},
					{"Echo", large, large},
					{"Pieces", "one two three", "onetwothree"},
				} {
					got, err := c.Do(request(t, addr, test.op, test.body))
					if err != nil || string(got) != test.want {
						t.Fatalf("%s %.20q: got %.20q, %v, want %.20q", test.op, test.body, got, err, test.want)
					}
				}
			}
			got, err := c.Do(request(t, addr, "Large", ""))
			if err != nil || len(got) != 3<<20 {
				t.Errorf("Large: got %d bytes, %v, want %d", len(got), err, 3<<20)
			}
		})
	}
}

func TestConnReportsAnswersThatAreNot200(t *testing.T) {
	addr := newServer(t)
	for name, dial := range map[string]func(string) (Conn, error){"http1": DialHTTP1, "http2": DialHTTP2} {
		t.Run(name, func(t *testing.T) {
			c, err := dial(addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, err = c.Do(request(t, addr, "Absent", "{}"))
			if status, ok := errors.AsType[*StatusError](err); !ok || status.Status != http.StatusTeapot {
				t.Errorf("got %v, want status 418", err)
			}
			if _, err := c.Do(request(t, addr, "Echo", "again")); err != nil {
				t.Errorf("the connection is of no use after a refusal: %v", err)
			}
		})
	}
}

func TestRunCountsCallsAndCPU(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return // the counters are Linux's; elsewhere the benchmark does not run
	}
	addr := newServer(t)
	conns, err := DialAll(2, addr, DialHTTP1)
	if err != nil {
		t.Fatal(err)
	}
	defer CloseAll(conns)
	echo := []*Request{request(t, addr, "Echo", "hello")}
	r, err := Run(os.Getpid(), conns, [][]*Request{echo, echo}, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if r.Calls == 0 || r.CPU <= 0 || r.CPU > time.Minute || r.Latency(0.5) > r.Latency(0.99) || r.Rate() <= 0 {
		t.Errorf("got %d calls, CPU %v, p50 %v, p99 %v", r.Calls, r.CPU, r.Latency(0.5), r.Latency(0.99))
	}
	refused := []*Request{request(t, addr, "Absent", "{}")}
	if _, err := Run(os.Getpid(), conns, [][]*Request{refused, refused}, time.Minute); err == nil {
		t.Error("a run whose calls are refused succeeded")
	}
}
