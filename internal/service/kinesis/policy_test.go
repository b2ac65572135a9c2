package kinesis

import (
	"strings"
	"testing"
)

// policyOf is a policy with one statement.
func policyOf(statement string) string {
	return `{"Version":"2012-10-17","Statement":` + statement + `}`
}

func TestPoliciesOfIAMsGrammarAreTaken(t *testing.T) {
	for _, text := range []string{
		policyOf(`[{"Effect":"Allow","Principal":"*","Action":"kinesis:*","Resource":"*"}]`),
		policyOf(`{"Effect":"Deny","Principal":{"AWS":["111122223333","*"]},"NotAction":["kinesis:PutRecord"]}`),
		policyOf(`[{"Sid":"a","Effect":"Allow","NotPrincipal":{"Service":"lambda.amazonaws.com"},"Action":["a","b"],"Condition":{}}]`),
		" {\n\"Statement\" : [ {\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"a\"} ] } ",
	} {
		if err := checkPolicy(text); err != nil {
			t.Errorf("checkPolicy(%s): got %v, want no error", text, err)
		}
	}
}

func TestPoliciesThatAreNoneAreRefused(t *testing.T) {
	const good = `"Effect":"Allow","Principal":"*","Action":"a"`
	for _, text := range []string{
		"", "{}", "null", `"x"`, "[]", "{", `{"Statement":[{` + good + `}]} x`,
		policyOf(`[]`), policyOf(`null`), policyOf(`"x"`), policyOf(`["x"]`),
		`{"Version":"2020-01-01","Statement":[{` + good + `}]}`,
		`{"statement":[{` + good + `}]}`,
		`{"Statement":[{` + good + `}],"Statement":[{` + good + `}]}`,
		policyOf(`[{"Effect":"allow","Principal":"*","Action":"a"}]`),
		policyOf(`[{"Principal":"*","Action":"a"}]`),
		policyOf(`[{"Effect":"Allow","Action":"a"}]`),
		policyOf(`[{"Effect":"Allow","Principal":"111122223333","Action":"a"}]`),
		policyOf(`[{"Effect":"Allow","Principal":{},"Action":"a"}]`),
		policyOf(`[{"Effect":"Allow","Principal":{"AWS":1},"Action":"a"}]`),
		policyOf(`[{"Effect":"Allow","Principal":"*"}]`),
		policyOf(`[{"Effect":"Allow","Principal":"*","Action":[]}]`),
		policyOf(`[{"Effect":"Allow","Principal":"*","Action":[1]}]`),
		strings.Repeat("[", maxPolicyBytes),
	} {
		if err := checkPolicy(text); err == nil {
			t.Errorf("checkPolicy(%s): got no error, want InvalidArgumentException", text)
		}
	}
}

func TestPolicyOfTwentyKibibytesIsTheLargest(t *testing.T) {
	const front, back = `{"Statement":{"Effect":"Allow","Principal":"*","Action":"`, `"}}`
	largest := front + strings.Repeat("a", maxPolicyBytes-len(front)-len(back)) + back
	if err := checkPolicy(largest); err != nil {
		t.Errorf("a policy of %d bytes: got %v, want no error", len(largest), err)
	}
	if got, want := checkPolicy(largest+" "), errPolicySize(); got == nil || got.Error() != want.Error() {
		t.Errorf("a policy of %d bytes: got %v, want %v", len(largest)+1, got, want)
	}
}

// What stands in stores must be read for ever.
func TestPolicyIsWrittenAsDocumented(t *testing.T) {
	v := encodePolicy("{}")
	if got, want := string(v), "\x01{}"; got != want {
		t.Errorf("encodePolicy({}): got %q, want %q", got, want)
	}
	if got, err := decodePolicy(v); got != "{}" || err != nil {
		t.Errorf("decodePolicy(%q): got %q, %v, want {}", v, got, err)
	}
	for _, v := range []string{"", "\x01", "\x02{}"} {
		if got, err := decodePolicy([]byte(v)); err == nil {
			t.Errorf("decodePolicy(%q): got %q, want an error", v, got)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(policyOf(`[{"Effect":"Allow","Principal":{"AWS":["1"]},"Action":["a"]}]`))
	f.Add(`{"Statement":[`)
	f.Fuzz(func(t *testing.T, text string) {
		if err := checkPolicy(text); err == nil && len(text) > maxPolicyBytes {
			t.Errorf("checkPolicy took %d bytes, want at most %d", len(text), maxPolicyBytes)
		}
	})
}
