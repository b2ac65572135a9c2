package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// runner runs the processes of one part and counts what they found.
type runner struct {
	root  string
	quick bool
	env   []string
	log   io.Writer // the part's log file
	count *count
}

// count is the outcome of checks and tests.
type count struct {
	passed, failed, skipped int
}

func (c *count) add(o count) {
	c.passed += o.passed
	c.failed += o.failed
	c.skipped += o.skipped
}

// errFailed says that something failed which has been reported and counted already.
var errFailed = errors.New("failed")

// runPart runs p with its log and its deadline. An error that was not counted yet counts one.
func runPart(ctx context.Context, root string, quick bool, p part) (count, error) {
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	logs := filepath.Join(root, "build", "log")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return count{failed: 1}, err
	}
	log, err := os.Create(filepath.Join(logs, p.name+".log"))
	if err != nil {
		return count{failed: 1}, err
	}
	defer log.Close()
	var c count
	err = p.run(ctx, &runner{root: root, quick: quick, env: environment(root), log: log, count: &c})
	if err != nil && !errors.Is(err, errFailed) {
		c.failed++
		fmt.Printf("    %s: %v\n", p.name, err)
	}
	if ctx.Err() != nil {
		c.failed++
		fmt.Printf("    %s: stopped after %v\n", p.name, p.limit)
	}
	return c, errors.Join(err, ctx.Err())
}

// with is r with further environment, NAME=value.
func (r *runner) with(env []string) *runner {
	other := *r
	other.env = append(slices.Clone(r.env), env...)
	return &other
}

// check runs a program that says by its exit code whether all is well.
func (r *runner) check(ctx context.Context, name, program string, args ...string) error {
	out, err := r.output(ctx, program, args...)
	return r.verdict(name, out, err)
}

// silent runs a program that says by printing nothing that all is well.
func (r *runner) silent(ctx context.Context, name, program string, args ...string) error {
	out, err := r.output(ctx, program, args...)
	if err == nil && len(bytes.TrimSpace(out)) > 0 {
		err = errors.New("it has something to say")
	}
	return r.verdict(name, out, err)
}

func (r *runner) verdict(name string, out []byte, err error) error {
	if err == nil {
		r.count.passed++
		return nil
	}
	r.count.failed++
	fmt.Printf("    FAIL %s: %v\n%s\n", name, err, indent(last(out)))
	return errFailed
}

// shownMax bounds what is shown of one failure; the log has the rest.
const shownMax = 6000

// output runs a program in the module root, keeps what it prints, and logs it.
func (r *runner) output(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := r.command(ctx, program, args...)
	var out bytes.Buffer
	both := io.MultiWriter(&out, r.log)
	cmd.Stdout, cmd.Stderr = both, both
	err := cmd.Run()
	return out.Bytes(), err
}

// command prepares a program; when the deadline passes it is interrupted, and killed soon after.
func (r *runner) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	fmt.Fprintln(r.log, "$", program, args)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = r.root, r.env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// last keeps the end of an output, where the reason stands.
func last(out []byte) []byte { return out[max(0, len(out)-shownMax):] }

func indent(text []byte) []byte {
	text = bytes.TrimRight(text, "\n")
	return append([]byte("      "), bytes.ReplaceAll(text, []byte("\n"), []byte("\n      "))...)
}
