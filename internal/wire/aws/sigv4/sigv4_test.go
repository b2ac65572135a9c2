package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"millrace/internal/api"
)

const (
	testKey    = "AKIDEXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var testTime = time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)

func testVerifier(now time.Time) *Verifier {
	return NewVerifier(Static{testKey: testSecret}, func() time.Time { return now })
}

// signed makes a request as the SDK for Go signs it.
func signed(tb testing.TB, rawURL string, body []byte, header map[string]string) *http.Request {
	tb.Helper()
	r, err := http.NewRequest(http.MethodPost, rawURL, nil)
	if err != nil {
		tb.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	sum := sha256.Sum256(body)
	creds := sdk.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
	if err := v4.NewSigner().SignHTTP(tb.Context(), creds, r, hex.EncodeToString(sum[:]), "kinesis", "eu-west-1", testTime); err != nil {
		tb.Fatal(err)
	}
	return r
}

// received is the request as a server sees it.
func received(r *http.Request) *Request {
	return &Request{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		Header: func(name string) []string {
			if name == "host" {
				return []string{r.URL.Host}
			}
			return r.Header.Values(name)
		},
	}
}

func verify(v *Verifier, r *Request, body []byte) (*Signature, *api.Error) {
	s, err := v.Begin(r, "kinesis")
	if err != nil {
		return nil, err
	}
	return s, v.Finish(r, s, body)
}

var kinesisHeader = map[string]string{
	"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Kinesis_20131202.PutRecord",
	"X-Odd": "  two   spaces ", "User-Agent": "not signed",
}

func TestSignatureOfTheSDKIsAccepted(t *testing.T) {
	for _, rawURL := range []string{
		"http://localhost:4566/", "http://localhost:4566", "https://kinesis.eu-west-1.amazonaws.com/a%20b/c%2Fd?z=1&a=x%20y&a=b%2Bc&e=",
	} {
		s, err := verify(testVerifier(testTime), received(signed(t, rawURL, []byte("body"), kinesisHeader)), []byte("body"))
		if err != nil {
			t.Errorf("%s: %v", rawURL, err)
			continue
		}
		if s.AccessKeyID != testKey || s.Region != "eu-west-1" || s.Service != "kinesis" {
			t.Errorf("%s: got %s %s %s", rawURL, s.AccessKeyID, s.Region, s.Service)
		}
	}
}

func TestPresignedURLIsAcceptedUntilItExpires(t *testing.T) {
	r, _ := http.NewRequest(http.MethodGet, "http://localhost:4566/?Action=x&X-Amz-Expires=600", nil)
	sum := sha256.Sum256(nil)
	creds := sdk.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
	signedURL, _, err := v4.NewSigner().PresignHTTP(t.Context(), creds, r, hex.EncodeToString(sum[:]), "kinesis", "eu-west-1", testTime)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(signedURL)
	got := received(&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}})
	if _, err := verify(testVerifier(testTime.Add(599*time.Second)), got, nil); err != nil {
		t.Errorf("within its life: %v", err)
	}
	if _, err := verify(testVerifier(testTime.Add(601*time.Second)), got, nil); err == nil || !strings.HasPrefix(err.Message, "Signature expired: ") {
		t.Errorf("after its life: got %v, want Signature expired", err)
	}
	if _, err := verify(testVerifier(testTime), got, []byte("body")); err == nil {
		t.Error("a body that was not signed was accepted")
	}
}

func TestRefusalsReadAsAWSWritesThem(t *testing.T) {
	body := []byte("{}")
	const mismatch = "InvalidSignatureException: The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	for name, c := range map[string]struct {
		change func(*http.Request)
		now    time.Time
		want   string
	}{
		"none":         {func(r *http.Request) { r.Header.Del("Authorization") }, testTime, "MissingAuthenticationTokenException: Missing Authentication Token"},
		"unknown key":  {func(r *http.Request) { replaceAuth(r, testKey, "AKIDOTHER") }, testTime, "UnrecognizedClientException: The security token included in the request is invalid."},
		"other target": {func(r *http.Request) { r.Header.Set("X-Amz-Target", "Kinesis_20131202.DeleteStream") }, testTime, mismatch},
		"other scope":  {func(r *http.Request) { replaceAuth(r, "/kinesis/", "/dynamodb/") }, testTime, "InvalidSignatureException: Credential should be scoped to correct service: 'kinesis'."},
		"other region": {func(r *http.Request) { replaceAuth(r, "eu-west-1", "us-east-1") }, testTime, mismatch},
		"upper case":   {func(r *http.Request) { upperSignature(r) }, testTime, mismatch},
		"unsigned host": {
			func(r *http.Request) { replaceAuth(r, "host;", "") }, testTime,
			"InvalidSignatureException: 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
		},
		"unsigned target": {
			func(r *http.Request) { replaceAuth(r, ";x-amz-target", "") }, testTime,
			"InvalidSignatureException: 'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.",
		},
		"late": {
			nil, testTime.Add(6 * time.Minute),
			"InvalidSignatureException: Signature expired: 20261120T093000Z is now earlier than 20261120T093100Z (20261120T093600Z - 5 min.)",
		},
		"late, of an unknown key in no scope": {
			func(r *http.Request) { replaceAuth(r, testKey+"/20261120/eu-west-1/kinesis", "alternator/2/3/4") }, testTime.Add(6 * time.Minute),
			"InvalidSignatureException: Signature expired: 20261120T093000Z is now earlier than 20261120T093100Z (20261120T093600Z - 5 min.)",
		},
		"early": {
			nil, testTime.Add(-6 * time.Minute),
			"InvalidSignatureException: Signature not yet current: 20261120T093000Z is still later than 20261120T092900Z (20261120T092400Z + 5 min.)",
		},
		"hash": {
			func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, testTime,
			"InvalidSignatureException: The provided 'x-amz-content-sha256' header does not match what was computed.",
		},
		"day": {
			func(r *http.Request) { replaceAuth(r, "/20261120/", "/20261119/") }, testTime,
			"InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: " +
				"'20261119' != '20261120', from '20261120T093000Z'.",
		},
		"nonsense": {
			func(r *http.Request) { r.Header = http.Header{"Authorization": {"X"}} }, testTime,
			"IncompleteSignatureException: Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
				"Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=X",
		},
		"both": {
			func(r *http.Request) { r.URL.RawQuery = "X-Amz-Algorithm" }, testTime,
			"InvalidSignatureException: Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
		},
		"empty query": {
			func(r *http.Request) {
				r.Header.Del("Authorization")
				r.URL.RawQuery = "X-Amz-Algorithm=a&X-Amz-Credential=b"
			}, testTime,
			"IncompleteSignatureException: AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include " +
				"'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.",
		},
	} {
		r := signed(t, "http://localhost:4566/", body, kinesisHeader)
		if c.change != nil {
			c.change(r)
		}
		_, err := verify(testVerifier(c.now), received(r), body)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s\n got %v\nwant %s", name, err, c.want)
		}
	}
}

func replaceAuth(r *http.Request, from, to string) {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
}

func upperSignature(r *http.Request) {
	head, sig, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	r.Header.Set("Authorization", head+"Signature="+strings.ToUpper(sig))
}

func TestScopeIsReadWithoutVerifying(t *testing.T) {
	id, region, service, ok := Scope(received(signed(t, "http://localhost:4566/", nil, kinesisHeader)))
	if id != testKey || region != "eu-west-1" || service != "kinesis" || !ok {
		t.Errorf("got %q %q %q %v", id, region, service, ok)
	}
	for _, auth := range []string{"", "X", "AWS4-HMAC-SHA256 Credential=abc", "Credential=a/b/c", "Bearer x"} {
		r := &Request{Header: func(string) []string { return []string{auth} }}
		if _, _, _, ok := Scope(r); ok {
			t.Errorf("%q has no scope, but one was found", auth)
		}
	}
}

// TestRegionsAreNames: regions stand in ARNs and, between zero bytes, in keys. A presigned URL can hold any byte.
func TestRegionsAreNames(t *testing.T) {
	for region, valid := range map[string]bool{
		"eu-west-1": true, "local": true, "Fake_Region.2": true, strings.Repeat("a", 64): true,
		"eu\x00west": false, "eu:west": false, "eu west": false, "\u00e9": false, strings.Repeat("a", 65): false,
	} {
		query := url.Values{
			"X-Amz-Algorithm": {algorithm}, "X-Amz-Credential": {testKey + "/20261120/" + region + "/kinesis/aws4_request"},
			"X-Amz-Signature": {"0"}, "X-Amz-SignedHeaders": {"host"}, "X-Amz-Date": {"20261120T093000Z"},
		}
		r := &Request{Query: query.Encode(), Header: func(string) []string { return nil }}
		if _, got, _, ok := Scope(r); ok != valid || ok && got != region {
			t.Errorf("scope of region %q: got %q, %v, want %v", region, got, ok, valid)
		}
		_, err := testVerifier(testTime).Begin(r, "kinesis")
		if refused := err != nil && strings.HasPrefix(err.Message, "Credential should be scoped to a valid region"); refused == valid {
			t.Errorf("signature for region %q: got %v, want it to be valid: %v", region, err, valid)
		}
	}
}

// FuzzSigV4 signs a request with the SDK, changes one byte of what is signed, and wants a refusal;
// unchanged it must be accepted.
func FuzzSigV4(f *testing.F) {
	f.Add("/", "", []byte("{}"), uint8(0), uint16(0), uint8(1))
	f.Add("/a b/ü", "x=1&y=%20", []byte("body"), uint8(1), uint16(3), uint8(7))
	f.Add("/", "", []byte("body"), uint8(2), uint16(20), uint8(9))
	f.Add("/", "", []byte("body"), uint8(3), uint16(10), uint8(1))
	f.Fuzz(func(t *testing.T, path, query string, body []byte, part uint8, at uint16, xor uint8) {
		values, err := url.ParseQuery(query)
		if err != nil || strings.Contains(query, "X-Amz") || ordersDiffer(values) {
			return
		}
		u := url.URL{Scheme: "http", Host: "localhost:4566", Path: "/" + path, RawQuery: values.Encode()}
		if strings.HasPrefix(u.Path, "//") || strings.Contains(u.EscapedPath(), "?") {
			return // not what an HTTP client sends as a path
		}
		r, got := signed(t, u.String(), body, kinesisHeader), []byte(nil)
		got = append(got, body...)
		v := testVerifier(testTime)
		if _, err := verify(v, received(r), got); err != nil {
			t.Fatalf("unchanged request refused: %v\npath %q query %q", err, u.EscapedPath(), u.RawQuery)
		}
		if xor == 0 {
			return
		}
		mutate := func(s string) string {
			b := []byte(s)
			b[int(at)%len(b)] ^= xor
			return string(b)
		}
		raw := received(r)
		switch part % 4 {
		case 0:
			if len(got) == 0 {
				return
			}
			got[int(at)%len(got)] ^= xor
		case 1:
			raw.Path = mutate(raw.Path)
		case 2, 3:
			name := []string{"X-Amz-Target", "Authorization"}[part%2]
			old := r.Header.Get(name)
			changed := mutate(old)
			if same(name, old, changed) {
				return
			}
			r.Header[name] = []string{changed}
		}
		if _, err := verify(v, raw, got); err == nil {
			t.Fatalf("changed request accepted: part %d at %d xor %d\npath %q auth %q body %q", part%4, at, xor, raw.Path, r.Header.Get("Authorization"), got)
		}
	})
}

// ordersDiffer finds parameters that the SDK, which sorts before it encodes, signs in another order
// than the specification says.
func ordersDiffer(values url.Values) bool {
	return len(values) > 1 && strings.Contains(values.Encode(), "%") || slices.ContainsFunc(
		slices.Collect(maps.Values(values)), func(v []string) bool { return len(v) > 1 && strings.Contains(values.Encode(), "%") })
}

// same says that a change cannot matter: between the parameters of the Authorization header commas
// and spaces are alike, and outer spaces of a header are not signed.
func same(name, old, changed string) bool {
	if strings.Trim(changed, " \t") == old {
		return true
	}
	if name != "Authorization" {
		return false
	}
	split := func(c rune) bool { return c == ',' || c == ' ' }
	return strings.Join(strings.FieldsFunc(old, split), " ") == strings.Join(strings.FieldsFunc(changed, split), " ")
}

// A verification costs the hash of the body and what this measures, about 4 us on an idle core.
func BenchmarkVerify(b *testing.B) {
	body := []byte("{}")
	r := received(signed(b, "http://localhost:4566/", body, kinesisHeader))
	v := testVerifier(testTime)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verify(v, r, body); err != nil {
			b.Fatal(err)
		}
	}
}
