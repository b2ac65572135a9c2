package sasl

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/xdg-go/scram"
)

// ErrMechanism is a mechanism that is not served.
var ErrMechanism = errors.New("sasl: mechanism is not served")

// Error is why a client was refused, in words that it may see.
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

// maxToken bounds what a client sends in one step: names and passwords are far below.
const maxToken = 16 << 10

// Session is one authentication. It is used by one goroutine.
type Session struct {
	users     *Users
	mechanism string
	scram     *scram.ServerConversation // nil for PLAIN
	ctx       context.Context           // of the step that runs
	failed    error                     // of the store, in a look-up
	principal string
	done      bool
}

// Begin starts an authentication.
//
// Errors: ErrMechanism.
func (u *Users) Begin(mechanism string) (*Session, error) {
	s := &Session{users: u, mechanism: mechanism}
	var err error
	switch mechanism {
	case NamePlain:
		return s, nil
	case NameSHA256:
		s.scram, err = conversation(scram.SHA256, s.find(SHA256))
	case NameSHA512:
		s.scram, err = conversation(scram.SHA512, s.find(SHA512))
	default:
		return nil, ErrMechanism
	}
	return s, err
}

func conversation(h scram.HashGeneratorFcn, find scram.CredentialLookup) (*scram.ServerConversation, error) {
	server, err := h.NewServer(find)
	if err != nil {
		return nil, fmt.Errorf("sasl: %w", err)
	}
	return server.NewConversation(), nil
}

func (s *Session) find(m Mechanism) scram.CredentialLookup {
	return func(user string) (scram.StoredCredentials, error) {
		c, ok, err := s.users.lookup(s.ctx, user, m)
		if s.failed = err; err != nil {
			return scram.StoredCredentials{}, err
		}
		if !ok {
			return scram.StoredCredentials{}, errors.New("no such user")
		}
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(c.Salt), Iters: int(c.Iterations)},
			StoredKey:  c.StoredKey, ServerKey: c.ServerKey,
		}, nil
	}
}

// Step takes what the client sent and gives what it gets back. A session that has failed or is done takes no
// further steps.
//
// Errors: *Error, for the client; those of the store.
func (s *Session) Step(ctx context.Context, token []byte) ([]byte, error) {
	if s.done || len(token) > maxToken {
		return nil, &Error{"Authentication failed: unexpected token"}
	}
	if s.scram == nil {
		s.done = true
		return nil, s.plain(ctx, token)
	}
	s.ctx = ctx
	reply, err := s.scram.Step(string(token))
	switch {
	case s.failed != nil:
		s.done = true
		return nil, s.failed
	case err != nil:
		s.done = true
		return nil, &Error{"Authentication failed during authentication due to invalid credentials with SASL mechanism " + s.mechanism}
	case s.scram.Done() && s.scram.Valid():
		s.done, s.principal = true, s.scram.Username()
	}
	return []byte(reply), nil
}

// plain is the one message of RFC 4616: authorization id, name and password, with zeros between them.
func (s *Session) plain(ctx context.Context, token []byte) error {
	parts := bytes.Split(token, []byte{0})
	if len(parts) != 3 {
		return &Error{fmt.Sprintf("Invalid SASL/PLAIN response: expected 3 tokens, got %d", len(parts))}
	}
	as, user, password := string(parts[0]), string(parts[1]), string(parts[2])
	switch {
	case user == "":
		return &Error{"Authentication failed: username not specified"}
	case password == "":
		return &Error{"Authentication failed: password not specified"}
	case as != "" && as != user:
		return &Error{"Authentication failed: Client requested an authorization id that is different from username"}
	}
	for _, m := range []Mechanism{SHA512, SHA256} {
		c, ok, err := s.users.lookup(ctx, user, m)
		if err != nil {
			return err
		}
		if ok && c.matches(password) {
			s.principal = user
			return nil
		}
	}
	return &Error{"Authentication failed: Invalid username or password"}
}

// Principal is who the client is, once Done; "" before.
func (s *Session) Principal() string { return s.principal }

// Done tells whether the authentication has ended, well or not.
func (s *Session) Done() bool { return s.done }
