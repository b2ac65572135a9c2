//go:build system

package sdk

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"millrace/test/process"
)

// authority writes what `millrace cert` prints for the folder of s to a file.
func authority(t *testing.T, data string) (file string, pem []byte) {
	t.Helper()
	binary, err := process.Binary()
	if err != nil {
		t.Fatal(err)
	}
	pem, err = exec.CommandContext(t.Context(), binary, "cert", "--data", data).Output()
	if err != nil {
		t.Fatalf("millrace cert: %v", err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, pem
}

func TestClientsTrustTheAuthorityThatCertPrints(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startOn(t, process.Options{Data: data, Args: noQuotas})
	file, pem := authority(t, data)
	if named, err := os.ReadFile(s.Ready.CA); err != nil || string(named) != string(pem) {
		t.Errorf("the ready-file names %q (%v); want the certificate that `millrace cert` prints", s.Ready.CA, err)
	}
	endpoint := "https://" + s.Ready.AWS
	t.Run("boto3", func(t *testing.T) { playBoto3(t, endpoint, "tls-boto3", "AWS_CA_BUNDLE="+file) })
	t.Run("go over HTTP/2", func(t *testing.T) {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		transport := &protocolOf{inner: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
		}}
		playGo(t, endpoint, "tls-go", &http.Client{Transport: transport})
		if transport.seen != "HTTP/2.0" {
			t.Errorf("the client spoke %s, want HTTP/2.0 by ALPN", transport.seen)
		}
	})
	t.Run("a client without it refuses the server", func(t *testing.T) {
		c := newGoClient(endpoint, "any", &http.Client{Transport: &http.Transport{}}, accessKey, secretKey)
		_, err := c.ListStreams(t.Context(), &kinesis.ListStreamsInput{})
		if err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("got %v, want an error about the certificate", err)
		}
	})
}

// protocolOf remembers the protocol of the last answer.
type protocolOf struct {
	inner http.RoundTripper
	seen  string
}

func (p *protocolOf) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := p.inner.RoundTrip(r)
	if err == nil {
		p.seen = answer.Proto
	}
	return answer, err
}

func TestConfiguredCredentialsAreDemanded(t *testing.T) {
	s := start(t, process.Options{Args: noQuotas, Env: []string{"MILLRACE_CREDENTIALS=" + accessKey + ":" + secretKey}})
	t.Run("go", func(t *testing.T) { playGo(t, s.Endpoint(), "signed-go", http.DefaultClient) })
	t.Run("boto3", func(t *testing.T) { playBoto3(t, s.Endpoint(), "signed-boto3") })
	for name, test := range map[string]struct{ key, secret, want string }{
		"a wrong secret": {accessKey, secretKey + "x", "InvalidSignatureException"},
		"a wrong key":    {"210987654321", secretKey, "UnrecognizedClientException"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newGoClient(s.Endpoint(), "any", http.DefaultClient, test.key, test.secret)
			_, err := c.ListStreams(t.Context(), &kinesis.ListStreamsInput{})
			wantError(t, err, test.want)
		})
	}
	t.Run("no signature", func(t *testing.T) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Endpoint(), strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "Kinesis_20131202.ListStreams")
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil || !strings.Contains(string(body), "MissingAuthenticationTokenException") {
			t.Errorf("got %s %s (%v), want MissingAuthenticationTokenException", answer.Status, body, err)
		}
	})
}

// A shard takes five reads a second by default; what the sixth meets is part of what applications handle.
func TestQuotasOfAWSHoldByDefault(t *testing.T) {
	c := newGoClient(start(t, process.Options{}).Endpoint(), "quotas", http.DefaultClient, accessKey, secretKey)
	c.create(t)
	in := kinesis.GetShardIteratorInput{ShardId: aws.String("shardId-000000000000"), ShardIteratorType: "LATEST"}
	iterator := c.iterator(t, in)
	var err error
	for read := 0; err == nil && read < 50; read++ {
		_, err = c.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator})
	}
	wantError(t, err, "ProvisionedThroughputExceededException")
}
