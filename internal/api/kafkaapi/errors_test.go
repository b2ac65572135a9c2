package kafkaapi

import (
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestCodesHaveTheNamesThatFranzGoKnows(t *testing.T) {
	for c := UnknownServerError; int(c) < len(codes)-1; c++ {
		if c == None || c == NotLeaderOrFollower { // franz-go has the name of code 6 from before Kafka 2.6
			continue
		}
		e := kerr.TypedErrorForCode(int16(c))
		if e == nil || e.Code != int16(c) || e.Message != c.Name() {
			t.Errorf("code %d: got %s, franz-go says %+v", c, c.Name(), e)
		}
		if c.Message() == "" {
			t.Errorf("code %d, %s, has no message", c, c)
		}
	}
}

func TestUnknownCodesAreUnknownServerErrors(t *testing.T) {
	for _, c := range []Code{-2, 134, math.MinInt16, math.MaxInt16} {
		if got := c.Name(); got != "UNKNOWN_SERVER_ERROR" || c.Retriable() {
			t.Errorf("code %d: got %s, retriable %v", c, got, c.Retriable())
		}
	}
	if got := None.Message(); got != "" {
		t.Errorf("None: got message %q, want none", got)
	}
}

func TestRetriableCodesAreThoseOfKafka(t *testing.T) {
	for c, want := range map[Code]bool{
		None: false, NotLeaderOrFollower: true, RequestTimedOut: true, CoordinatorLoadInProgress: true,
		ConcurrentTransactions: true, OutOfOrderSequenceNumber: false, UnknownTopicID: true, IllegalGeneration: false,
	} {
		if got := c.Retriable(); got != want {
			t.Errorf("%s: got %v, want %v", c, got, want)
		}
	}
}
