//go:build system

package sdk

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"millrace/test/process"
	"millrace/test/program"
)

// TestUnchangedClientsPublishMetrics has clients put metrics and read them, by statistics and by queries.
func TestUnchangedClientsPublishMetrics(t *testing.T) {
	endpoint := start(t, process.Options{}).Endpoint()
	want := []string{"put", "list", "statistics", "data", "errors"}
	t.Run("boto3", func(t *testing.T) {
		play(t, want, nil, program.Part(t, "python", "venv", "bin", "python"), "clients/cloudwatch.py", endpoint)
	})
	t.Run("awscli", func(t *testing.T) {
		aws := func(args ...string) map[string]any {
			t.Helper()
			args = append([]string{"--endpoint-url", endpoint, "--output", "json", "cloudwatch"}, args...)
			cmd := exec.CommandContext(program.Deadline(t), program.Part(t, "python", "venv", "bin", "aws"), args...)
			cmd.Env = environment()
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
			}
			if len(out) == 0 {
				return nil
			}
			var got map[string]any
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			return got
		}
		aws("put-metric-data", "--namespace", "Cli", "--metric-name", "m", "--value", "2.5", "--unit", "Count", "--dimensions", "Host=h")
		if got := aws("list-metrics", "--namespace", "Cli")["Metrics"].([]any); len(got) != 1 {
			t.Errorf("list-metrics: got %v", got)
		}
		now := time.Now()
		got := aws("get-metric-statistics", "--namespace", "Cli", "--metric-name", "m", "--dimensions", "Name=Host,Value=h",
			"--period", "60", "--statistics", "Sum", "--start-time", now.Add(-time.Hour).Format(time.RFC3339), "--end-time", now.Add(time.Minute).Format(time.RFC3339))
		if points := got["Datapoints"].([]any); len(points) != 1 || points[0].(map[string]any)["Sum"] != 2.5 {
			t.Errorf("get-metric-statistics: got %v", got)
		}
	})
	t.Run("java", func(t *testing.T) {
		classPath := compile(t, program.Part(t, "java-dynamodb", "lib", "*"), "clients/Metrics.java", "clients/Steps.java")
		play(t, want, nil, "java", "-Xmx256m", "-cp", classPath, "Metrics", endpoint)
	})
	t.Run("javascript", func(t *testing.T) {
		play(t, want, nil, "node", "--no-warnings", "clients/cloudwatch.mjs", program.Part(t, "node"), endpoint)
	})
}
