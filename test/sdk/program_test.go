//go:build system

package sdk

import (
	"testing"

	"millrace/test/program"
)

// steps are what each program under clients/ reports.
var steps = []string{
	"create", "shards", "put", "put-batch", "read", "iterators", "tags", "retention", "errors", "delete",
}

func playBoto3(t *testing.T, endpoint, stream string, env ...string) {
	t.Helper()
	play(t, steps, env, program.Part(t, "python", "venv", "bin", "python"), "clients/boto3_client.py", endpoint, stream)
}

func playJavaScript(t *testing.T, endpoint, stream string) {
	t.Helper()
	want := append([]string{"push"}, steps...)
	args := []string{"clients/client.mjs", program.Part(t, "node"), endpoint, stream}
	if *http1Flag {
		want, args = steps, append(args, "http1")
	}
	play(t, want, nil, "node", args...)
}

func playJava(t *testing.T, endpoint, stream string) {
	t.Helper()
	classPath := compile(t, program.Part(t, "java", "lib", "*"), "clients/Client.java")
	want := append([]string{"async", "push"}, steps...)
	args := []string{"-Xmx256m", "-cp", classPath, "Client", endpoint, stream}
	if *http1Flag {
		want, args = steps, append(args, "http1")
	}
	play(t, want, nil, "java", args...)
}

// play runs a client's program and makes a subtest of each step it has to report.
func play(t *testing.T, want, env []string, name string, args ...string) {
	t.Helper()
	program.Program{Name: name, Args: args, Env: environment(env...)}.Play(t, want)
}
