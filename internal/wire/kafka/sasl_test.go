package kafka

import (
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/api/kafkaapi"
)

// passwords accepts the token "secret", for an hour or for as long as the test says.
func passwords(lifetime time.Duration) *scripted {
	return &scripted{
		handle: func(r *Request) {
			switch m := r.Body.(type) {
			case *kafkaapi.SaslHandshakeRequest:
				answer := kafkaapi.SaslHandshakeResponse{Mechanisms: []string{"PLAIN"}}
				if m.Mechanism != "PLAIN" {
					answer.ErrorCode = kafkaapi.UnsupportedSaslMechanism
				}
				r.Reply(&answer)
			case *kafkaapi.SaslAuthenticateRequest:
				if string(m.AuthBytes) != "secret" {
					r.ReplyAndClose(&kafkaapi.SaslAuthenticateResponse{ErrorCode: kafkaapi.SaslAuthenticationFailed})
					return
				}
				r.Conn().SetPrincipal("User:alice", time.Now().Add(lifetime))
				r.Reply(&kafkaapi.SaslAuthenticateResponse{AuthBytes: []byte("welcome")})
			default:
				answerVersions(r)
			}
		},
		produce: (*ProduceRequest).Done,
	}
}

var demanding = ListenerOptions{Name: "SASL", Authenticate: true}

func (c client) handshake(version int16) {
	c.t.Helper()
	q, m := kmsg.NewPtrSASLHandshakeRequest(), kmsg.NewPtrSASLHandshakeResponse()
	q.SetVersion(version)
	m.SetVersion(version)
	q.Mechanism = "PLAIN"
	c.send(1, q)
	if c.receive(1, m); m.ErrorCode != 0 {
		c.t.Fatalf("handshake: error %d", m.ErrorCode)
	}
}

func (c client) authenticate(token string) *kmsg.SASLAuthenticateResponse {
	c.t.Helper()
	q, m := kmsg.NewPtrSASLAuthenticateRequest(), kmsg.NewPtrSASLAuthenticateResponse()
	q.SetVersion(2)
	m.SetVersion(2)
	q.SASLAuthBytes = []byte(token)
	c.send(2, q)
	c.receive(2, m)
	return m
}

func (c client) produces() {
	c.t.Helper()
	c.send(3, produceOf(0, 1, []byte("x")))
	m := kmsg.NewPtrProduceResponse()
	m.SetVersion(9)
	c.receive(3, m)
}

func TestNothingPassesBeforeAuthentication(t *testing.T) {
	s := start(t, passwords(time.Hour), Options{}, demanding)
	for _, q := range []kmsg.Request{kmsg.NewPtrMetadataRequest(), produceOf(0, 1, nil), kmsg.NewPtrListGroupsRequest()} {
		c := s.dial(t)
		c.send(1, versionsRequest(0)) // but this does
		c.receive(1, kmsg.NewPtrApiVersionsResponse())
		c.send(2, q)
		c.isCut()
	}
	eventually(t, "the log says why", func() bool { return s.log.has("before authentication") })
}

func TestAuthenticatedClientsPass(t *testing.T) {
	s := start(t, passwords(time.Hour), Options{}, demanding)
	c := s.dial(t)
	c.handshake(1)
	if m := c.authenticate("secret"); m.ErrorCode != 0 || string(m.SASLAuthBytes) != "welcome" {
		t.Fatalf("got %+v", m)
	}
	c.produces()
}

func TestFailedAuthenticationIsAnsweredAndEndsTheConnection(t *testing.T) {
	s := start(t, passwords(time.Hour), Options{}, demanding)
	c := s.dial(t)
	c.handshake(1)
	if m := c.authenticate("guess"); m.ErrorCode != int16(kafkaapi.SaslAuthenticationFailed) {
		t.Errorf("got %+v", m)
	}
	c.isCut()
}

func TestRefusedClientMayGoByItself(t *testing.T) {
	const long = 10 * patience
	s := start(t, passwords(time.Hour), Options{leaveTime: long}, demanding)
	c := s.dial(t)
	c.handshake(1)
	c.authenticate("guess")
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("right after the refusal: got %d bytes, %v; want an open connection", n, err)
	}
	c.send(3, produceOf(0, 1, nil)) // of which no notice is taken
	c.Close()
	eventually(t, "the connection is gone", func() bool { return s.Conns() == 0 })
}

func TestExpiredAuthenticationLetsOnlySASLPass(t *testing.T) {
	s := start(t, passwords(-time.Second), Options{}, demanding)
	c := s.dial(t)
	c.handshake(1)
	c.authenticate("secret")
	c.handshake(1) // again (KIP-368)
	c.authenticate("secret")
	c.send(3, produceOf(0, 1, nil))
	c.isCut()
}

func TestTokensOfOldClientsComeBare(t *testing.T) {
	s := start(t, passwords(time.Hour), Options{}, demanding)
	bare := func(token string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(token))), token...)
	}
	c := s.dial(t)
	c.handshake(0)
	c.write(bare("secret"))
	if got := c.frame(); string(got) != "welcome" {
		t.Errorf("got %q", got)
	}
	c.produces()

	c = s.dial(t)
	c.handshake(0)
	c.write(bare("guess"))
	c.isCut()

	c = s.dial(t)
	c.handshake(0)
	c.write(binary.BigEndian.AppendUint32(nil, maxUnknownFrame+1))
	c.isCut()
	s.idleMemory(t)
}

func TestFramesBeforeAuthenticationAreSmall(t *testing.T) {
	s := start(t, passwords(time.Hour), Options{}, demanding)
	c := s.dial(t)
	c.handshake(1)
	c.authenticate("secret")
	c.send(3, produceOf(0, 1, make([]byte, maxUnknownFrame))) // above what comes before
	c.receive(3, &kmsg.ProduceResponse{Version: 9})

	c = s.dial(t)
	q := kmsg.NewPtrSASLAuthenticateRequest()
	q.SASLAuthBytes = []byte(strings.Repeat("x", maxUnknownFrame))
	c.write(framed(q, 1)[:8])
	c.isCut()
	eventually(t, "the log says why", func() bool { return s.log.has("is larger than 524288") })
}

func TestPrincipalAndAttachedValueStayWithTheConnection(t *testing.T) {
	principals := make(chan string, 2)
	h := passwords(time.Hour)
	inner := h.handle
	h.handle = func(r *Request) {
		c := r.Conn()
		n, _ := c.Attached().(int)
		c.Attach(n + 1)
		inner(r)
		if n == 0 {
			principals <- "at first " + c.Principal()
		}
	}
	h.produce = func(r *ProduceRequest) {
		if n, _ := r.Conn().Attached().(int); n != 2 {
			t.Errorf("got %v attached, want 2", n)
		}
		principals <- r.Conn().Principal()
		r.Done()
	}
	s := start(t, h, Options{}, demanding)
	c := s.dial(t)
	c.handshake(1)
	c.authenticate("secret")
	c.produces()
	if first, then := <-principals, <-principals; first != "at first User:ANONYMOUS" || then != "User:alice" {
		t.Errorf("got %q and %q", first, then)
	}
}
