//go:build !linux

package embedded

import "time"

// nap sleeps for as short as the runtime can: the kernels there take timeouts in nanoseconds, but for Windows, with half a
// millisecond.
func nap() { time.Sleep(10 * time.Microsecond) }
