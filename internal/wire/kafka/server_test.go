package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/api/kafkaapi"
)

func TestVersionsAreToldInEveryVersion(t *testing.T) {
	conns := make(chan *Conn, 1)
	s := start(t, &scripted{handle: func(r *Request) { answerVersions(r); conns <- r.Conn() }}, Options{}, ListenerOptions{Name: "PLAIN"})
	for version := int16(0); version <= 4; version++ {
		c := s.dial(t)
		c.send(7, versionsRequest(version))
		m := kmsg.NewPtrApiVersionsResponse()
		m.SetVersion(version)
		c.receive(7, m)
		if m.ErrorCode != 0 || len(m.ApiKeys) != len(kafkaapi.Served()) {
			t.Errorf("v%d: got error %d and %d keys", version, m.ErrorCode, len(m.ApiKeys))
		}
		conn := <-conns
		name, release := conn.Software()
		if want := version >= 3; (name == "raw" && release == "1.0") != want || conn.ClientID() != "raw" || conn.Listener() != "PLAIN" {
			t.Errorf("v%d: got software %q %q, client id %q", version, name, release, conn.ClientID())
		}
	}
}

func TestTooNewApiVersionsIsAnsweredInTheFormOfVersionZero(t *testing.T) {
	s := start(t, &scripted{}, Options{}, ListenerOptions{})
	c := s.dial(t)
	b := framed(versionsRequest(4), 3)
	binary.BigEndian.PutUint16(b[6:], 99)
	c.write(b)
	m := kmsg.NewPtrApiVersionsResponse()
	m.SetVersion(0)
	c.receive(3, m)
	if m.ErrorCode != int16(kafkaapi.UnsupportedVersion) || len(m.ApiKeys) != len(kafkaapi.Served()) {
		t.Errorf("got error %d and %d keys", m.ErrorCode, len(m.ApiKeys))
	}
	m.SetVersion(3)
	c.send(4, versionsRequest(3)) // and the connection goes on
	c.receive(4, m)
}

func TestRequestsThatEndTheConnection(t *testing.T) {
	head := func(size int, key kafkaapi.Key, version int16, rest ...byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(size))
		b = binary.BigEndian.AppendUint16(b, uint16(key))
		return append(binary.BigEndian.AppendUint16(b, uint16(version)), rest...)
	}
	for name, c := range map[string]struct {
		in  []byte
		log string
	}{
		"unknown key":        {head(8, 999, 0), "Unknown (999) version 0 is not served"},
		"key not served":     {head(8, kafkaapi.KeyVote, 0), "Vote (52) version 0 is not served"},
		"version too new":    {head(8, kafkaapi.KeyMetadata, 14), "Metadata (3) version 14 is not served"},
		"version too old":    {head(8, kafkaapi.KeyFetch, 3), "Fetch (1) version 3 is not served"},
		"negative size":      {head(-1, kafkaapi.KeyMetadata, 1), "too small"},
		"no header":          {head(7, kafkaapi.KeyMetadata, 1), "too small"},
		"too large":          {head(1<<20+1, kafkaapi.KeyProduce, 9), "is larger than 1048576"},
		"HTTP":               {[]byte("GET / HTTP/1.1\r\n\r\n"), "is larger than"},
		"client id too long": {head(10, kafkaapi.KeyMetadata, 1, 0, 0, 0, 1, 0, 9), "malformed header"},
		"Metadata malformed": {head(12, kafkaapi.KeyMetadata, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff), "malformed"},
		"Produce malformed":  {head(12, kafkaapi.KeyProduce, 3, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff), "malformed"},
		"Fetch malformed":    {head(12, kafkaapi.KeyFetch, 4, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff), "malformed"},
	} {
		s := start(t, &scripted{}, Options{MaxFrameBytes: 1 << 20}, ListenerOptions{})
		conn := s.dial(t)
		conn.write(c.in)
		conn.isCut()
		eventually(t, name+": the log says "+c.log, func() bool { return s.log.has(c.log) })
		s.idleMemory(t)
	}
}

func TestHalfRequestsGiveTheirMemoryBack(t *testing.T) {
	var closed atomic.Int32
	s := start(t, &scripted{closed: func(*Conn) { closed.Add(1) }}, Options{}, ListenerOptions{})
	b := framed(produceOf(0, 1, make([]byte, 100_000)), 1)
	cuts := []int{1, 4, 7, 8, 9, 5000, len(b) - 1}
	for _, n := range cuts {
		c := s.dial(t)
		c.write(b[:n])
		c.Close()
	}
	eventually(t, "every connection is over", func() bool { return int(closed.Load()) == len(cuts) && s.Conns() == 0 })
	s.idleMemory(t)
}

func TestPipelinedProduceIsAnsweredInOrder(t *testing.T) {
	const n = 20
	got := make(chan *ProduceRequest, n)
	s := start(t, &scripted{produce: func(r *ProduceRequest) { got <- r }}, Options{}, ListenerOptions{})
	c := s.dial(t)
	for i := range int32(n) {
		c.send(i, produceOf(i, -1, []byte("records")))
	}
	requests := make([]*ProduceRequest, n)
	for i := range requests {
		requests[i] = <-got // all come before one is answered
	}
	for i := n - 1; i >= 0; i-- {
		p := &requests[i].Topics[0].Partitions[0]
		if string(p.Records) != "records" || p.Index != int32(i) {
			t.Errorf("request %d: got partition %d with %q", i, p.Index, p.Records)
		}
		p.BaseOffset = int64(100 + i)
		requests[i].Done()
	}
	for i := range int32(n) {
		m := kmsg.NewPtrProduceResponse()
		m.SetVersion(9)
		c.receive(i, m)
		if got := m.Topics[0].Partitions[0].BaseOffset; got != int64(100+i) {
			t.Errorf("request %d: got offset %d", i, got)
		}
	}
	s.idleMemory(t)
}

func TestOtherRequestsWaitForProduceAndStandAlone(t *testing.T) {
	produced := make(chan *ProduceRequest, 2)
	fetched := make(chan *FetchCall, 2)
	s := start(t, &scripted{
		produce: func(r *ProduceRequest) { produced <- r },
		fetch:   func(r *FetchRequest) { fetched <- r.Call },
	}, Options{}, ListenerOptions{})
	c := s.dial(t)
	fetch := kmsg.NewPtrFetchRequest()
	fetch.SetVersion(12)
	c.send(0, produceOf(0, 1, nil))
	c.send(1, fetch)
	c.send(2, produceOf(0, 1, nil))
	first := <-produced
	if len(fetched)+len(produced) != 0 {
		t.Error("the handler was given a request behind one that is not answered")
	}
	first.Done()
	call := <-fetched
	if len(produced) != 0 {
		t.Error("a Produce was read while a Fetch was outstanding")
	}
	call.Send(&FetchResponse{SessionID: 5})
	(<-produced).Done()
	for i := range int32(3) {
		if i == 1 {
			m := kmsg.NewPtrFetchResponse()
			m.SetVersion(12)
			if c.receive(i, m); m.SessionID != 5 {
				t.Errorf("got session %d, want 5", m.SessionID)
			}
			continue
		}
		m := kmsg.NewPtrProduceResponse()
		m.SetVersion(9)
		c.receive(i, m)
	}
}

func TestPipelineIsBounded(t *testing.T) {
	var count atomic.Int32
	requests := make(chan *ProduceRequest, 2*maxPipelined)
	s := start(t, &scripted{produce: func(r *ProduceRequest) { count.Add(1); requests <- r }}, Options{}, ListenerOptions{})
	c := s.dial(t)
	const n = maxPipelined + 10
	for i := range int32(n) {
		c.send(i, produceOf(0, 1, nil))
	}
	eventually(t, "as many requests as may be outstanding", func() bool { return count.Load() == maxPipelined })
	for i := range int32(n) {
		r := <-requests
		if got := count.Load(); got > maxPipelined+i {
			t.Fatalf("%d requests were read after %d answers", got, i)
		}
		r.Done()
		m := kmsg.NewPtrProduceResponse()
		m.SetVersion(9)
		c.receive(i, m)
	}
}

func TestProduceWithoutAcksHasNoAnswer(t *testing.T) {
	s := start(t, &scripted{produce: func(r *ProduceRequest) {
		if r.Topics[0].Partitions[0].Index == 9 {
			r.Fail(kafkaapi.NotLeaderOrFollower, "")
		}
		r.Done()
	}}, Options{}, ListenerOptions{})
	c := s.dial(t)
	c.send(1, produceOf(0, 0, []byte("x")))
	c.send(2, produceOf(0, 1, []byte("x")))
	m := kmsg.NewPtrProduceResponse()
	m.SetVersion(9)
	c.receive(2, m)
	c.send(3, produceOf(9, 0, []byte("x"))) // an error ends the connection
	c.isCut()
	s.idleMemory(t)
}

func TestOldProduceIsAnsweredWithUnsupportedVersion(t *testing.T) {
	s := start(t, &scripted{}, Options{}, ListenerOptions{})
	c := s.dial(t)
	for version := range int16(3) {
		q := produceOf(4, 1, []byte("old"))
		q.SetVersion(version)
		c.send(int32(version), q)
		m := kmsg.NewPtrProduceResponse()
		m.SetVersion(version)
		c.receive(int32(version), m)
		if p := m.Topics[0].Partitions[0]; p.ErrorCode != int16(kafkaapi.UnsupportedVersion) || p.Partition != 4 {
			t.Errorf("v%d: got %+v", version, p)
		}
	}
}

// largeFetch answers with records that are not copied, and counts what is given back.
func largeFetch(size int, released *atomic.Int32) *FetchResponse {
	p := NewFetchedPartition(0)
	for at := 0; at < size; at += 1 << 20 {
		p.Records = append(p.Records, bytes.Repeat([]byte{byte(at >> 20)}, min(1<<20, size-at)))
	}
	return &FetchResponse{Topics: []FetchedTopic{{Name: "t", Partitions: []FetchedPartition{p}}}, Release: func() { released.Add(1) }}
}

func TestLargeFetchIsWrittenWhole(t *testing.T) {
	for _, async := range []bool{false, true} {
		for _, size := range []int{100, copyTotal, copyTotal + 1, directBytes, 5<<20 + 3} {
			var released atomic.Int32
			s := start(t, &scripted{fetch: func(r *FetchRequest) {
				if call := r.Call; async {
					go call.Send(largeFetch(size, &released))
				} else {
					call.Send(largeFetch(size, &released))
				}
			}}, Options{}, ListenerOptions{})
			c := s.dial(t)
			q := kmsg.NewPtrFetchRequest()
			q.SetVersion(12)
			for i := range int32(3) {
				c.send(i, q)
				m := kmsg.NewPtrFetchResponse()
				m.SetVersion(12)
				c.receive(i, m)
				want := bytes.Join(largeFetch(size, &released).Topics[0].Partitions[0].Records, nil)
				if got := m.Topics[0].Partitions[0].RecordBatches; !bytes.Equal(got, want) {
					t.Errorf("async %v, %d bytes: got %d others", async, size, len(got))
				}
				eventually(t, "records are released", func() bool { return released.Load() == i+1 })
			}
		}
	}
}

func TestSlowReaderIsCutAndHoldsNobodyUp(t *testing.T) {
	var released atomic.Int32
	calls := make(chan *FetchCall, 1)
	s := start(t, &scripted{fetch: func(r *FetchRequest) { calls <- r.Call }},
		Options{writeTimeout: 200 * time.Millisecond}, ListenerOptions{})
	slow := s.dial(t)
	q := kmsg.NewPtrFetchRequest()
	q.SetVersion(12)
	slow.send(1, q)
	call := <-calls
	sent := make(chan struct{})
	go func() { // as the applier, which must not wait
		call.Send(largeFetch(64<<20, &released))
		close(sent)
	}()
	select {
	case <-sent:
	case <-time.After(patience):
		t.Fatal("Send waits for the client")
	}
	eventually(t, "the client is cut", func() bool { return s.Conns() == 0 && released.Load() == 1 })
	eventually(t, "the log says so", func() bool { return s.log.has("takes no answer") })
}

func TestSmallAnswersToAFullSocketAreWrittenLater(t *testing.T) {
	const n = 300
	var released atomic.Int32
	s := start(t, &scripted{fetch: func(r *FetchRequest) { call := r.Call; go call.Send(largeFetch(directBytes-2000, &released)) }},
		Options{}, ListenerOptions{})
	c := s.dial(t)
	q := kmsg.NewPtrFetchRequest()
	q.SetVersion(12)
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := range int32(n) {
			if _, err := c.Write(framed(q, i)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	eventually(t, "the socket is full", func() bool { // of answers that nobody reads
		before := released.Load()
		time.Sleep(20 * time.Millisecond)
		return before > 3 && before == released.Load()
	})
	for i := range int32(n) {
		m := kmsg.NewPtrFetchResponse()
		m.SetVersion(12)
		c.receive(i, m)
	}
	sending.Wait()
}

func TestShutdownWaitsForWhatIsInAndTakesNoMore(t *testing.T) {
	requests := make(chan *ProduceRequest, 1)
	s := start(t, &scripted{produce: func(r *ProduceRequest) { requests <- r }}, Options{}, ListenerOptions{})
	busy, idle := s.dial(t), s.dial(t)
	idle.send(1, versionsRequest(0))
	idle.receive(1, kmsg.NewPtrApiVersionsResponse())
	busy.send(1, produceOf(0, 1, nil))
	r := <-requests
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(t.Context()) }()
	idle.isCut()
	if _, err := net.DialTimeout("tcp", s.addr, patience); err == nil {
		eventually(t, "no more connections", func() bool {
			c, err := net.Dial("tcp", s.addr)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
	}
	select {
	case err := <-done:
		t.Fatalf("shutdown returned %v before the request was answered", err)
	default:
	}
	r.Done()
	m := kmsg.NewPtrProduceResponse()
	m.SetVersion(9)
	busy.receive(1, m)
	busy.isCut()
	if err := <-done; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestShutdownCutsWhatIsLeft(t *testing.T) {
	calls := make(chan *FetchCall, 1)
	closed := make(chan *Conn, 1)
	h := &scripted{fetch: func(r *FetchRequest) { calls <- r.Call }, closed: func(c *Conn) { closed <- c }}
	s := start(t, h, Options{}, ListenerOptions{})
	c := s.dial(t)
	q := kmsg.NewPtrFetchRequest()
	q.SetVersion(12)
	c.send(1, q)
	call := <-calls
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	c.isCut()
	if got := <-closed; got != call.Conn() {
		t.Error("another connection was closed")
	}
	var released atomic.Int32
	call.Send(largeFetch(1<<20, &released)) // to nobody
	if released.Load() != 1 {
		t.Error("records for nobody are not released")
	}
}

func TestIdleConnectionsAreEnded(t *testing.T) {
	s := start(t, &scripted{}, Options{IdleTimeout: 50 * time.Millisecond}, ListenerOptions{})
	s.dial(t).isCut()
}

func TestClientThatGoesWhileItsFetchWaitsIsNoticed(t *testing.T) {
	calls, closed := make(chan *FetchCall, 1), make(chan *Conn, 1)
	s := start(t, &scripted{fetch: func(r *FetchRequest) { calls <- r.Call }, closed: func(c *Conn) { closed <- c }}, Options{}, ListenerOptions{})
	c := s.dial(t)
	q := kmsg.NewPtrFetchRequest()
	q.SetVersion(12)
	c.send(1, q)
	call := <-calls
	c.Close()
	select {
	case got := <-closed:
		if got != call.Conn() {
			t.Error("another connection was closed")
		}
	case <-time.After(patience):
		t.Fatal("nobody noticed")
	}
	var released atomic.Int32
	if call.Send(largeFetch(1<<20, &released)); released.Load() != 1 {
		t.Error("records for nobody are not released")
	}
}

func TestWaitingClientsAreNotIdle(t *testing.T) {
	const idle = 20 * time.Millisecond
	calls := make(chan *FetchCall, 1)
	s := start(t, &scripted{fetch: func(r *FetchRequest) { calls <- r.Call }}, Options{IdleTimeout: idle}, ListenerOptions{})
	c := s.dial(t)
	q, m := kmsg.NewPtrFetchRequest(), kmsg.NewPtrFetchResponse()
	q.SetVersion(12)
	m.SetVersion(12)
	c.send(1, q)
	call := <-calls
	time.Sleep(5 * idle) // what is tested is that nothing happens
	call.Send(&FetchResponse{SessionID: 3})
	if c.receive(1, m); m.SessionID != 3 {
		t.Errorf("got %+v", m)
	}
	c.isCut()
}

func TestConnectionsAboveTheBoundWait(t *testing.T) {
	s := start(t, &scripted{}, Options{MaxConns: 1}, ListenerOptions{})
	first, second := s.dial(t), s.dial(t)
	first.send(1, versionsRequest(0))
	first.receive(1, kmsg.NewPtrApiVersionsResponse())
	second.send(2, versionsRequest(0))
	if got := s.Conns(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
	first.Close()
	second.receive(2, kmsg.NewPtrApiVersionsResponse())
}

func TestRequestsAboveTheMemoryBoundWaitForTheirTurn(t *testing.T) {
	requests := make(chan *ProduceRequest, 9)
	s := start(t, &scripted{produce: func(r *ProduceRequest) { requests <- r }}, Options{MaxFrameBytes: 1 << 20, MaxInFlightBytes: 1}, ListenerOptions{})
	var clients []client
	for i := range int32(3) { // of the 2 MiB that are the least
		c := s.dial(t)
		c.send(i, produceOf(0, 1, make([]byte, 900<<10)))
		clients = append(clients, c)
	}
	first, second := <-requests, <-requests
	if len(requests) > 0 {
		t.Error("a third request was read past the bound")
	}
	first.Done()
	third := <-requests
	second.Done()
	third.Done()
	for i, c := range clients {
		m := kmsg.NewPtrProduceResponse()
		m.SetVersion(9)
		c.receive(int32(i), m)
	}
	s.idleMemory(t)
}

func TestAnswersThatCannotBeEncodedEndTheConnection(t *testing.T) {
	s := start(t, &scripted{handle: func(r *Request) {
		r.Reply(&kafkaapi.SaslHandshakeResponse{Mechanisms: []string{string(make([]byte, 40_000))}})
	}}, Options{}, ListenerOptions{})
	c := s.dial(t)
	c.send(1, kmsg.NewPtrSASLHandshakeRequest())
	c.isCut()
	eventually(t, "the log says so", func() bool { return s.log.has("cannot be encoded") })
}

func TestObserveSeesEveryAnswer(t *testing.T) {
	seen := make(chan string, 1)
	s := start(t, &scripted{}, Options{Observe: func(key kafkaapi.Key, _ time.Duration, in, out int) {
		seen <- fmt.Sprintf("%s %v", key, in > 0 && out > 0)
	}}, ListenerOptions{})
	c := s.dial(t)
	c.send(1, versionsRequest(3))
	m := kmsg.NewPtrApiVersionsResponse()
	m.SetVersion(3)
	c.receive(1, m)
	if got := <-seen; got != "ApiVersions true" {
		t.Errorf("got %s", got)
	}
}

func TestEndpointIsTheAddressUnlessAdvertised(t *testing.T) {
	for _, c := range []struct {
		l    ListenerOptions
		host string
		port int // 0: the listener's
	}{
		{ListenerOptions{}, "127.0.0.1", 0},
		{ListenerOptions{AdvertisedHost: "broker.example"}, "broker.example", 0},
		{ListenerOptions{AdvertisedHost: "broker.example", AdvertisedPort: 1234}, "broker.example", 1234},
		{ListenerOptions{AdvertisedPort: 1234}, "127.0.0.1", 1234},
	} {
		conns := make(chan *Conn, 1)
		s := start(t, &scripted{handle: func(r *Request) { conns <- r.Conn(); answerVersions(r) }}, Options{}, c.l)
		client := s.dial(t)
		client.send(1, versionsRequest(0))
		conn := <-conns
		host, port := conn.Endpoint()
		want := c.port
		if want == 0 {
			want = conn.LocalAddr().(*net.TCPAddr).Port
		}
		if host != c.host || port != want || conn.RemoteAddr().String() != client.LocalAddr().String() || conn.Secure() || conn.ID() == 0 {
			t.Errorf("%+v: got %s:%d, want %s:%d", c.l, host, port, c.host, want)
		}
	}
}

func TestSplitTakesTheFirstBytes(t *testing.T) {
	for limit := 1; limit < 12; limit++ {
		bufs := net.Buffers{[]byte("abc"), []byte("d"), []byte("efgh"), []byte("ij")}
		var got []byte
		for len(bufs) > 0 {
			var first net.Buffers
			first, bufs = split(bufs, limit)
			n, err := io.Copy(io.Discard, bytes.NewReader(bytes.Join(first, nil)))
			if got = append(got, bytes.Join(first, nil)...); err != nil || (int(n) != limit && len(bufs) > 0) {
				t.Errorf("limit %d: got %d bytes", limit, n)
			}
		}
		if string(got) != "abcdefghij" {
			t.Errorf("limit %d: got %q", limit, got)
		}
	}
}
