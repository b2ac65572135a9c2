package kinesis

import (
	"bytes"
	"encoding/json"
	"slices"

	"millrace/internal/api/kinesisapi"
)

// maxPolicyBytes of a resource policy: 20 KiB, as AWS has it for policies of most resources.
const maxPolicyBytes = 20 << 10

// checkPolicy holds the text of a resource policy against IAM's grammar as far as its outline goes: a JSON
// object with a known version, and statements that each have an effect, a principal and actions. Names of
// members count in their exact case, and a member stands once, as IAM has it.
//
// Errors: errPolicySize, errPolicy.
//
// Source: IAM user guide, "Grammar of the IAM JSON policy language" (read 2026-11).
func checkPolicy(text string) error {
	if len(text) > maxPolicyBytes {
		return errPolicySize()
	}
	doc, ok := members([]byte(text))
	if !ok {
		return errPolicy("it must be a JSON object that has each member once")
	}
	if v, there := doc["Version"]; there {
		if s, ok := jsonText(v); !ok || s != "2012-10-17" && s != "2008-10-17" {
			return errPolicy("Version must be 2012-10-17 or 2008-10-17")
		}
	}
	list, ok := oneOrMore(doc["Statement"])
	if !ok {
		return errPolicy("Statement must be an object or a list of objects")
	}
	for _, raw := range list {
		if err := checkStatement(raw); err != nil {
			return err
		}
	}
	return nil
}

func checkStatement(raw json.RawMessage) error {
	m, ok := members(raw)
	if !ok {
		return errPolicy("Statement must be an object or a list of objects")
	}
	effect, _ := jsonText(m["Effect"])
	switch {
	case effect != "Allow" && effect != "Deny":
		return errPolicy("Effect must be Allow or Deny")
	case !isPrincipal(m["Principal"]) && !isPrincipal(m["NotPrincipal"]):
		return errPolicy("a statement must have a Principal")
	case !isTexts(m["Action"]) && !isTexts(m["NotAction"]):
		return errPolicy("a statement must have an Action")
	}
	return nil
}

// isPrincipal tells whether raw is "*", or an object of texts or lists of them.
func isPrincipal(raw json.RawMessage) bool {
	if s, ok := jsonText(raw); ok {
		return s == "*"
	}
	m, ok := members(raw)
	if !ok || len(m) == 0 {
		return false
	}
	for _, v := range m {
		if !isTexts(v) {
			return false
		}
	}
	return true
}

// isTexts tells whether raw is a text or a list of some.
func isTexts(raw json.RawMessage) bool {
	list, ok := oneOrMore(raw)
	return ok && !slices.ContainsFunc(list, func(v json.RawMessage) bool {
		s, ok := jsonText(v)
		return !ok || s == ""
	})
}

// oneOrMore returns the elements of a list that is not empty, or what is no list as the only one.
func oneOrMore(raw json.RawMessage) ([]json.RawMessage, bool) {
	if len(raw) == 0 {
		return nil, false
	}
	var list []json.RawMessage
	if raw[0] != '[' {
		return []json.RawMessage{raw}, true
	}
	err := json.Unmarshal(raw, &list)
	return list, err == nil && len(list) > 0
}

func jsonText(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}

// members reads a JSON object; false when it is none, or has a member twice.
func members(raw []byte) (map[string]json.RawMessage, bool) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' || !json.Valid(raw) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	_, _ = d.Token() // the brace
	found := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var v json.RawMessage
		if d.Decode(&v) != nil {
			return nil, false
		}
		key := name.(string) // of an object whose syntax is right
		if _, twice := found[key]; twice {
			return nil, false
		}
		found[key] = v
	}
	return found, true
}

// errPolicy and errPolicySize have texts of our own: no record of AWS's was found.
func errPolicy(why string) error {
	return kinesisapi.InvalidArgumentException("The resource policy is not valid: " + why + ".")
}

func errPolicySize() error {
	return kinesisapi.InvalidArgumentException("The resource policy is not valid: it is larger than 20480 bytes.")
}

// errNoPolicy is the text that moto has.
//
// Source: moto, tests of DeleteResourcePolicy (read 2026-11).
func errNoPolicy(arn string) error {
	return kinesisapi.ResourceNotFoundException("No resource policy found for resource ARN " + arn + ".")
}
