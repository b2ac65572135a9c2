package kafka

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRequestsAreReadHoweverTheyArrive sends requests of sizes around what is read ahead, cut at random places.
func TestRequestsAreReadHoweverTheyArrive(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	const n = 300
	sent := make([][]byte, n)
	got := make(chan []byte, n)
	s := start(t, &scripted{produce: func(r *ProduceRequest) {
		got <- bytes.Clone(r.Topics[0].Partitions[0].Records)
		r.Done()
	}}, Options{}, ListenerOptions{})
	c := s.dial(t)
	var stream []byte
	for i := range sent {
		sent[i] = bytes.Repeat([]byte{byte(i)}, random.IntN(3*aheadProduceBytes))
		stream = append(stream, framed(produceOf(0, 1, sent[i]), int32(i))...)
	}
	go func() {
		for len(stream) > 0 {
			cut := min(len(stream), 1+random.IntN(1<<random.IntN(16)))
			if _, err := c.Write(stream[:cut]); err != nil {
				t.Errorf("seed %d: %v", seed, err)
				return
			}
			stream = stream[cut:]
		}
	}()
	for i := range int32(n) {
		m := kmsg.NewPtrProduceResponse()
		m.SetVersion(9)
		c.receive(i, m)
		if b := <-got; !bytes.Equal(b, sent[i]) {
			t.Fatalf("seed %d: request %d came with %d bytes, want %d", seed, i, len(b), len(sent[i]))
		}
	}
	s.idleMemory(t)
}

func TestAClientThatKeepsSendingIsNotIdle(t *testing.T) {
	const idle = 200 * time.Millisecond
	s := start(t, &scripted{produce: func(r *ProduceRequest) { r.Done() }}, Options{IdleTimeout: idle}, ListenerOptions{})
	c := s.dial(t)
	begun := time.Now()
	for i := int32(0); time.Since(begun) < 2*idle; i++ { // the time is not set anew for each of them
		c.send(i, produceOf(0, 1, []byte("x")))
		m := kmsg.NewPtrProduceResponse()
		m.SetVersion(9)
		c.receive(i, m)
	}
	c.isCut()
}
