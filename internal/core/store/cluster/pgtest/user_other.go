//go:build !unix

package pgtest

import "os/exec"

type runAs struct{}

func serverUser(string) (runAs, error) { return runAs{}, nil }

func (runAs) apply(*exec.Cmd) {}

func stopServer(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
