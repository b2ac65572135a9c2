package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	// readyTimeout bounds the start of a server, also one that recovers a gigabyte on a busy machine.
	readyTimeout = 30 * time.Second
	// stopTimeout is the patience with a polite end, after which the process is killed.
	stopTimeout = 15 * time.Second
	// readyPoll is the pause between two looks at a server that starts: a fraction of the shortest
	// start worth measuring.
	readyPoll = 500 * time.Microsecond
)

// Child is a running process whose output goes to a log file.
type Child struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when the process has ended
	err  error         // of Wait; read after done

	// Started is the time just before the process was made.
	Started time.Time
}

// StartChild runs program with args and appends its output to the file log. The environment is the
// caller's with env added. The process ends with its starter where the system can arrange that (Linux).
func StartChild(log string, env []string, program string, args ...string) (*Child, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	c := &Child{cmd: exec.Command(program, args...), log: log, done: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = out, out
	c.cmd.Env = append(os.Environ(), env...)
	endWithParent(c.cmd)
	c.Started = time.Now()
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

// PID is the id of the process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Done is closed when the process has ended, for whatever reason.
func (c *Child) Done() <-chan struct{} { return c.done }

// Await asks ready again and again until it says yes.
//
// Errors: the process ended, ctx ended, or 30 s passed; each with the end of the log.
func (c *Child) Await(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for !ready() {
		select {
		case <-c.done:
			return fmt.Errorf("process ended before it was ready: %w\n%s", c.exitError(), c.Tail())
		case <-ctx.Done():
			return fmt.Errorf("process is not ready: %w\n%s", ctx.Err(), c.Tail())
		case <-tick.C:
		}
	}
	return nil
}

// AwaitPort waits until addr (HOST:PORT) accepts connections.
func (c *Child) AwaitPort(ctx context.Context, addr string) error {
	return c.Await(ctx, func() bool {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// Kill ends the process as kill -9 does and waits until it is gone. Its own end before that is fine.
func (c *Child) Kill() error {
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-c.done
	return nil
}

// Stop asks the process to end (SIGTERM) and waits.
//
// Errors: it ended with a failure, or not within 15 s (it is then killed); each with the end of the log.
func (c *Child) Stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.done:
		if err := c.exitError(); err != nil {
			return fmt.Errorf("process ended badly: %w\n%s", err, c.Tail())
		}
		return nil
	case <-time.After(stopTimeout):
		err := fmt.Errorf("process did not end within %v\n%s", stopTimeout, c.Tail())
		return errors.Join(err, c.Kill())
	}
}

// exitError is how the process ended; call it after done is closed.
func (c *Child) exitError() error {
	<-c.done
	return c.err
}

// Tail returns the last 4,000 bytes of the log.
func (c *Child) Tail() string {
	text, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	const keep = 4000
	return string(text[max(0, len(text)-keep):])
}

// FreePort returns a port of 127.0.0.1 that was free a moment ago, for programs that cannot choose
// one themselves.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
