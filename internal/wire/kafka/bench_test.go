package kafka

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// BenchmarkProduceClosedLoop is one client that waits for each answer: what our side adds to a round trip.
func BenchmarkProduceClosedLoop(b *testing.B) {
	s := start(b, &scripted{produce: (*ProduceRequest).Done}, Options{}, ListenerOptions{})
	benchmarkRequests(b, s, framed(produceOf(0, 1, make([]byte, 1<<10)), 1), 1)
}

// BenchmarkProducePipelined has five requests of 64 KiB on the way.
func BenchmarkProducePipelined(b *testing.B) {
	s := start(b, &scripted{produce: func(r *ProduceRequest) { go r.Done() }}, Options{}, ListenerOptions{})
	benchmarkRequests(b, s, framed(produceOf(0, 1, make([]byte, 64<<10)), 1), 5)
}

func BenchmarkHeartbeat(b *testing.B) {
	s := start(b, &scripted{}, Options{}, ListenerOptions{})
	benchmarkRequests(b, s, framed(versionsRequest(0), 1), 1)
}

func benchmarkRequests(b *testing.B, s running, request []byte, depth int) {
	b.Helper()
	c := s.dial(b)
	if err := c.SetDeadline(time.Now().Add(10 * time.Minute)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(request)))
	var in io.Reader = c.Conn
	answer, sent := make([]byte, 4096), 0
	for done := 0; done < b.N; done++ {
		for ; sent < min(done+depth, b.N); sent++ {
			c.write(request)
		}
		if _, err := io.ReadFull(in, answer[:4]); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(in, answer[:binary.BigEndian.Uint32(answer[:4])]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFetchLarge sends 1 MiB of batches that lie in memory.
func BenchmarkFetchLarge(b *testing.B) {
	p := NewFetchedPartition(0)
	for range 16 {
		p.Records = append(p.Records, make([]byte, 64<<10))
	}
	answer := FetchResponse{Topics: []FetchedTopic{{Name: "t", Partitions: []FetchedPartition{p}}}}
	s := start(b, &scripted{fetch: func(r *FetchRequest) { r.Call.Send(&answer) }}, Options{}, ListenerOptions{})
	q := kmsg.NewPtrFetchRequest()
	q.SetVersion(12)
	request := framed(q, 1)
	c := s.dial(b)
	if err := c.SetDeadline(time.Now().Add(10 * time.Minute)); err != nil {
		b.Fatal(err)
	}
	in := make([]byte, 2<<20)
	b.ReportAllocs()
	b.SetBytes(1 << 20)
	for range b.N {
		c.write(request)
		if _, err := io.ReadFull(c, in[:4]); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, in[:binary.BigEndian.Uint32(in[:4])]); err != nil {
			b.Fatal(err)
		}
	}
}

const memoryConns = 5000

// BenchmarkConnectionMemory reports the resident memory of a process for each of 5,000 idle and of 5,000 waiting
// connections (the bars are 8 and 10 KiB). The clients are another process: this test binary, run once more.
func BenchmarkConnectionMemory(b *testing.B) {
	for _, waiting := range []bool{false, true} {
		name := "idle"
		if waiting {
			name = "waiting"
		}
		b.Run(name, func(b *testing.B) {
			calls := make(chan *FetchCall, memoryConns)
			idle := make(chan struct{}, memoryConns)
			h := &scripted{fetch: func(r *FetchRequest) { calls <- r.Call }, handle: func(r *Request) { answerVersions(r); idle <- struct{}{} }}
			s := start(b, h, Options{MaxConns: memoryConns + 1}, ListenerOptions{})
			before := resident(b)
			stop := dialElsewhere(b, s.addr, waiting)
			for range memoryConns {
				<-idle
			}
			if waiting {
				eventually(b, "all wait", func() bool { return len(calls) == memoryConns })
			}
			b.ReportMetric(float64(resident(b)-before)/memoryConns/1024, "KiB/conn")
			close(calls)
			for call := range calls {
				call.Send(&FetchResponse{})
			}
			stop()
		})
	}
}

// resident is the resident memory of this process after what is garbage has gone.
func resident(b *testing.B) int {
	b.Helper()
	for range 3 {
		runtime.GC()
	}
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("this system does not tell the resident memory")
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return kib * 1024
}

// dialElsewhere has another process open the connections and keep them until stop.
func dialElsewhere(b *testing.B, addr string, waiting bool) (stop func()) {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestConnectionsOfABenchmark$")
	cmd.Env = append(os.Environ(), "MILLRACE_BENCH_DIAL="+addr, "MILLRACE_BENCH_WAITING="+strconv.FormatBool(waiting))
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	}
}

// TestConnectionsOfABenchmark is the other process of BenchmarkConnectionMemory; without that it does nothing.
func TestConnectionsOfABenchmark(t *testing.T) {
	addr := os.Getenv("MILLRACE_BENCH_DIAL")
	if addr == "" {
		return
	}
	q := kmsg.NewPtrFetchRequest()
	q.SetVersion(12)
	conns := make([]net.Conn, memoryConns)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c
		bare := client{c, t}
		bare.send(1, versionsRequest(0))
		bare.frame()
		if os.Getenv("MILLRACE_BENCH_WAITING") == "true" {
			bare.send(2, q)
		}
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil { // until the benchmark closes it
		t.Error(err)
	}
	for _, c := range conns {
		c.Close()
	}
}
