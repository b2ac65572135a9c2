package aws

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"millrace/internal/wire/aws/sigv4"
)

// answered is the head of an answer whose body was read.
type answered struct {
	StatusCode int
	Header     http.Header
}

// at is where a request goes: an address alone stands for its root.
func at(addr string) string {
	if strings.Contains(addr, "/") {
		return addr
	}
	return addr + "/"
}

// call sends one request and gives the answer with its body.
func call(t *testing.T, hc *http.Client, method, addr string, header map[string]string, body string) (answered, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+at(addr), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		if k == "Host" {
			r.Host = v
		}
		r.Header.Set(k, v)
	}
	resp, err := hc.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{resp.StatusCode, resp.Header}, string(got)
}

func headers(contentType, target string, more ...string) map[string]string {
	h := map[string]string{}
	if contentType != "" {
		h["Content-Type"] = contentType
	}
	if target != "" {
		h["X-Amz-Target"] = target
	}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	return h
}

const put = "Kinesis_20131202.PutRecord"

func TestAnswersToWhatIsNoRequest(t *testing.T) {
	_, addr := start(t, Options{}, &memory{})
	const (
		denied     = "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n</AccessDeniedException>\n"
		unknown    = `{"__type":"UnknownOperationException"}`
		deprecated = `{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}`
		cborOf     = "\xbf\x66__type\x78\x19UnknownOperationException\xff"
		unread     = `{"__type":"SerializationException"}`
		unreadOld  = `{"Output":{"__type":"com.amazon.coral.service#SerializationException"},"Version":"1.0"}`
		unreadCBOR = "\xbf\x66__type\x76SerializationException\xff"
	)
	long := strings.Repeat("x", glanceLimit+1)
	for _, c := range []struct {
		name, method string
		header       map[string]string
		body         string
		status       int
		contentType  string
		want         string
	}{
		{"GET", "GET", nil, "", 403, "", denied},
		{"PUT", "PUT", headers(typeJSON11, put), "{}", 403, "", denied},
		{"no content type, no target", "POST", nil, "{}", 403, "", denied},
		{"no content type", "POST", headers("", put), "{}", 404, "", "<UnknownOperationException/>\n"},
		{"awsJson 1.0", "POST", headers(typeJSON10, put), "{}", 404, "", "<UnknownOperationException/>\n"},
		{"no target", "POST", headers(typeJSON11, ""), "{}", 400, typeJSON11, unknown},
		{"no such operation", "POST", headers(typeJSON11, put+"x"), "{}", 400, typeJSON11, unknown},
		{"no such service", "POST", headers(typeJSON11, "Other_1.PutRecord"), "{}", 400, typeJSON11, unknown},
		{"not served", "POST", headers(typeJSON11, "Kinesis_20131202.ListShards"), "{}", 400, typeJSON11, unknown},
		{"no body", "POST", headers(typeJSON11, put), "", 400, typeJSON11, `{"__type":"SerializationException"}`},
		{"no body, no operation", "POST", headers(typeJSON11, ""), "", 400, typeJSON11, unknown},
		{"nothing", "POST", nil, "", 400, typeCBOR, cborOf},
		{"not JSON", "POST", headers(typeJSON11, put), "hello", 400, typeJSON11, `{"__type":"SerializationException"}`},
		{"parameters", "POST", headers(typeJSON11+"; charset=utf-8", put), "hello", 400, typeJSON11, `{"__type":"SerializationException"}`},
		{"application/json", "POST", headers(typeDeprecated, put), "{}", 404, typeDeprecated, deprecated},
		{"CBOR, no such operation", "POST", headers(typeCBOR, put+"x"), "\xa0", 400, typeCBOR, cborOf},
		{"awsJson 1.0, no such operation", "POST", headers(typeJSON10, put+"x"), "{}", 404, "", "<UnknownOperationException/>\n"},
		{"awsJson 1.0, no operation", "POST", headers(typeJSON10, "Kinesis_20131202."), "{}", 403, "", denied},
		{"awsJson 1.0, no body", "POST", headers(typeJSON10, put), "", 400, typeCBOR, unreadCBOR},
		{"application/json, not JSON", "POST", headers(typeDeprecated, put), "hello", 400, typeDeprecated, unreadOld},
		{"application/json, no object", "POST", headers(typeDeprecated, "Other_1.PutRecord"), "true", 400, typeDeprecated, unreadOld},
		{"no such operation, not JSON", "POST", headers(typeJSON11, put+"x"), "hello", 400, typeJSON11, unread},
		{"no such operation, more than JSON", "POST", headers(typeJSON11, put+"x"), "{} {}", 400, typeJSON11, unread},
		{"no such service, no object", "POST", headers(typeJSON11, "Other_1.PutRecord"), "null", 400, typeJSON11, unread},
		{"no such operation, not CBOR", "POST", headers(typeCBOR, put+"x"), "{}", 400, typeCBOR, unreadCBOR},
		{"no such operation, too long to look at", "POST", headers(typeJSON11, put+"x"), long, 400, typeJSON11, unknown},
	} {
		resp, got := call(t, client(t, false, nil), c.method, addr, c.header, c.body)
		if resp.StatusCode != c.status || resp.Header.Get("Content-Type") != c.contentType || got != c.want {
			t.Errorf("%s\n got %d %q %q\nwant %d %q %q", c.name, resp.StatusCode, resp.Header.Get("Content-Type"), got, c.status, c.contentType, c.want)
		}
	}
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestEveryAnswerHasItsIds(t *testing.T) {
	_, addr := start(t, Options{}, &memory{})
	for _, body := range []string{`{"StreamName":"s","PartitionKey":"k","Data":""}`, `x`} {
		resp, _ := call(t, client(t, false, nil), "POST", addr, headers(typeJSON11, put), body)
		if id := resp.Header.Get("X-Amzn-Requestid"); !uuid.MatchString(id) {
			t.Errorf("%s: request id %q is no UUID", body, id)
		}
		if raw, err := base64.StdEncoding.DecodeString(resp.Header.Get("X-Amz-Id-2")); err != nil || len(raw) != 72 {
			t.Errorf("%s: x-amz-id-2 %q is not 72 bytes", body, resp.Header.Get("X-Amz-Id-2"))
		}
		if name := resp.Header.Get("Server"); name != "" {
			t.Errorf("%s: Server is %q, want none", body, name)
		}
		wantType := map[int]string{200: "", 400: "SerializationException"}[resp.StatusCode]
		if got := resp.Header.Get("X-Amzn-Errortype"); got != wantType {
			t.Errorf("%s: error type %q, want %q", body, got, wantType)
		}
	}
}

func TestCBORIsAnsweredInCBOR(t *testing.T) {
	m := &memory{}
	_, addr := start(t, Options{}, m)
	body, err := cbor.Marshal(map[string]any{"StreamName": "s", "PartitionKey": "k", "Data": []byte("hello")})
	if err != nil {
		t.Fatal(err)
	}
	resp, got := call(t, client(t, true, nil), "POST", addr, headers(typeCBOR, put), string(body))
	var out struct{ SequenceNumber string }
	if err := cbor.Unmarshal([]byte(got), &out); err != nil || resp.StatusCode != http.StatusOK || out.SequenceNumber != "1000" || resp.Header.Get("Content-Type") != typeCBOR {
		t.Fatalf("got %d %x, %v", resp.StatusCode, got, err)
	}
	_, got = call(t, client(t, true, nil), "POST", addr, headers(typeCBOR, "Kinesis_20131202.GetRecords"), "\xa1\x6dShardIterator\x61i")
	var records struct {
		Records []struct {
			Data                        []byte
			ApproximateArrivalTimestamp cbor.RawTag
		}
	}
	if err := cbor.Unmarshal([]byte(got), &records); err != nil || string(records.Records[0].Data) != "hello" {
		t.Fatalf("got %x, %v", got, err)
	}
	if tag := records.Records[0].ApproximateArrivalTimestamp; tag.Number != 1 || !bytes.Equal(tag.Content, mustCBOR(t, arrival.UnixMilli())) {
		t.Errorf("got time %+v, want tag 1 of %d", tag, arrival.UnixMilli())
	}
}

func mustCBOR(t *testing.T, v any) []byte {
	t.Helper()
	b, err := cbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBodiesPastTheLimitAreRefused(t *testing.T) {
	_, addr := start(t, Options{}, &memory{})
	big := strings.Repeat("x", controlLimit+1)
	for name, length := range map[string]bool{"announced": true, "chunked": false} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr, strings.NewReader(big))
		if !length {
			r.ContentLength = -1
		}
		for k, v := range headers(typeJSON11, "Kinesis_20131202.CreateStream") {
			r.Header.Set(k, v)
		}
		resp, err := client(t, false, nil).Do(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: got %d, want 413", name, resp.StatusCode)
		}
	}
}

func TestChunkedBodyIsRead(t *testing.T) {
	m := &memory{}
	_, addr := start(t, Options{}, m)
	data := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), 300_000))
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr, io.NopCloser(strings.NewReader(`{"StreamName":"s","PartitionKey":"k","Data":"`+data+`"}`)))
	for k, v := range headers(typeJSON11, put) {
		r.Header.Set(k, v)
	}
	resp, err := client(t, false, nil).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || len(m.records[0].Data) != 300_000 {
		t.Errorf("got %d with %d bytes", resp.StatusCode, len(m.records[0].Data))
	}
}

func TestForeignPagesAndHostsAreRefused(t *testing.T) {
	const open = "open"
	_, openAddr := start(t, Options{AllowedOrigins: []string{"https://ok.example"}, AdvertisedHosts: []string{"log.example.com"}}, &memory{})
	_, lockedAddr := start(t, Options{Credentials: sigv4.Static{"a": "b"}}, &memory{})
	body := `{"StreamName":"s","PartitionKey":"k","Data":""}`
	for _, c := range []struct {
		server, header, value string
		status                int
	}{
		{open, "Origin", "https://evil.example", 403},
		{open, "Origin", "null", 403},
		{open, "Origin", "https://ok.example", 200},
		{open, "Host", "evil.example", 403},
		{open, "Host", "evil.example:4566", 403},
		{open, "Host", "localhost.evil.example", 403},
		{open, "Host", "evilamazonaws.com", 403},
		{open, "Host", "log.example.com:4566", 200},
		{open, "Host", "LOG.example.com.", 200},
		{open, "Host", "kinesis.us-east-1.amazonaws.com", 200},
		{open, "Host", "kinesis.localhost:4566", 200},
		{open, "Host", "millrace", 200},
		{open, "Host", "[::1]:4566", 200},
		{open, "Host", "192.168.1.9", 200},
		{open, "Host", "host.docker.internal:4566", 200},
		{"locked", "Host", "evil.example", 400}, // the signature is missing, the name does not matter
		{"locked", "Origin", "https://evil.example", 403},
	} {
		addr := openAddr
		if c.server != open {
			addr = lockedAddr
		}
		resp, got := call(t, client(t, false, nil), "POST", addr, headers(typeJSON11, put, c.header, c.value), body)
		if resp.StatusCode != c.status {
			t.Errorf("%s %s: %s: got %d %q, want %d", c.server, c.header, c.value, resp.StatusCode, got, c.status)
		}
		if c.header == "Origin" && c.status == 200 && resp.Header.Get("Access-Control-Allow-Origin") != c.value {
			t.Errorf("origin %s: got allowed origin %q", c.value, resp.Header.Get("Access-Control-Allow-Origin"))
		}
	}
}

func TestPreflightOfAnAllowedPageIsAnswered(t *testing.T) {
	_, addr := start(t, Options{AllowedOrigins: []string{"*"}}, &memory{})
	resp, got := call(t, client(t, false, nil), "OPTIONS", addr, map[string]string{
		"Origin": "https://a.example", "Access-Control-Request-Headers": "a, b", "Access-Control-Request-Method": "POST",
	}, "")
	h := resp.Header
	if resp.StatusCode != http.StatusOK || got != "" || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Vary") != "" ||
		h.Get("Access-Control-Allow-Headers") != "a, b" || h.Get("Access-Control-Allow-Methods") != "POST" ||
		h.Get("Access-Control-Max-Age") != corsMaxAge || h.Get("X-Amz-Id-2") != "" {
		t.Errorf("got %d %q %v", resp.StatusCode, got, h)
	}
}

func TestMissingSignatureIsRefused(t *testing.T) {
	_, addr := start(t, Options{Credentials: sigv4.Static{"a": "b"}}, &memory{})
	hc := client(t, false, nil)
	resp, got := call(t, hc, "POST", addr, headers(typeJSON11, put), "hello")
	if want := `{"__type":"SerializationException"}`; resp.StatusCode != http.StatusBadRequest || got != want {
		t.Errorf("no JSON: got %d %s, want 400 %s", resp.StatusCode, got, want)
	}
	resp, got = call(t, hc, "POST", addr, headers(typeJSON11, put), "{}")
	if want := `{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}`; resp.StatusCode != http.StatusBadRequest || got != want {
		t.Errorf("got %d %s, want 400 %s", resp.StatusCode, got, want)
	}
}

func TestPanicAnswersInternalFailureAndServesOn(t *testing.T) {
	_, addr := start(t, Options{}, &memory{})
	hc := client(t, false, nil)
	for range 2 {
		resp, got := call(t, hc, "POST", addr, headers(typeJSON11, "Kinesis_20131202.DeleteStream"), `{"StreamName":"s"}`)
		if want := `{"__type":"InternalFailure"}`; resp.StatusCode != http.StatusInternalServerError || got != want {
			t.Errorf("got %d %s, want 500 %s", resp.StatusCode, got, want)
		}
	}
}

func TestObserverSeesBoundedLabels(t *testing.T) {
	type seen struct {
		service, op, code string
		in, out           int
	}
	got := make(chan seen, 1)
	_, addr := start(t, Options{Observe: func(service, op, code string, _ time.Duration, in, out int) {
		got <- seen{service, op, code, in, out}
	}}, &memory{})
	for _, c := range []struct {
		target string
		want   seen
	}{
		{put, seen{"kinesis", "PutRecord", "ValidationException", 2, 149}},
		{"Kinesis_20131202.Invented", seen{"kinesis", "", "UnknownOperationException", 2, 38}},
		{"Invented", seen{"", "", "UnknownOperationException", 2, 38}},
	} {
		call(t, client(t, false, nil), "POST", addr, headers(typeJSON11, c.target), "{}")
		if s := <-got; s.service != c.want.service || s.op != c.want.op || s.code != c.want.code || s.in != c.want.in {
			t.Errorf("%s: got %+v, want %+v", c.target, s, c.want)
		}
	}
}

func TestShutdownWaitsForAnswers(t *testing.T) {
	m := &memory{}
	s, addr := start(t, Options{}, m)
	status := make(chan int, 1)
	go func() {
		r, _ := http.NewRequest(http.MethodPost, "http://"+addr, strings.NewReader("{}"))
		r.Header.Set("Content-Type", typeJSON11)
		r.Header.Set("X-Amz-Target", "Kinesis_20131202.DescribeLimits")
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-m.entered
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(t.Context()) }()
	select {
	case err := <-down:
		t.Fatalf("Shutdown returned %v while a request was in", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(m.block)
	if got := <-status; got != 200 {
		t.Errorf("got status %d, want 200", got)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

func TestSentRunsAfterEachAnswer(t *testing.T) {
	m := &memory{}
	_, addr := start(t, Options{}, m)
	hc := client(t, false, nil)
	for range 3 {
		call(t, hc, "POST", addr, headers(typeJSON11, put), `{"StreamName":"s","PartitionKey":"k","Data":""}`)
	}
	// The answer can reach the client before the server has run what follows it.
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		m.mu.Lock()
		sent := m.sent
		m.mu.Unlock()
		if sent == 3 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %d answers noted as sent, want 3", sent)
		}
	}
}
