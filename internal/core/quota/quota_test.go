package quota

import (
	"math"
	"testing"
)

func TestBucketIsPaidBackBeforeItGivesOutAndHoldsNoMoreThanItsMost(t *testing.T) {
	var b Bucket
	for _, x := range []struct {
		spend, seconds float64
		want           float64
	}{{0, 2, 20}, {50, 1, -20}, {0, 1, -10}, {0, 2, 10}, {0, 100, 30}, {0, math.Inf(1), 30}} {
		b.Level -= x.spend
		b.Refill(x.seconds, 10, 30)
		if b.Level != x.want {
			t.Errorf("after spending %v and %v s at 10 a second: got %v, want %v", x.spend, x.seconds, b.Level, x.want)
		}
	}
}
