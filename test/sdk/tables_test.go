//go:build system

package sdk

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"

	"millrace/test/process"
	"millrace/test/program"
)

// tableSteps are what the programs of tables report in each language; some have more.
var tableSteps = []string{"create", "items", "batches", "pages", "transactions", "capacity", "errors", "delete"}

func TestUnchangedClientsUseTables(t *testing.T) {
	endpoint := *endpointFlag
	if endpoint == "" {
		endpoint = start(t, process.Options{Args: noQuotas}).Endpoint()
	}
	t.Run("go", func(t *testing.T) { playTablesGo(t, endpoint, "table-go", http.DefaultClient) })
	t.Run("awscli", func(t *testing.T) { playTablesCLI(t, endpoint, "table-awscli") })
	t.Run("boto3", func(t *testing.T) { playTablesBoto3(t, endpoint, "table-boto3") })
	t.Run("javascript", func(t *testing.T) {
		want := append([]string{"expressions", "legacy"}, tableSteps...)
		play(t, want, nil, "node", "--no-warnings", "clients/dynamodb.mjs", program.Part(t, "node"), endpoint, "table-javascript")
	})
	t.Run("java", func(t *testing.T) {
		want := append([]string{"versions", "conditions", "types", "async"}, tableSteps...)
		classPath := compile(t, program.Part(t, "java-dynamodb", "lib", "*"), "clients/Tables.java", "clients/Steps.java")
		play(t, want, nil, "java", "-Xmx256m", "-cp", classPath, "Tables", endpoint, "table-java")
	})
}

func TestClientsUseTablesOverTLS(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startOn(t, process.Options{Data: data})
	file, _ := authority(t, data)
	playTablesBoto3(t, "https://"+s.Ready.AWS, "table-tls", "AWS_CA_BUNDLE="+file)
}

func playTablesBoto3(t *testing.T, endpoint, table string, env ...string) {
	t.Helper()
	want := append([]string{"expressions", "legacy", "tags"}, tableSteps...)
	play(t, want, env, program.Part(t, "python", "venv", "bin", "python"), "clients/dynamodb_boto3.py", endpoint, table)
}

// compile compiles Java programs against jars and returns the class path that runs them.
func compile(t *testing.T, jars string, sources ...string) string {
	t.Helper()
	classes := t.TempDir()
	args := append([]string{"-nowarn", "-d", classes, "-cp", jars}, sources...)
	if out, err := exec.CommandContext(program.Deadline(t), "javac", args...).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	return classes + string(filepath.ListSeparator) + jars
}
