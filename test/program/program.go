// Package program runs clients as programs of their own for tests of the whole system: what tools/parts prepared, with a deadline, and with
// a line of output for each step they finish.
package program

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/test/process"
)

// Timeout bounds one client's whole scenario on a busy machine.
const Timeout = 3 * time.Minute

// Deadline bounds a client by Timeout and by the test.
func Deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Timeout)
	t.Cleanup(cancel)
	return ctx
}

// Part returns a path inside a part, which may end with * as a class path does, and fails the test when the part was not prepared.
func Part(t *testing.T, elem ...string) string {
	t.Helper()
	root, err := process.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(append([]string{root, "build", "parts"}, elem...)...)
	if _, err := os.Stat(strings.TrimSuffix(path, "*")); err != nil {
		t.Fatalf("a part is missing, `go run ./tools/parts` prepares it: %v", err)
	}
	return path
}

// Program is a client to run.
type Program struct {
	Name string
	Args []string
	Env  []string // nil: that of the test
}

// Run runs the program until it ends or its time is over, and returns its standard output and standard error.
func (p Program) Run(t *testing.T) (out, log string, err error) {
	t.Helper()
	cmd := exec.CommandContext(Deadline(t), p.Name, p.Args...)
	cmd.Env = p.Env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// Play runs the program and makes a subtest of each step it has to report with a line "ok STEP". Any other line of its output is a failure.
func (p Program) Play(t *testing.T, want []string) {
	t.Helper()
	out, log, runErr := p.Run(t)
	ok := map[string]bool{}
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if step, found := strings.CutPrefix(line, "ok "); found {
			ok[step] = true
		} else {
			t.Errorf("%s", line)
		}
	}
	for _, step := range want {
		t.Run(step, func(t *testing.T) {
			if !ok[step] {
				t.Errorf("%s did not finish step %s", filepath.Base(p.Name), step)
			}
		})
	}
	if runErr != nil {
		t.Errorf("%s: %v", filepath.Base(p.Name), runErr)
	}
	if t.Failed() {
		t.Logf("what %s wrote to standard error:\n%s", filepath.Base(p.Name), log)
	}
}
