package pgtest

import "syscall"

// endWithParent lets the server end when the tests are killed.
func endWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGQUIT }
