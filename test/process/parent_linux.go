package process

import (
	"os/exec"
	"syscall"
)

// endWithParent has the kernel kill the process when its starter is gone, so that a test that panics
// leaves nothing behind.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
