package embedded

import "golang.org/x/sys/unix"

// nap sleeps for as short as the kernel can, some 60 µs with its usual slack. Cut short by a signal it is still a nap.
func nap() {
	_ = unix.Nanosleep(&unix.Timespec{Nsec: 10_000}, nil)
}
