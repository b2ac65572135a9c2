package bufpool

import "testing"

func TestBuffersHaveTheSizeAskedFor(t *testing.T) {
	for _, n := range []int{0, 1, Smallest - 1, Smallest, Smallest + 1, 16 << 10, 16<<10 + 1, 64 << 10, 1 << 20, 1<<20 + 1, 16 << 20} {
		b := Get(n)
		if len(b) != n || cap(b) < n {
			t.Errorf("Get(%d): got len %d cap %d", n, len(b), cap(b))
		}
		if n <= 1<<20 && cap(b) > max(Smallest, 4*n) {
			t.Errorf("Get(%d): cap %d is more than four times", n, cap(b))
		}
		Put(b)
	}
}

func TestForeignAndLargeBuffersAreNotKept(t *testing.T) {
	Put(make([]byte, 5000))
	Put(make([]byte, 4<<20))
	for _, n := range []int{5000, 4 << 20} {
		if b := Get(n); len(b) != n {
			t.Errorf("Get(%d): got len %d", n, len(b))
		}
	}
}
