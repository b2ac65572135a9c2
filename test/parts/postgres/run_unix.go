//go:build unix

package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// nobody is the user and group that a server runs as when the tests run as root.
const nobody = 65534

// run makes the cluster and starts the server; it sets end.
func (s *server) run(bin string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	data := filepath.Join(s.dir, "data")
	if err := s.own(data); err != nil {
		return err
	}
	bin, err := s.usable(ctx, bin)
	if err != nil {
		return err
	}
	// The cluster is made without syncs, which is only safe for a folder nobody has used yet.
	initdb := as(exec.CommandContext(ctx, filepath.Join(bin, "initdb"),
		"-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"), s.dir)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	var log bytes.Buffer
	cmd := as(exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200",
		"-c", "shared_buffers=64MB"), s.dir)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		close(done)
	}()
	s.end = func() error {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err // SIGINT is PostgreSQL's fast shutdown
		}
		select {
		case <-done:
			return nil
		case <-time.After(startTimeout):
			return errors.Join(errors.New("it does not stop"), cmd.Process.Kill())
		}
	}
	return s.await(ctx, done, &log)
}

// await connects until the server answers.
func (s *server) await(ctx context.Context, done <-chan struct{}, log *bytes.Buffer) error {
	for {
		err := execute(ctx, s.dsn("postgres"), "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-done:
			return fmt.Errorf("the server ended: %s", log.String())
		case <-ctx.Done():
			return errors.Join(err, s.end())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// own makes the folder data for the user that the server runs as, below folders that it can pass.
func (s *server) own(data string) error {
	if err := os.Mkdir(data, 0o700); err != nil || os.Getuid() != 0 {
		return err
	}
	return errors.Join(os.Chmod(s.dir, 0o755), os.Chown(data, nobody, nobody))
}

// usable returns a folder from which the server's user can run the programs: bin, or a copy of its tree.
func (s *server) usable(ctx context.Context, bin string) (string, error) {
	if os.Getuid() != 0 || as(exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version"), s.dir).Run() == nil {
		return bin, nil
	}
	tree := filepath.Join(s.dir, "programs")
	if out, err := exec.CommandContext(ctx, "cp", "-R", filepath.Dir(bin), tree).CombinedOutput(); err != nil {
		return "", fmt.Errorf("copy the programs: %w\n%s", err, out)
	}
	if out, err := exec.CommandContext(ctx, "chmod", "-R", "a+rX", tree).CombinedOutput(); err != nil {
		return "", fmt.Errorf("open the programs to all: %w\n%s", err, out)
	}
	return filepath.Join(tree, "bin"), nil
}

// as runs cmd in dir, and as nobody when we are root.
func as(cmd *exec.Cmd, dir string) *exec.Cmd {
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+dir)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}
