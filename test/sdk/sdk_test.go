//go:build system

package sdk

import (
	"context"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/test/process"
)

var (
	endpointFlag = flag.String("endpoint", "", "URL of a server that runs already; default: start bin/millrace")
	http1Flag    = flag.Bool("http1", false, "the server at -endpoint does not speak HTTP/2")
)

const (
	accessKey = "123456789012" // twelve digits: the account
	secretKey = "a-secret-for-tests"
	region    = "eu-central-1"
)

// clientTimeout bounds one client's whole scenario on a busy machine.
const clientTimeout = 3 * time.Minute

// environment is what every client finds: credentials, region, and no AWS setting of the user's own.
func environment(more ...string) []string {
	own := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	return append(append(own,
		"AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey, "AWS_REGION="+region,
		"AWS_DEFAULT_REGION="+region, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "PYTHONDONTWRITEBYTECODE=1",
	), more...)
}

// part returns a path inside a part, and fails the test when it was not prepared.
func part(t *testing.T, elem ...string) string {
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

// noQuotas lets a client read the same shard more than five times a second, which the scenario does.
var noQuotas = []string{"--kinesis-quotas", "off"}

// start runs a server for t on a folder of its own.
func start(t *testing.T, o process.Options) *process.Server {
	t.Helper()
	o.Data = filepath.Join(t.TempDir(), "data")
	return startOn(t, o)
}

// startOn runs a server for t, which ends politely with it.
func startOn(t *testing.T, o process.Options) *process.Server {
	t.Helper()
	s, err := process.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestUnchangedClientsPlayTheScenario(t *testing.T) {
	endpoint := *endpointFlag
	if endpoint == "" {
		endpoint = start(t, process.Options{Args: noQuotas}).Endpoint()
	}
	t.Run("go", func(t *testing.T) { playGo(t, endpoint, "stream-go", http.DefaultClient) })
	t.Run("awscli", func(t *testing.T) { playCLI(t, endpoint, "stream-awscli") })
	t.Run("boto3", func(t *testing.T) { playBoto3(t, endpoint, "stream-boto3") })
	t.Run("javascript", func(t *testing.T) { playJavaScript(t, endpoint, "stream-javascript") })
	t.Run("java", func(t *testing.T) { playJava(t, endpoint, "stream-java") })
}

// withDeadline bounds a client by clientTimeout and by the test.
func withDeadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientTimeout)
	t.Cleanup(cancel)
	return ctx
}
