package embedded

import (
	"testing"
	"time"
)

func TestACallerAloneWaitsForNobody(t *testing.T) {
	c := company{answered: 1, sync: time.Millisecond}
	if c.worth(1, c.answered, 100) {
		t.Error("a group waits though the one who was answered last is there again")
	}
	if c.worth(0, 5, 0) {
		t.Error("a group without requests waits")
	}
	if c.worth(5, 16, mostLedBytes+1) {
		t.Errorf("a group of %d bytes waits", mostLedBytes+1)
	}
}

func TestAWaitIsOverWhenItCostsAsMuchAsItMaySave(t *testing.T) {
	c := company{sync: 800 * time.Microsecond}
	for _, x := range []struct {
		n, expected   int
		waited, alone time.Duration
		over          bool
	}{
		{8, 16, 99 * time.Microsecond, 99 * time.Microsecond, false},
		{8, 16, 100 * time.Microsecond, 100 * time.Microsecond, true},
		{1, 2, 799 * time.Microsecond, 799 * time.Microsecond, false},
		{15, 16, 300 * time.Microsecond, 50 * time.Microsecond, false},
		{15, 16, 300 * time.Microsecond, 60 * time.Microsecond, true},
		{2, 1000, 800 * time.Microsecond, 0, true},
		{16, 16, 0, 0, true},
	} {
		if got := c.over(x.n, x.expected, x.waited, x.alone); got != x.over {
			t.Errorf("%d of %d after %v, nobody for %v: over %t, want %t", x.n, x.expected, x.waited, x.alone, got, x.over)
		}
	}
}

func TestWaitingThatDoesNotPayBecomesRare(t *testing.T) {
	c := company{sync: time.Millisecond}
	waits := 0
	for range 1000 {
		if c.worth(1, 2, 100) {
			waits++
			c.came(0)
		}
	}
	if waits > 22 {
		t.Errorf("waited in vain %d times for 1000 groups, want at most 22", waits)
	}
	for !c.worth(1, 2, 100) {
	}
	c.came(1)
	if !c.worth(1, 2, 100) {
		t.Error("waiting has paid off, but the next group does not wait")
	}
}

func TestAStalledDiskMakesNobodyWaitLonger(t *testing.T) {
	var c company
	for range 100 {
		c.synced(time.Second)
	}
	if c.sync > longestSync {
		t.Errorf("a sync is taken for %v, want at most %v", c.sync, longestSync)
	}
}
