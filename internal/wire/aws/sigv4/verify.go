package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"millrace/internal/api"
)

const (
	isoBasic = "20060102T150405Z"
	// skew is how far the clocks of client and server may differ, as Kinesis allows.
	skew = 5 * time.Minute
	// presignMax is the longest life of a presigned URL, a week as AWS has it.
	presignMax = 7 * 24 * time.Hour
	// keysMax bounds the cache of signing keys. A key serves one access key id, day, region and
	// service; when the cache is full it starts anew, which costs four HMACs a key.
	keysMax = 1024
)

// Verifier verifies signatures against credentials. It is safe for concurrent use.
type Verifier struct {
	credentials Credentials
	now         func() time.Time

	mu   sync.Mutex
	keys map[keyID][sha256.Size]byte // guarded by mu
}

type keyID struct{ accessKeyID, secret, scope string }

// NewVerifier makes a verifier that reads the time from now.
func NewVerifier(credentials Credentials, now func() time.Time) *Verifier {
	return &Verifier{credentials: credentials, now: now, keys: map[keyID][sha256.Size]byte{}}
}

// Begin checks all that can be checked without the body: form, clock, key, scope, and that what routes the
// request is signed. The error is what AWS answers, which says of an unknown key that its signature has
// expired (ScyllaDB's test/alternator/test_authorization.py, which passes on AWS; read 2026-11).
func (v *Verifier) Begin(r *Request, service string) (*Signature, *api.Error) {
	s, err := parse(r)
	if err != nil {
		return nil, err
	}
	if err := v.checkTime(s); err != nil {
		return nil, err
	}
	secret, ok := v.credentials.Secret(s.AccessKeyID)
	if !ok {
		return nil, api.ClientError("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	s.secret = secret
	if s.Service != service {
		return nil, invalid("Credential should be scoped to correct service: '" + service + "'.")
	}
	if !isRegion(s.Region) {
		return nil, invalid("Credential should be scoped to a valid region.")
	}
	if s.stamp[:8] != s.Day {
		return nil, invalid("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
			s.Day + "' != '" + s.stamp[:8] + "', from '" + s.stamp + "'.")
	}
	return s, checkSigned(r, s)
}

// checkTime compares the time of the signature with ours.
func (v *Verifier) checkTime(s *Signature) *api.Error {
	t, ok := parseDate(s.date)
	if !ok {
		return incomplete("Date must be in ISO-8601 'basic format'. Got '" + s.date + "'. See http://en.wikipedia.org/wiki/ISO_8601")
	}
	s.stamp = t.Format(isoBasic)
	now := v.now().UTC()
	if t.After(now.Add(skew)) {
		return invalid("Signature not yet current: " + s.stamp + " is still later than " +
			now.Add(skew).Format(isoBasic) + " (" + now.Format(isoBasic) + " + 5 min.)")
	}
	if s.Presigned {
		return v.checkExpiry(s, t, now)
	}
	if t.Before(now.Add(-skew)) {
		return invalid("Signature expired: " + s.stamp + " is now earlier than " +
			now.Add(-skew).Format(isoBasic) + " (" + now.Format(isoBasic) + " - 5 min.)")
	}
	return nil
}

func (v *Verifier) checkExpiry(s *Signature, t, now time.Time) *api.Error {
	life := skew
	if s.expires != "" {
		n, err := strconv.ParseInt(s.expires, 10, 32)
		if err != nil || n < 0 || time.Duration(n)*time.Second > presignMax {
			return incomplete("X-Amz-Expires must be a number of seconds between 0 and 604800. Re-examine the query-string parameters.")
		}
		life = time.Duration(n) * time.Second
	}
	if end := t.Add(life); now.After(end) {
		return invalid("Signature expired: " + end.Format(isoBasic) + " is now earlier than " + now.Format(isoBasic))
	}
	return nil
}

// parseDate reads X-Amz-Date, or an HTTP Date.
func parseDate(s string) (time.Time, bool) {
	if t, err := time.Parse(isoBasic, s); err == nil {
		return t, true
	}
	t, err := http.ParseTime(s)
	return t.UTC(), err == nil
}

// checkSigned refuses a signature that leaves out what says where a request goes: with a free
// X-Amz-Target, one signed DescribeStream would be any operation with the same body.
func checkSigned(r *Request, s *Signature) *api.Error {
	if !slices.Contains(s.signed, "host") && !slices.Contains(s.signed, ":authority") {
		return invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for _, name := range []string{"x-amz-date", "x-amz-target", "x-amz-security-token"} {
		if len(r.Header(name)) > 0 && !slices.Contains(s.signed, name) {
			return invalid("'" + name + "' must be a 'SignedHeader' in the AWS Authorization.")
		}
	}
	return nil
}

// Finish hashes the body and compares signatures.
func (v *Verifier) Finish(r *Request, s *Signature, body []byte) *api.Error {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if claimed := r.header("x-amz-content-sha256"); claimed != "" && claimed != hash {
		return invalid("The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	request, err := canonical(r, s, hash)
	if err != nil {
		return err
	}
	requestSum := sha256.Sum256(request)
	text := algorithm + "\n" + s.stamp + "\n" + s.scope + "\n" + hex.EncodeToString(requestSum[:])
	key := v.key(s)
	want := mac(key[:], text)
	got, decodeErr := hex.DecodeString(s.signature)
	if decodeErr != nil || !hmac.Equal(got, want) || strings.ToLower(s.signature) != s.signature {
		return invalid("The request signature we calculated does not match the signature you provided. " +
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

// key derives the signing key of a scope, or takes it from the cache.
func (v *Verifier) key(s *Signature) [sha256.Size]byte {
	id := keyID{s.AccessKeyID, s.secret, s.scope}
	v.mu.Lock()
	key, ok := v.keys[id]
	v.mu.Unlock()
	if ok {
		return key
	}
	day := mac([]byte("AWS4"+s.secret), s.Day)
	key = [sha256.Size]byte(mac(mac(mac(day, s.Region), s.Service), terminator))
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.keys) >= keysMax {
		clear(v.keys)
	}
	v.keys[id] = key
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
