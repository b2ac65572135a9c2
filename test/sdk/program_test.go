//go:build system

package sdk

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// steps are what each program under clients/ reports.
var steps = []string{
	"create", "shards", "put", "put-batch", "read", "iterators", "tags", "retention", "errors", "delete",
}

func playBoto3(t *testing.T, endpoint, stream string, env ...string) {
	t.Helper()
	play(t, steps, env, part(t, "python", "venv", "bin", "python"), "clients/boto3_client.py", endpoint, stream)
}

func playJavaScript(t *testing.T, endpoint, stream string) {
	t.Helper()
	want := append([]string{"push"}, steps...)
	args := []string{"clients/client.mjs", part(t, "node"), endpoint, stream}
	if *http1Flag {
		want, args = steps, append(args, "http1")
	}
	play(t, want, nil, "node", args...)
}

func playJava(t *testing.T, endpoint, stream string) {
	t.Helper()
	classPath := compile(t, part(t, "java", "lib", "*"), "clients/Client.java")
	want := append([]string{"async", "push"}, steps...)
	args := []string{"-Xmx256m", "-cp", classPath, "Client", endpoint, stream}
	if *http1Flag {
		want, args = steps, append(args, "http1")
	}
	play(t, want, nil, "java", args...)
}

// play runs a client's program and makes a subtest of each step it has to report.
func play(t *testing.T, want, env []string, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(withDeadline(t), program, args...)
	cmd.Env = environment(env...)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	runErr := cmd.Run()
	ok := map[string]bool{}
	for line := range strings.Lines(out.String()) {
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
				t.Errorf("%s did not finish step %s", filepath.Base(program), step)
			}
		})
	}
	if runErr != nil {
		t.Errorf("%s: %v\n%s", filepath.Base(program), runErr, log.String())
	}
}
