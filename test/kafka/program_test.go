//go:build system

package kafka

import (
	"os"
	"path/filepath"
	"testing"

	"millrace/test/program"
)

// steps are what each program under clients/ reports; the package comment says what they do.
var steps = []string{
	"auto", "topic", "produce", "timestamps", "group", "idempotent", "transaction", "delete-records", "groups", "delete-topic",
}

func python(t *testing.T, file string, args ...string) program.Program {
	t.Helper()
	return program.Program{
		Name: program.Part(t, "kafka-python", "venv", "bin", "python"), Args: append([]string{filepath.Join("clients", file)}, args...),
		Env: append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"),
	}
}

func node(t *testing.T, file string, args ...string) program.Program {
	t.Helper()
	return program.Program{
		Name: "node", Args: append([]string{filepath.Join("clients", file)}, args...),
		Env: append(os.Environ(), "NODE_PATH="+program.Part(t, "kafka-node", "node_modules"), "KAFKAJS_NO_PARTITIONER_WARNING=1"),
	}
}
