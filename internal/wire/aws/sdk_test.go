package aws

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"millrace/internal/wire/aws/sigv4"
	"millrace/internal/wire/aws/tlsca"
)

// whole hands out answers that have come whole. The SDK closes the body of a request as soon as the answer begins, and where its
// transport has not seen the end of that body by then, it cuts the rest of the answer; its retries, which these tests do without, hide that.
type whole struct{ http.RoundTripper }

func (w whole) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.RoundTripper.RoundTrip(r)
	if err != nil || resp.ContentLength < 0 { // one that stays open has no length
		return resp, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

func sdkClient(endpoint, keyID, secret string, hc *http.Client) *kinesis.Client {
	return kinesis.New(kinesis.Options{
		Region: "eu-west-1", BaseEndpoint: sdk.String(endpoint), HTTPClient: &http.Client{Transport: whole{hc.Transport}}, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, ""),
	})
}

func TestSDKForGoWorksOverEveryTransport(t *testing.T) {
	ca, err := tlsca.EnsureCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	serverTLS, err := ca.ServerConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.CertPEM())
	for _, c := range []struct {
		name, scheme string
		http2        bool
		creds        sigv4.Credentials
	}{
		{"http1", "http", false, nil},
		{"h2c", "http", true, nil},
		{"tls http1", "https", false, nil},
		{"tls h2", "https", true, nil},
		{"http1 verified", "http", false, sigv4.Static{"123456789012": "secret"}},
		{"h2c verified", "http", true, sigv4.Static{"123456789012": "secret"}},
		{"tls h2 verified", "https", true, sigv4.Static{"123456789012": "secret"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &memory{}
			_, addr := start(t, Options{TLS: serverTLS, Credentials: c.creds}, m)
			_, port, _ := strings.Cut(addr, ":")
			trust := &tls.Config{RootCAs: roots}
			putAndGet(t, m, sdkClient(c.scheme+"://localhost:"+port, "123456789012", "secret", client(t, c.http2, trust)))
		})
	}
}

// putAndGet writes records and reads them back, and checks what the service saw of the caller.
func putAndGet(t *testing.T, m *memory, k *kinesis.Client) {
	t.Helper()
	ctx := t.Context()
	if _, err := k.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: sdk.String("s"), ShardCount: sdk.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.PutRecord(ctx, &kinesis.PutRecordInput{
		StreamName: sdk.String("s"), PartitionKey: sdk.String("kéy\"\n"), Data: []byte("one"), ExplicitHashKey: sdk.String("7"),
	}); err != nil {
		t.Fatal(err)
	}
	entries := make([]types.PutRecordsRequestEntry, 100)
	for i := range entries {
		entries[i] = types.PutRecordsRequestEntry{PartitionKey: sdk.String("k"), Data: []byte(strings.Repeat("x", i))}
	}
	put, err := k.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: sdk.String("s"), Records: entries})
	if err != nil || *put.FailedRecordCount != 0 || len(put.Records) != 100 || *put.Records[99].SequenceNumber != "1100" {
		t.Fatalf("PutRecords: got %+v, %v", put, err)
	}
	got, err := k.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: sdk.String("i")})
	if err != nil || len(got.Records) != 101 || *got.NextShardIterator != "next" || *got.MillisBehindLatest != 0 {
		t.Fatalf("GetRecords: got %d records, %v", len(got.Records), err)
	}
	first := got.Records[0]
	if *first.PartitionKey != "kéy\"\n" || string(first.Data) != "one" || *first.SequenceNumber != "1000" || !first.ApproximateArrivalTimestamp.Equal(arrival) {
		t.Errorf("got record %+v", first)
	}
	if got.Records[100].Data == nil || len(got.Records[100].Data) != 99 {
		t.Errorf("got %d bytes in the last record, want 99", len(got.Records[100].Data))
	}
	call := m.lastCall(t)
	if call.Account != "123456789012" || call.Region != "eu-west-1" || call.Operation != "GetRecords" || call.Service != "kinesis" || call.RequestID == "" {
		t.Errorf("got call %+v", call)
	}
}

func TestSDKForGoReadsOurErrors(t *testing.T) {
	_, addr := start(t, Options{}, &memory{})
	k := sdkClient("http://"+addr, "AKID", "secret", client(t, false, nil))
	_, err := k.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: sdk.String("taken"), ShardCount: sdk.Int32(1)})
	var inUse *types.ResourceInUseException
	if !errors.As(err, &inUse) || inUse.ErrorMessage() != "Stream taken under account 000000000000 already exists." {
		t.Errorf("got %v, want ResourceInUseException", err)
	}
	_, err = k.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamName: sdk.String("s"), ShardToSplit: sdk.String("s"), NewStartingHashKey: sdk.String("1")})
	if err == nil || !strings.Contains(err.Error(), "UnknownOperationException") {
		t.Errorf("got %v, want UnknownOperationException", err)
	}
	_, err = k.ListStreams(t.Context(), &kinesis.ListStreamsInput{})
	if err == nil || !strings.Contains(err.Error(), "InternalFailure") || strings.Contains(err.Error(), "secret detail") {
		t.Errorf("got %v, want InternalFailure without its cause", err)
	}
}

func TestWrongSecretIsRefused(t *testing.T) {
	_, addr := start(t, Options{Credentials: sigv4.Static{"AKID": "right"}}, &memory{})
	k := sdkClient("http://"+addr, "AKID", "wrong", client(t, false, nil))
	_, err := k.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: sdk.String("s"), PartitionKey: sdk.String("k"), Data: []byte("x")})
	if err == nil || !strings.Contains(err.Error(), "InvalidSignatureException: The request signature we calculated") {
		t.Errorf("got %v, want InvalidSignatureException", err)
	}
}
