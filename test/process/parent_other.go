//go:build !linux

package process

import "os/exec"

// endWithParent does nothing here: the system has no such arrangement.
func endWithParent(*exec.Cmd) {}
