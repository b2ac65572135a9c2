package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestHandlerThatPanicsEndsOneConnectionAndHoldsNoMemory(t *testing.T) {
	broken := true
	s := start(t, &scripted{
		handle: func(r *Request) {
			if broken {
				panic("metadata")
			}
			answerVersions(r)
		},
		produce: func(*ProduceRequest) { panic("produce") },
		fetch:   func(*FetchRequest) { panic("fetch") },
	}, Options{}, ListenerOptions{})
	produce, fetch := kmsg.NewPtrProduceRequest(), kmsg.NewPtrFetchRequest()
	produce.SetVersion(9)
	produce.Acks = 1
	fetch.SetVersion(12)
	for _, m := range []kmsg.Request{versionsRequest(3), produce, fetch} {
		c := s.dial(t)
		c.send(1, m)
		c.isCut()
	}
	for _, what := range []string{"metadata", "produce", "fetch"} {
		if !s.log.has("panic=" + what) {
			t.Errorf("the log does not tell of the panic of %s", what)
		}
	}
	s.idleMemory(t)
	broken = false
	c := s.dial(t)
	c.send(2, versionsRequest(3))
	m := kmsg.NewPtrApiVersionsResponse()
	m.SetVersion(3)
	c.receive(2, m)
}
