package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"millrace/internal/core/store"
	"millrace/internal/service/kinesis"
)

func open(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatalf("open %+v: %v", o, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func client(s *Server) *awskinesis.Client {
	return awskinesis.New(awskinesis.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + s.Addresses().AWS),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
}

func get(t *testing.T, url string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestRecordsSurviveARestartOnTheFolder(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := client(s)
	if _, err := c.CreateStream(t.Context(), &awskinesis.CreateStreamInput{StreamName: aws.String("kept"), ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	wait := awskinesis.NewStreamExistsWaiter(c, func(o *awskinesis.StreamExistsWaiterOptions) { o.MinDelay = 20 * time.Millisecond })
	if err := wait.Wait(t.Context(), &awskinesis.DescribeStreamInput{StreamName: aws.String("kept")}, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	put, err := c.PutRecord(t.Context(), &awskinesis.PutRecordInput{StreamName: aws.String("kept"), PartitionKey: aws.String("k"), Data: []byte("still here")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c = client(open(t, Options{Data: dir}))
	it, err := c.GetShardIterator(t.Context(), &awskinesis.GetShardIteratorInput{StreamName: aws.String("kept"), ShardId: put.ShardId, ShardIteratorType: "TRIM_HORIZON"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.GetRecords(t.Context(), &awskinesis.GetRecordsInput{ShardIterator: it.ShardIterator})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Records) != 1 || string(got.Records[0].Data) != "still here" || *got.Records[0].SequenceNumber != *put.SequenceNumber {
		t.Fatalf("after the restart: got %+v, want the record put at %s", got.Records, *put.SequenceNumber)
	}
}

func TestReadyFileTellsTheAddresses(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	s := open(t, Options{Data: t.TempDir(), ReadyFile: ready})
	text, err := os.ReadFile(ready)
	if err != nil {
		t.Fatal(err)
	}
	var got Addresses
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, s.Addresses()) {
		t.Fatalf("ready file %s: got %+v, %v; want %+v", text, got, err, s.Addresses())
	}
}

func TestListenersThatAreOffAreLeftOut(t *testing.T) {
	s := open(t, Options{AWSListen: Off, HTTPListen: Off, KafkaListen: []string{Off}})
	if got := s.Addresses(); !reflect.DeepEqual(got, Addresses{}) {
		t.Fatalf("addresses with all listeners off: got %+v", got)
	}
}

func TestLocalhostMeansBothLoopbackAddresses(t *testing.T) {
	s := open(t, Options{AWSListen: "localhost:0", HTTPListen: Off})
	_, port, err := net.SplitHostPort(s.Addresses().AWS)
	if err != nil {
		t.Fatal(err)
	}
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Logf("this machine has no ::1; 127.0.0.1 alone is served: %v", err)
		return
	}
	defer probe.Close()
	conn, err := net.Dial("tcp", net.JoinHostPort("::1", port))
	if err != nil {
		t.Fatalf("the same port of ::1: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestASecondServerOnTheFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, Options{Data: dir})
	_, err := Open(Options{Data: dir})
	var locked *store.LockedError
	if !errors.As(err, &locked) || !strings.Contains(err.Error(), "process") {
		t.Fatalf("second server: got %v, want one that names the process", err)
	}
}

func TestNothingIsOpenToOthersWithoutProtection(t *testing.T) {
	for name, o := range map[string]Options{
		"no credentials":         {AWSListen: "0.0.0.0:0", HTTPListen: Off, Data: t.TempDir()},
		"no certificate":         {AWSListen: "0.0.0.0:0", HTTPListen: Off, Credentials: "a:b", InMemory: true},
		"http has no sign-in":    {AWSListen: Off, HTTPListen: "0.0.0.0:0"},
		"half of a key pair":     {TLSCert: "cert.pem"},
		"credentials incomplete": {Credentials: "justanid"},
		"quotas not a number":    {KinesisQuotas: "many"},
		"no port":                {AWSListen: "127.0.0.1"},
	} {
		if s, err := Open(o); err == nil {
			t.Errorf("%s: was opened", name)
			_ = s.Close()
		}
	}
}

func TestMoreListenersMayFailThanAreToldOf(t *testing.T) {
	s := open(t, Options{KafkaListen: []string{Off}})
	broken := errors.New("broken")
	for range 8 {
		s.serve(func() error { return broken })
	}
	if err := <-s.Failed(); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	} // Close waits for the others
}

func TestOffLoopbackOnlyTLSIsSpoken(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Data: dir, AWSListen: "0.0.0.0:0", HTTPListen: Off, Credentials: "id:secret"})
	_, port, err := net.SplitHostPort(s.Addresses().AWS)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.DefaultClient.Do(req); err == nil {
		_ = res.Body.Close()
		t.Errorf("plain text off loopback was answered with %s", res.Status)
	}
	pem, err := os.ReadFile(s.Addresses().CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c := awskinesis.New(awskinesis.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("https://127.0.0.1:" + port),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		HTTPClient: &http.Client{Transport: &http.Transport{
			ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		}},
	})
	if _, err := c.ListStreams(ctx, &awskinesis.ListStreamsInput{}); err != nil {
		t.Errorf("signed request over TLS: %v", err)
	}
}

func TestCertificateNamesWhatClientsAreTold(t *testing.T) {
	s := open(t, Options{
		Data: t.TempDir(), AWSListen: Off, HTTPListen: Off, AdvertiseHost: []string{"log.example"},
		KafkaListen:    []string{"IN=127.0.0.1:0", "OUT=127.0.0.1:0"},
		KafkaAdvertise: []string{"OUT=kafka.example:9093"}, KafkaSecurity: []string{"IN=SSL", "OUT=SSL"},
	})
	pem, err := os.ReadFile(s.Addresses().CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	for _, name := range []string{"kafka.example", "log.example", "127.0.0.1", "localhost"} {
		c, err := tls.Dial("tcp", s.Addresses().KafkaListeners["OUT"], &tls.Config{RootCAs: pool, ServerName: name, MinVersion: tls.VersionTLS12})
		if err != nil {
			t.Errorf("a client that was told %s: %v", name, err)
			continue
		}
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func TestMetricsHaveTheNamesThatTheDocumentsList(t *testing.T) {
	doc, err := os.ReadFile("../../docs/kinesis.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range kinesis.CloudWatchMetrics() {
		if row := "| " + m.Name + " | `millrace_kinesis_" + cloudWatchName(&m) + "` |"; !strings.Contains(string(doc), row) {
			t.Errorf("docs/kinesis.md lacks %s", row)
		}
	}
}

func TestMetricsOfAStreamAreServed(t *testing.T) {
	s := open(t, Options{})
	c := client(s)
	if _, err := c.CreateStream(t.Context(), &awskinesis.CreateStreamInput{StreamName: aws.String("told"), ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	wait := awskinesis.NewStreamExistsWaiter(c, func(o *awskinesis.StreamExistsWaiterOptions) { o.MinDelay = 20 * time.Millisecond })
	if err := wait.Wait(t.Context(), &awskinesis.DescribeStreamInput{StreamName: aws.String("told")}, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := c.EnableEnhancedMonitoring(t.Context(), &awskinesis.EnableEnhancedMonitoringInput{
		StreamName: aws.String("told"), ShardLevelMetrics: []types.MetricsName{types.MetricsNameIncomingBytes},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutRecord(t.Context(), &awskinesis.PutRecordInput{StreamName: aws.String("told"), PartitionKey: aws.String("key"), Data: []byte("12345")}); err != nil {
		t.Fatal(err)
	}
	labels := `account="000000000000",region="us-east-1"`
	_, body := get(t, "http://"+s.Addresses().HTTP+"/metrics")
	for _, want := range []string{
		"# TYPE millrace_kinesis_put_record_latency_seconds summary",
		"# HELP millrace_kinesis_incoming_bytes_total Bytes stored by PutRecord and PutRecords, partition keys counted. CloudWatch: IncomingBytes.",
		"millrace_kinesis_incoming_bytes_total{" + labels + `,stream="told"} 8`,
		"millrace_kinesis_put_record_latency_seconds_count{" + labels + `,stream="told"} 1`,
		"millrace_kinesis_shard_incoming_bytes_total{" + labels + `,shard="shardId-000000000000",stream="told"} 8`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

func TestHealthMetricsAndProfilesAreServed(t *testing.T) {
	s := open(t, Options{})
	if _, err := client(s).ListStreams(t.Context(), &awskinesis.ListStreamsInput{}); err != nil {
		t.Fatal(err)
	}
	base := "http://" + s.Addresses().HTTP
	if code, body := get(t, base+"/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("/healthz: got %d %q", code, body)
	}
	_, body := get(t, base+"/metrics")
	for _, want := range []string{
		`millrace_aws_requests_total{code="",operation="ListStreams",service="kinesis"} 1`,
		"millrace_store_groups_total", "millrace_kinesis_records_put_total 0", "millrace_store_sync_seconds_bucket", "go_goroutines",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if code, _ := get(t, base+"/debug/pprof/"); code != 200 {
		t.Errorf("pprof on loopback: got %d", code)
	}
	for _, header := range [][]string{{"Host", "evil.example"}, {"Origin", "http://evil.example"}} {
		if code, _ := get(t, base+"/debug/pprof/", header...); code != 404 {
			t.Errorf("pprof with %v: got %d, want 404", header, code)
		}
	}
}

func TestCredentialsFileIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = AKID\naws_secret_access_key = s3cret\n\n[other]\naws_access_key_id=B\naws_secret_access_key=c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{CredentialsFile: file, Credentials: "X:Y"}
	keys, err := o.credentials()
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"AKID": "s3cret", "B": "c", "X": "Y"} {
		if got, ok := keys.Secret(id); !ok || got != want {
			t.Errorf("secret of %s: got %q, %v; want %q", id, got, ok, want)
		}
	}
}

func TestStatesMayTakeNoTime(t *testing.T) {
	c := client(open(t, Options{KafkaListen: []string{Off}, HTTPListen: Off}))
	least := time.Hour
	for i := range 10 {
		name := aws.String("s" + strconv.Itoa(i))
		begun := time.Now()
		if _, err := c.CreateStream(t.Context(), &awskinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(1)}); err != nil {
			t.Fatal(err)
		}
		for {
			out, err := c.DescribeStreamSummary(t.Context(), &awskinesis.DescribeStreamSummaryInput{StreamName: name})
			if err != nil {
				t.Fatal(err)
			}
			if out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive {
				break
			}
		}
		least = min(least, time.Since(begun))
	}
	if least >= 100*time.Millisecond {
		t.Errorf("without a state delay the quickest of ten streams was made in %v, want less than the default delay, 100ms", least)
	}
}
