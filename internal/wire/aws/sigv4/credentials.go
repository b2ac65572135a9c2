package sigv4

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Credentials finds the secret of an access key id.
type Credentials interface {
	Secret(accessKeyID string) (secret string, ok bool)
}

// Static is a fixed set of credentials: access key id to secret.
type Static map[string]string

// Secret looks the key up.
func (s Static) Secret(accessKeyID string) (string, bool) {
	secret, ok := s[accessKeyID]
	return secret, ok
}

// String keeps the secrets out of logs.
func (s Static) String() string { return fmt.Sprintf("%d credentials", len(s)) }

// GoString is String for %#v.
func (s Static) GoString() string { return s.String() }

// credentialLine bounds a line of a credentials file.
const credentialLine = 4096

// ReadShared reads credentials in the form of AWS's shared credentials file, all profiles of it:
//
//	[name]                            the name does not matter here
//	aws_access_key_id = AKIDEXAMPLE
//	aws_secret_access_key = secret
//
// Lines that begin with # or ; and other settings are passed over. The error names the line, never
// what stands in it: a profile with half of a pair, or one key id with two secrets.
func ReadShared(r io.Reader) (Static, error) {
	p := sharedParser{out: Static{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, credentialLine)
	number := 0
	for lines.Scan() {
		number++
		if err := p.line(strings.TrimSpace(lines.Text())); err != nil {
			return nil, fmt.Errorf("credentials, line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("credentials, line %d: %w", number+1, err)
	}
	if err := p.endProfile(); err != nil {
		return nil, fmt.Errorf("credentials, line %d: %w", number, err)
	}
	return p.out, nil
}

type sharedParser struct {
	out        Static
	id, secret string // of the profile that is being read
}

func (p *sharedParser) line(line string) error {
	switch {
	case line == "", line[0] == '#', line[0] == ';':
		return nil
	case line[0] == '[':
		return p.endProfile()
	}
	key, value, ok := strings.Cut(line, "=")
	if !ok {
		return fmt.Errorf("no '=' and no section")
	}
	value = strings.TrimSpace(value)
	switch strings.TrimSpace(key) {
	case "aws_access_key_id":
		p.id = value
	case "aws_secret_access_key":
		p.secret = value
	}
	return nil
}

// endProfile files the pair of the profile that ends.
func (p *sharedParser) endProfile() error {
	id, secret := p.id, p.secret
	p.id, p.secret = "", ""
	switch old, known := p.out[id]; {
	case id == "" && secret == "":
		return nil
	case id == "" || secret == "":
		return fmt.Errorf("the profile before has half of a pair of key id and secret")
	case known && old != secret:
		return fmt.Errorf("the key id of the profile before has another secret further up")
	}
	p.out[id] = secret
	return nil
}
