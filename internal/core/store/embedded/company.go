package embedded

import (
	"runtime"
	"time"
)

// company decides how long the sequencer waits before it begins a group. Whoever was answered last may be back soon, and then two
// groups of half the callers take turns where one of all would do: twice the syncs, and each caller waits for two.
//
// With n requests waiting, another moment costs n of these moments, and a request that comes in it saves that one about a sync. So the group
// begins when nobody has come for the n-th part of a sync: what is lost then is at most what one more would have saved. It begins at
// once when nobody is missing, which is what a caller alone sees.
//
// It is the sequencer's alone.
type company struct {
	answered int           // requests of the last group
	sync     time.Duration // of late, about; at most longestSync
	vain     int           // groups to begin at once after the next wait for which nobody comes
	rest     int           // groups left to begin at once
}

const (
	// longestSync bounds what a sync is taken for: past it the disk stalls, and who waits should not wait longer for company.
	longestSync = 2 * time.Millisecond

	// mostVain is how many groups begin at once when waiting has not paid off again and again.
	mostVain = 63
)

// synced notes how long the last sync took.
func (c *company) synced(took time.Duration) {
	c.sync += (min(took, longestSync) - c.sync) / 8
}

// worth says whether to wait with n requests when so many may come altogether.
func (c *company) worth(n, expected, bytes int) bool {
	switch {
	case n == 0, n >= expected, bytes > mostLedBytes, c.sync == 0:
		return false
	case c.rest > 0:
		c.rest--
		return false
	}
	return true
}

// over says whether a wait is over in which nobody came for so long.
func (c *company) over(n, expected int, waited, alone time.Duration) bool {
	return n >= expected || alone >= c.sync/time.Duration(n) || waited >= c.sync
}

// came notes how many came during a wait.
func (c *company) came(n int) {
	if n > 0 {
		c.vain = 0
		return
	}
	c.vain = min(2*c.vain+1, mostVain)
	c.rest = c.vain
}

// gather is take for a group: unless there is something to carry, it waits for the first request and then for company. It returns nothing
// when the store stops.
func (s *Store) gather(carry []*request) []*request {
	waiting := append(carry, s.take(false)...)
	expected := len(waiting) + s.company.answered
	if len(waiting) == 0 {
		waiting, expected = s.take(true), s.company.answered
	}
	if len(carry) == 0 && s.company.worth(len(waiting), expected, bytesOf(waiting)) {
		n := s.await(len(waiting), expected)
		s.company.came(n - len(waiting))
		waiting = append(waiting, s.take(false)...)
	}
	s.company.answered = len(waiting)
	return waiting
}

// await waits with n requests for more, and returns how many there are then.
func (s *Store) await(n, expected int) int {
	start := time.Now()
	now, last, had := start, start, n
	for !s.company.over(n, expected, now.Sub(start), now.Sub(last)) {
		pause()
		s.qmu.Lock()
		more := had + len(s.queue)
		s.qmu.Unlock()
		if now = time.Now(); more > n {
			n, last = more, now
		}
	}
	return n
}

func bytesOf(requests []*request) (n int) {
	for _, r := range requests {
		n += r.bytes
	}
	return n
}

// pause lets others run for some microseconds. On Linux the runtime's timers are too coarse: in a
// process that is idle they take a millisecond.
func pause() {
	start := time.Now()
	runtime.Gosched()
	if time.Since(start) < 2*time.Microsecond { // nobody had anything to do
		nap()
	}
}
