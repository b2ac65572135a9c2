package sigv4

import (
	"net/url"
	"strings"

	"millrace/internal/api"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
)

// Request is what a signature covers, apart from the body.
type Request struct {
	Method string
	Path   string // as sent, still percent-encoded
	Query  string // as sent, without '?'
	// Header gives the values of a header by its lower-case name, "host" included; nil when absent.
	Header func(name string) []string
}

func (r *Request) header(name string) string {
	if v := r.Header(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Signature is a parsed signature, not yet verified.
type Signature struct {
	AccessKeyID string
	Day         string // 20261120
	Region      string
	Service     string
	Presigned   bool

	scope     string   // day/region/service/aws4_request
	signed    []string // names of the signed headers
	signature string   // 64 hex digits
	date      string   // X-Amz-Date or Date
	expires   string   // of a presigned URL, in seconds
	secret    string
	stamp     string // date in ISO-8601 basic format
}

// Scope reads who a request says it is from, believing it: for servers without credentials. ok is
// false for a request without a usable credential, which is allowed there. A region may be missing, but is one.
func Scope(r *Request) (accessKeyID, region, service string, ok bool) {
	credential := ""
	if auth := r.header("authorization"); auth != "" {
		_, rest, found := strings.Cut(auth, "Credential=")
		if !found {
			return "", "", "", false
		}
		credential, _, _ = strings.Cut(rest, ",")
	} else if strings.Contains(r.Query, "X-Amz-Credential=") {
		q, err := url.ParseQuery(r.Query)
		if err != nil {
			return "", "", "", false
		}
		credential = q.Get("X-Amz-Credential")
	}
	id, rest, found := strings.Cut(credential, "/")
	if !found {
		return "", "", "", false
	}
	_, rest, _ = strings.Cut(rest, "/")
	region, rest, _ = strings.Cut(rest, "/")
	service, _, found = strings.Cut(rest, "/")
	if !found || region != "" && !isRegion(region) {
		return "", "", "", false
	}
	return id, region, service, true
}

// maxRegion is longer than any region of AWS, and than what people make up.
const maxRegion = 64

// isRegion says whether a text can be a region: letters, digits, hyphens, underscores and dots. Services rely on it: regions stand in
// ARNs, in keys and in files.
func isRegion(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return s != "" && len(s) <= maxRegion
}

// parse finds the signature of a request, in one of its two places.
func parse(r *Request) (*Signature, *api.Error) {
	auth := r.header("authorization")
	var query url.Values
	if strings.Contains(r.Query, "X-Amz-Algorithm") {
		q, err := url.ParseQuery(r.Query)
		if err != nil {
			return nil, incomplete("AWS query-string parameters could not be read. Re-examine the query-string parameters.")
		}
		query = q
	}
	_, presigned := query["X-Amz-Algorithm"]
	switch {
	case presigned && auth != "":
		return nil, invalid("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")
	case presigned:
		return parseQuery(query)
	case auth != "":
		return parseHeader(r, auth)
	}
	return nil, api.ClientError("MissingAuthenticationTokenException", "Missing Authentication Token")
}

func parseHeader(r *Request, auth string) (*Signature, *api.Error) {
	fields := strings.FieldsFunc(auth, func(c rune) bool { return c == ',' || c == ' ' })
	params := map[string]string{}
	for _, f := range fields[min(1, len(fields)):] {
		if k, v, ok := strings.Cut(f, "="); ok {
			params[k] = v
		}
	}
	var missing strings.Builder
	for _, p := range []string{"Credential", "Signature", "SignedHeaders"} {
		if params[p] == "" {
			missing.WriteString("Authorization header requires '" + p + "' parameter. ")
		}
	}
	date := r.header("x-amz-date")
	if date == "" {
		date = r.header("date")
	}
	if date == "" {
		missing.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	if missing.Len() > 0 {
		return nil, incomplete(missing.String() + "Authorization=" + auth)
	}
	if len(fields) == 0 || fields[0] != algorithm {
		return nil, incomplete("Unsupported AWS 'algorithm': '" + fields[0] + "'.")
	}
	s := &Signature{signature: params["Signature"], date: date, signed: strings.Split(params["SignedHeaders"], ";")}
	return s, s.credential(params["Credential"])
}

func parseQuery(q url.Values) (*Signature, *api.Error) {
	var missing strings.Builder
	for _, p := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		switch {
		case q.Get(p) == "":
			missing.WriteString("AWS query-string parameters must include '" + p + "'. ")
		case len(q[p]) > 1:
			return nil, incomplete("Found duplicate query-string parameter '" + p + "'. Re-examine the query-string parameters.")
		}
	}
	if missing.Len() > 0 {
		return nil, incomplete(missing.String() + "Re-examine the query-string parameters.")
	}
	if a := q.Get("X-Amz-Algorithm"); a != algorithm {
		return nil, incomplete("Unsupported AWS 'algorithm': '" + a + "'.")
	}
	s := &Signature{
		Presigned: true, signature: q.Get("X-Amz-Signature"), date: q.Get("X-Amz-Date"), expires: q.Get("X-Amz-Expires"),
		signed: strings.Split(q.Get("X-Amz-SignedHeaders"), ";"),
	}
	return s, s.credential(q.Get("X-Amz-Credential"))
}

// credential splits AKID/20261120/us-east-1/kinesis/aws4_request. What it keeps is copied: headers may
// live in a buffer that is used again, and scopes are cached.
func (s *Signature) credential(c string) *api.Error {
	c = strings.Clone(c)
	parts := strings.Split(c, "/")
	if len(parts) != 5 {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '" + c + "'")
	}
	s.AccessKeyID, s.Day, s.Region, s.Service = parts[0], parts[1], parts[2], parts[3]
	if parts[4] != terminator {
		return invalid("Credential should be scoped with a valid terminator: '" + terminator + "', not '" + parts[4] + "'.")
	}
	_, s.scope, _ = strings.Cut(c, "/")
	return nil
}

func incomplete(text string) *api.Error {
	return api.ClientError("IncompleteSignatureException", api.Clip(text))
}

func invalid(text string) *api.Error {
	return api.ClientError("InvalidSignatureException", api.Clip(text))
}
