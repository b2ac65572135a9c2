//go:build system

package sdk

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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

// environment is what every client finds: credentials, region, and no AWS setting of the user's own.
func environment(more ...string) []string {
	own := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	return append(append(own,
		"AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey, "AWS_REGION="+region,
		"AWS_DEFAULT_REGION="+region, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "PYTHONDONTWRITEBYTECODE=1",
	), more...)
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
