//go:build system

package kafka

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// steps are what each program under clients/ reports; the package comment says what they do.
var steps = []string{
	"auto", "topic", "produce", "timestamps", "group", "idempotent", "transaction", "delete-records", "groups", "delete-topic",
}

// program is a client to run.
type program struct {
	name string
	args []string
	env  []string
}

// play runs p and makes a subtest of each step it has to report with a line "ok STEP". Any other line of its output
// is a failure.
func play(t *testing.T, want []string, p program) {
	t.Helper()
	out, log, runErr := p.run(t)
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
				t.Errorf("%s did not finish step %s", filepath.Base(p.name), step)
			}
		})
	}
	if runErr != nil {
		t.Errorf("%s: %v", filepath.Base(p.name), runErr)
	}
	if t.Failed() {
		t.Logf("what %s wrote to standard error:\n%s", filepath.Base(p.name), log)
	}
}

// run runs the program until it ends or its time is over.
func (p program) run(t *testing.T) (out, log string, err error) {
	t.Helper()
	cmd := exec.CommandContext(withDeadline(t), p.name, p.args...)
	cmd.Env = append(append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"), p.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

func python(t *testing.T, file string, args ...string) program {
	t.Helper()
	return program{name: part(t, "kafka-python", "venv", "bin", "python"), args: append([]string{filepath.Join("clients", file)}, args...)}
}

func node(t *testing.T, file string, args ...string) program {
	t.Helper()
	return program{
		name: "node", args: append([]string{filepath.Join("clients", file)}, args...),
		env: []string{"NODE_PATH=" + part(t, "kafka-node", "node_modules"), "KAFKAJS_NO_PARTITIONER_WARNING=1"},
	}
}
