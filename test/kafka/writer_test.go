//go:build system

package kafka

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"millrace/test/program"
)

// writer is an idempotent producer of another client, a program of clients/ that lives through all kills.
type writer struct {
	name  string
	cmd   *exec.Cmd
	input io.WriteCloser
	out   bytes.Buffer
	log   bytes.Buffer
}

// startWriter starts p, which sends to the partition of idempotentTopic.
func startWriter(t *testing.T, bootstrap, name string, partition int, p program.Program) *writer {
	t.Helper()
	args := append(p.Args, bootstrap, idempotentTopic, fmt.Sprint(partition), name)
	w := &writer{name: name, cmd: exec.CommandContext(program.Deadline(t), p.Name, args...)}
	w.cmd.Stdout, w.cmd.Stderr = &w.out, &w.log
	input, err := w.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.input = input
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}

// stop has the writer deliver what it has, and gives how many records that were.
func (w *writer) stop(t *testing.T) (count int) {
	t.Helper()
	if _, err := fmt.Fprintln(w.input); err != nil {
		t.Errorf("%s: %v", w.name, err)
	}
	err := w.cmd.Wait()
	if _, scanErr := fmt.Sscanf(w.out.String(), "sent %d\n", &count); err != nil || scanErr != nil {
		t.Errorf("%s gave up: %s (%v)\n%s", w.name, strings.TrimSpace(w.out.String()), err, w.log.String())
	}
	t.Logf("%s: %d records", w.name, count)
	return count
}
