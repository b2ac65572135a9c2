//go:build unix && !linux

package pgtest

import "syscall"

// endWithParent can do nothing here: a server whose tests were killed has to be ended by hand.
func endWithParent(*syscall.SysProcAttr) {}
