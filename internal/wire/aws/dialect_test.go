package aws

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"hash/crc32"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/api/dynamodbstreamsapi"
	"millrace/internal/api/kinesisapi"
)

// table answers GetItem with the item of the last PutItem.
type table struct {
	dynamodbapi.Unimplemented
	item api.JSON
}

func (s *table) PutItem(_ context.Context, in *dynamodbapi.PutItemInput) (*dynamodbapi.PutItemOutput, error) {
	switch in.TableName {
	case "missing":
		return nil, dynamodbapi.ResourceNotFoundException("Requested resource not found")
	case "wrong":
		return nil, api.ClientError("ValidationException", "One or more parameter values were invalid")
	case "broken":
		return nil, errors.New("a disk is on fire")
	}
	s.item = bytes.Clone(in.Item)
	return &dynamodbapi.PutItemOutput{}, nil
}

func (s *table) GetItem(context.Context, *dynamodbapi.GetItemInput) (*dynamodbapi.GetItemOutput, error) {
	return &dynamodbapi.GetItemOutput{Item: s.item}, nil
}

const ddb = "DynamoDB_20120810."

var longID = regexp.MustCompile(`^[0-9A-V]{52}$`)

// raw sends a request whose answer the HTTP library does not unpack.
func raw(t *testing.T, addr string, header map[string]string, body []byte) (answered, string) {
	t.Helper()
	hc := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	t.Cleanup(hc.CloseIdleConnections)
	return call(t, hc, "POST", addr, header, string(body))
}

// wantSum holds X-Amz-Crc32 against the body as it was sent, and the rest of the head that only DynamoDB has.
func wantSum(t *testing.T, name string, a answered, body string) {
	t.Helper()
	want := strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(body))), 10)
	if got := a.Header.Get("X-Amz-Crc32"); got != want {
		t.Errorf("%s: X-Amz-Crc32 is %q, want %q for body %q", name, got, want, body)
	}
	if got := a.Header.Values("Server"); len(got) != 1 || got[0] != "Server" {
		t.Errorf("%s: Server is %q, want one that is Server", name, got)
	}
}

// The sums 3948637019 and 1368724161 of two of these bodies, and of the XML, were recorded by dynalite (test/connection.js).
func TestDynamoDBAnswersErrorsWithTheirNamespace(t *testing.T) {
	for _, netHTTPOnly := range []bool{false, true} {
		addr := serve(t, Options{netHTTPOnly: netHTTPOnly}, dynamodbapi.Bind(&table{}), dynamodbstreamsapi.Bind(dynamodbstreamsapi.Unimplemented{}))
		for _, c := range []struct {
			name        string
			contentType string
			target      string
			body        string
			status      int
			answerType  string
			want        string
		}{
			{"put", typeJSON10, ddb + "PutItem", `{"TableName":"t","Item":{}}`, 200, typeJSON10, `{}`},
			{"not JSON", typeJSON10, ddb + "PutItem", "hi", 400, typeJSON10, `{"__type":"com.amazon.coral.service#SerializationException"}`},
			{"application/json", typeDeprecated, ddb + "PutItem", "hi", 400, typeDeprecated, `{"__type":"com.amazon.coral.service#SerializationException"}`},
			{"no body", "", ddb + "PutItem", "", 400, typeDeprecated, `{"__type":"com.amazon.coral.service#SerializationException"}`},
			{"no such operation", typeJSON10, ddb + "ListTable", `{}`, 400, typeJSON10, `{"__type":"com.amazon.coral.service#UnknownOperationException"}`},
			{"not served", typeJSON10, ddb + "DescribeExport", `{"ExportArn":"arn:aws:dynamodb:us-east-1:1:table/t/export/0123456789"}`, 400, typeJSON10, `{"__type":"com.amazon.coral.service#UnknownOperationException"}`},
			{"streams, no such operation", typeJSON10, "DynamoDBStreams_20120810.X", `{}`, 400, typeJSON10, `{"__type":"com.amazon.coral.service#UnknownOperationException"}`},
			{"awsJson 1.1", typeJSON11, ddb + "PutItem", `{}`, 404, "", "<UnknownOperationException/>\n"},
			{"no content type", "", ddb + "PutItem", `{}`, 404, "", "<UnknownOperationException/>\n"},
			{
				"shape", typeJSON10, ddb + "PutItem", `{"TableName":1}`, 400, typeJSON10,
				`{"__type":"com.amazon.coral.service#SerializationException","Message":"NUMBER_VALUE cannot be converted to String"}`,
			},
			{
				"model", typeJSON10, ddb + "PutItem", `{"TableName":"","Item":{}}`, 400, typeJSON10,
				`{"__type":"com.amazon.coral.validate#ValidationException","message":"1 validation error detected: ` +
					`Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 1"}`,
			},
			{
				"service's validation", typeJSON10, ddb + "PutItem", `{"TableName":"wrong","Item":{}}`, 400, typeJSON10,
				`{"__type":"com.amazon.coral.validate#ValidationException","message":"One or more parameter values were invalid"}`,
			},
			{
				"service's own", typeJSON10, ddb + "PutItem", `{"TableName":"missing","Item":{}}`, 400, typeJSON10,
				`{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found"}`,
			},
			{"unknown", typeJSON10, ddb + "PutItem", `{"TableName":"broken","Item":{}}`, 500, typeJSON10, `{"__type":"com.amazon.coral.service#InternalFailure"}`},
		} {
			a, got := raw(t, addr, headers(c.contentType, c.target), []byte(c.body))
			if a.StatusCode != c.status || a.Header.Get("Content-Type") != c.answerType || got != c.want {
				t.Errorf("%s\n got %d %q %q\nwant %d %q %q", c.name, a.StatusCode, a.Header.Get("Content-Type"), got, c.status, c.answerType, c.want)
			}
			wantSum(t, c.name, a, got)
			if id := a.Header.Get("X-Amzn-Requestid"); !longID.MatchString(id) {
				t.Errorf("%s: request id %q, want 52 digits and letters", c.name, id)
			}
			for _, name := range []string{"X-Amz-Id-2", "X-Amzn-Errortype"} {
				if v := a.Header.Get(name); v != "" {
					t.Errorf("%s: %s is %q, want none", c.name, name, v)
				}
			}
		}
	}
}

// packed is b in gzip.
func packed(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestBodiesMayBeCompressed(t *testing.T) {
	for _, netHTTPOnly := range []bool{false, true} {
		s := &table{}
		addr := serve(t, Options{netHTTPOnly: netHTTPOnly}, dynamodbapi.Bind(s))
		item := `{"a":{"S":"` + strings.Repeat("ab", 100_000) + `"}}`
		body := packed(t, []byte(`{"TableName":"t","Item":`+item+`}`))
		h := headers(typeJSON10, ddb+"PutItem", "Content-Encoding", "gzip")
		for name, c := range map[string]struct {
			body   []byte
			status int
			want   string
		}{
			"whole":      {body, 200, `{}`},
			"cut":        {body[:len(body)-9], 500, `{"__type":"com.amazon.coral.service#InternalFailure"}`},
			"empty":      {nil, 500, `{"__type":"com.amazon.coral.service#InternalFailure"}`},
			"not gzip":   {[]byte(`{"TableName":"t","Item":{}}`), 500, `{"__type":"com.amazon.coral.service#InternalFailure"}`},
			"a bomb":     {packed(t, make([]byte, 16<<20+1)), 413, `{"__type":"com.amazon.coral.service#RequestEntityTooLargeException"}`},
			"full":       {packed(t, bytes.Repeat([]byte{' '}, 16<<20)), 400, `{"__type":"com.amazon.coral.service#SerializationException"}`},
			"two pieces": {append(packed(t, []byte(`{"TableName":"t",`)), packed(t, []byte(`"Item":{}}`))...), 200, `{}`},
		} {
			a, got := raw(t, addr, h, c.body)
			if a.StatusCode != c.status || got != c.want {
				t.Errorf("%s: got %d %.100q, want %d %q", name, a.StatusCode, got, c.status, c.want)
			}
			if name == "whole" && string(s.item) != item {
				t.Errorf("%s: item %.80q, want %.80q", name, s.item, item)
			}
		}
		for encoding, want := range map[string]int{"garbage": 500, "amz-1.0": 200, "Identity": 200} {
			h := headers(typeJSON10, ddb+"PutItem", "Content-Encoding", encoding)
			if a, got := raw(t, addr, h, []byte(`{"TableName":"t","Item":{}}`)); a.StatusCode != want {
				t.Errorf("%s: got %d %.100q, want %d", encoding, a.StatusCode, got, want)
			}
		}
	}
}

// A body in gzip takes its share of the bound before it is unpacked, and gives all of it back.
func TestUnpackedBodiesCountAgainstTheMemoryBound(t *testing.T) {
	const bound = 40 << 20
	s := NewServer(Options{MaxInFlightBytes: bound})
	for _, plain := range [][]byte{[]byte("{}"), bytes.Repeat([]byte{' '}, 8<<20), make([]byte, 17<<20)} {
		body := packed(t, plain)
		x := &exchange{ctx: t.Context(), encoding: "gzip", length: int64(len(body)), body: bytes.NewReader(body)}
		o := &operation{limit: 16 << 20}
		if err := s.readBody(x, o); err != nil {
			t.Fatal(err)
		}
		if want := min(int64(len(body))*(1+gzipRatio), o.limit); x.held < want {
			t.Errorf("%d bytes: %d held before it is unpacked, want %d", len(plain), x.held, want)
		}
		if err := s.unpack(x, o.limit); err == nil && x.held < int64(len(plain)) {
			t.Errorf("%d bytes: %d held, want as many", len(plain), x.held)
		}
		s.releaseBody(x)
		if !s.inFlight.TryAcquire(bound) {
			t.Errorf("%d bytes: something of the bound was kept", len(plain))
		}
		s.inFlight.Release(bound)
	}
}

// What a body becomes when it is decoded takes its share of the bound too.
func TestDecodedBodiesCountAgainstTheMemoryBound(t *testing.T) {
	o := newService(kinesisapi.Bind(kinesisapi.Unimplemented{})).operations["AddTagsToStream"]
	body := []byte(`{"StreamName":"s","Tags":{"b":""` + strings.Repeat(`,"a":""`, 50_000) + "}}")
	synctest.Test(t, func(t *testing.T) {
		const bound = 16 << 20
		s := NewServer(Options{MaxInFlightBytes: bound})
		x := &exchange{ctx: t.Context(), service: o.service, data: body}
		if _, err := s.decode(x, o); err != nil || x.held < int64(len(body)) {
			t.Errorf("%d bytes: %d held, %v", len(body), x.held, err)
		}
		if !s.inFlight.TryAcquire(bound - x.held) {
			t.Error("more is taken than is noted")
		}
		began := time.Now()
		y := &exchange{ctx: t.Context(), service: o.service, data: body}
		if _, err := s.decode(y, o); err == nil || err.Status != http.StatusServiceUnavailable || time.Since(began) != bodyWait {
			t.Errorf("without memory: got %v after %v", err, time.Since(began))
		}
		s.cancel()
	})
}
