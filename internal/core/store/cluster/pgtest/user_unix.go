//go:build unix

package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// runAs is whom the server runs as; nil: ourselves.
type runAs struct{ cred *syscall.Credential }

// serverUser gives dir to the user whom the server will run as.
func serverUser(dir string) (runAs, error) {
	if os.Getuid() != 0 {
		return runAs{}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return runAs{}, fmt.Errorf("PostgreSQL refuses to run as root, and there is no user postgres to run it: %w", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return runAs{}, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return runAs{}, err
	}
	return runAs{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chown(dir, uid, gid)
}

func (r runAs) apply(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: r.cred}
	endWithParent(cmd.SysProcAttr)
}

// stopServer asks for an immediate shutdown: the folder goes anyway.
func stopServer(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGQUIT) // it may have exited already
}
