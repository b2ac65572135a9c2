package aws

import (
	"strings"

	"millrace/internal/api"
	"millrace/internal/wire/aws/sigv4"
)

// authenticate fills in who calls. With credentials configured it gives the signature that has to be
// finished once the body is there; without, it believes what the request says and gives nil.
func (s *Server) authenticate(x *exchange, o *operation) (*sigv4.Signature, *api.Error) {
	x.call.Account, x.call.Region = api.DefaultAccount, s.opts.DefaultRegion
	if s.verifier == nil {
		if id, region, _, ok := sigv4.Scope(&x.Request); ok {
			x.identify(id, region)
		}
		return nil, nil
	}
	sig, err := s.verifier.Begin(&x.Request, o.service.Name)
	if err != nil {
		return nil, unsigned(x, err)
	}
	x.identify(sig.AccessKeyID, sig.Region)
	return sig, nil
}

// unsigned gives the words of DynamoDB for a request that is not signed, as which it also counts one with a header of any other scheme.
// Source: dynalite, test/connection.js, recorded against AWS (read 2026-11).
func unsigned(x *exchange, err *api.Error) *api.Error {
	const missing = "MissingAuthenticationTokenException"
	auth := x.Header("authorization")
	switch {
	case !x.dynamodb():
	case err.Code == missing, err.Code == "IncompleteSignatureException" && len(auth) > 0 && !strings.HasPrefix(strings.TrimSpace(auth[0]), "AWS4-"):
		return api.ClientError(missing, "Request is missing Authentication Token")
	}
	return err
}

func (x *exchange) identify(accessKeyID, region string) {
	accessKeyID, region = x.names.keep(accessKeyID), x.regions.keep(region)
	x.call.AccessKeyID = accessKeyID
	if isAccount(accessKeyID) {
		x.call.Account = accessKeyID
	}
	if region != "" {
		x.call.Region = region
	}
}

// isAccount says whether an access key id is itself an account: 12 digits.
func isAccount(id string) bool {
	if len(id) != len(api.DefaultAccount) {
		return false
	}
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return false
		}
	}
	return true
}

// interned gives equal strings of successive requests on a connection one copy, which unlike the
// buffer they came in is never written again. The zero value copies nothing.
type interned struct {
	on   bool
	last string
}

func (i *interned) keep(s string) string {
	if !i.on {
		return s
	}
	if i.last != s {
		i.last = strings.Clone(s)
	}
	return i.last
}
