package aws

import (
	"bytes"
	"compress/gzip"
	"context"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"millrace/internal/api/cloudwatchapi"
	"millrace/internal/wire/aws/sigv4"
)

// metrics notes what is put.
type metrics struct {
	cloudwatchapi.Unimplemented
	mu  sync.Mutex
	put []string // names; guarded by mu
}

func (m *metrics) PutMetricData(_ context.Context, in *cloudwatchapi.PutMetricDataInput) (*cloudwatchapi.PutMetricDataOutput, error) {
	if in.Namespace == "bad" {
		return nil, cloudwatchapi.InvalidParameterValueException("The <value>.")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range in.MetricData {
		m.put = append(m.put, strings.Clone(d.MetricName))
	}
	return &cloudwatchapi.PutMetricDataOutput{}, nil
}

func (m *metrics) names() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.put, " ")
}

const rpcPath = "/service/GraniteServiceVersion20100801/operation/"

// post sends one request to a path.
func post(t *testing.T, addr, path string, header map[string]string, body []byte) (answered, string) {
	t.Helper()
	return call(t, client(t, false, nil), http.MethodPost, addr+path, header, string(body))
}

func zipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var (
	rpcHeader  = headers(typeRPC, "", "Smithy-Protocol", "rpc-v2-cbor")
	formHeader = headers(typeForm, "")
	jsonHeader = headers(typeJSON10, "GraniteServiceVersion20100801.PutMetricData")
)

func with(h map[string]string, name, value string) map[string]string {
	out := map[string]string{name: value}
	maps.Copy(out, h)
	return out
}

func TestOneOperationInThreeProtocols(t *testing.T) {
	m := &metrics{}
	addr := serve(t, Options{}, cloudwatchapi.Bind(m))
	rpc := mustCBOR(t, map[string]any{"Namespace": "n", "MetricData": []any{map[string]any{"MetricName": "cbor", "Value": 1.5}}})
	form := []byte("Action=PutMetricData&Version=2010-08-01&Namespace=n&MetricData.member.1.MetricName=query&MetricData.member.1.Value=1.5")
	json := []byte(`{"Namespace":"n","MetricData":[{"MetricName":"json","Value":1.5}]}`)
	for _, c := range []struct {
		name, path, contentType string
		header                  map[string]string
		body                    []byte
		want                    string
	}{
		{"cbor", rpcPath + "PutMetricData", typeRPC, rpcHeader, rpc, "\xbf\xff"},
		{"query", "/", typeXML, formHeader, form, "<PutMetricDataResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\">\n<ResponseMetadata><RequestId>"},
		{"json", "/", typeJSON10, jsonHeader, json, ""},
	} {
		for _, header := range []map[string]string{c.header, with(c.header, "Content-Encoding", "gzip")} {
			body := c.body
			if header["Content-Encoding"] != "" {
				body = zipped(t, body)
			}
			res, got := post(t, addr, c.path, header, body)
			if res.StatusCode != 200 || !strings.HasPrefix(got, c.want) || res.Header.Get("Content-Type") != c.contentType {
				t.Errorf("%s %v: got %d %q, %v", c.name, header, res.StatusCode, got, res.Header)
			}
			if want := c.name == "cbor"; (res.Header.Get("smithy-protocol") == "rpc-v2-cbor") != want {
				t.Errorf("%s: smithy-protocol is %q", c.name, res.Header.Get("smithy-protocol"))
			}
		}
	}
	if got := m.names(); strings.Count(got, "cbor") != 2 || strings.Count(got, "query") != 2 || strings.Count(got, "json") != 2 {
		t.Errorf("got %s, want each name twice", got)
	}
}

func TestErrorsHaveTheFormOfTheirProtocol(t *testing.T) {
	addr := serve(t, Options{}, cloudwatchapi.Bind(&metrics{}))
	const wantQuery = `<ErrorResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/">
<Error><Type>Sender</Type><Code>InvalidParameterValue</Code><Message>The &lt;value&gt;.</Message></Error>
<RequestId>`
	res, got := post(t, addr, "/", formHeader, []byte("Action=PutMetricData&Version=2010-08-01&Namespace=bad"))
	if res.StatusCode != 400 || !strings.HasPrefix(got, wantQuery) {
		t.Errorf("query: got %d %s", res.StatusCode, got)
	}
	const queryError = "InvalidParameterValue;Sender"
	res, got = post(t, addr, "/", jsonHeader, []byte(`{"Namespace":"bad"}`))
	if want := `{"__type":"com.amazonaws.cloudwatch#InvalidParameterValueException","message":"The <value>."}`; got != want || res.Header.Get("x-amzn-query-error") != queryError {
		t.Errorf("JSON: got %s, %v", got, res.Header)
	}
	res, got = post(t, addr, rpcPath+"PutMetricData", rpcHeader, mustCBOR(t, map[string]any{"Namespace": "bad"}))
	var e map[string]string
	if err := cbor.Unmarshal([]byte(got), &e); err != nil || e["__type"] != "com.amazonaws.cloudwatch#InvalidParameterValueException" ||
		e["message"] != "The <value>." || res.Header.Get("x-amzn-query-error") != queryError || res.Header.Get("smithy-protocol") != "rpc-v2-cbor" {
		t.Errorf("CBOR: got %v, %v, %v", e, err, res.Header)
	}
}

func TestOperationsThatAreNotServedAreUnknownInEveryProtocol(t *testing.T) {
	addr := serve(t, Options{}, cloudwatchapi.Bind(&metrics{}))
	for _, name := range []string{"DescribeAlarms", "Nothing"} {
		res, got := post(t, addr, "/", formHeader, []byte("Action="+name+"&Version=2010-08-01"))
		if want := "<Code>InvalidAction</Code><Message>Could not find operation " + name + " for version 2010-08-01</Message>"; res.StatusCode != 400 || !strings.Contains(got, want) {
			t.Errorf("query: got %d %s", res.StatusCode, got)
		}
		res, got = post(t, addr, rpcPath+name, rpcHeader, mustCBOR(t, map[string]any{}))
		if res.StatusCode != 400 || !strings.Contains(got, "#UnknownOperationException") {
			t.Errorf("CBOR: got %d %q", res.StatusCode, got)
		}
	}
	for _, body := range []string{"Version=2010-08-01", "Action=PutMetricData&Version=1999-01-01", "{}"} {
		if res, got := post(t, addr, "/", formHeader, []byte(body)); res.StatusCode != 403 || !strings.Contains(got, "Unable to determine") {
			t.Errorf("%s: got %d %s", body, res.StatusCode, got)
		}
	}
	if res, got := post(t, addr, rpcPath+"PutMetricData", headers(typeRPC, ""), mustCBOR(t, map[string]any{})); res.StatusCode != 400 {
		t.Errorf("a path without its protocol: got %d %q", res.StatusCode, got)
	}
}

func TestCompressedBodiesAreHeldAgainstTheLimit(t *testing.T) {
	addr := serve(t, Options{}, cloudwatchapi.Bind(&metrics{}))
	bomb := zipped(t, bytes.Repeat([]byte("a"), 17<<20))
	if len(bomb) > 32<<10 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	for path, header := range map[string]map[string]string{"/": formHeader, rpcPath + "PutMetricData": rpcHeader} {
		if res, got := post(t, addr, path, with(header, "Content-Encoding", "gzip"), bomb); res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: got %d %q", path, res.StatusCode, got)
		}
		if res, got := post(t, addr, path, with(header, "Content-Encoding", "gzip"), []byte("no gzip")); res.StatusCode != 400 {
			t.Errorf("%s: got %d %q", path, res.StatusCode, got)
		}
	}
}

func TestFormsAreVerified(t *testing.T) {
	addr := serve(t, Options{Credentials: sigv4.Static{"AKID": "secret"}}, cloudwatchapi.Bind(&metrics{}))
	body := []byte("Action=PutMetricData&Version=2010-08-01&Namespace=n")
	if res, got := post(t, addr, "/", formHeader, body); res.StatusCode != 403 {
		t.Errorf("unsigned: got %d %s", res.StatusCode, got)
	}
	forged := with(with(formHeader, "X-Amz-Date", "20261120T000000Z"), "Authorization",
		"AWS4-HMAC-SHA256 Credential=AKID/20261120/us-east-1/monitoring/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64))
	if res, got := post(t, addr, "/", forged, body); res.StatusCode < 400 || !strings.Contains(got, "<Code>SignatureDoesNotMatch</Code>") {
		t.Errorf("forged: got %d %s", res.StatusCode, got)
	}
}
