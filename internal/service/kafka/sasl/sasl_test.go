package sasl

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

func users(t *testing.T) *Users {
	t.Helper()
	return NewUsers(storetest.NewModel(), map[string]string{"alice": "secret"})
}

// add keeps a user as an administrator would.
func add(t *testing.T, u *Users, user, password string, mechanisms ...Mechanism) {
	t.Helper()
	var all []Credential
	for _, m := range mechanisms {
		c, err := FromPassword(m, password)
		if err != nil {
			t.Fatalf("credential of %s: %v", user, err)
		}
		all = append(all, c)
	}
	if _, err := u.store.Update(t.Context(), func(tx store.Tx) error { return Put(tx, user, all) }); err != nil {
		t.Fatalf("put %s: %v", user, err)
	}
}

func plainLogin(t *testing.T, u *Users, token string) (string, error) {
	t.Helper()
	s, err := u.Begin(NamePlain)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Step(t.Context(), []byte(token))
	if !s.Done() {
		t.Errorf("PLAIN with %q is not done after its one message", token)
	}
	return s.Principal(), err
}

func TestPlainTakesThePasswordAndNothingElse(t *testing.T) {
	u := users(t)
	add(t, u, "bob", "pass", SHA256)
	for _, c := range []struct{ token, principal, text string }{
		{"\x00alice\x00secret", "alice", ""},
		{"alice\x00alice\x00secret", "alice", ""},
		{"\x00bob\x00pass", "bob", ""},
		{"\x00bob\x00secret", "", "Invalid username or password"},
		{"\x00alice\x00Secret", "", "Invalid username or password"},
		{"\x00carol\x00secret", "", "Invalid username or password"},
		{"bob\x00alice\x00secret", "", "different from username"},
		{"\x00\x00secret", "", "username not specified"},
		{"\x00alice\x00", "", "password not specified"},
		{"alice\x00secret", "", "expected 3 tokens, got 2"},
		{"\x00alice\x00secret\x00", "", "expected 3 tokens, got 4"},
		{strings.Repeat("x", maxToken+1), "", ""},
	} {
		s, _ := u.Begin(NamePlain)
		_, err := s.Step(t.Context(), []byte(c.token))
		var refused *Error
		if s.Principal() != c.principal || (err == nil) != (c.principal != "") || err != nil && (!errors.As(err, &refused) || !strings.Contains(refused.Text, c.text)) {
			t.Errorf("PLAIN %.40q: got principal %q, error %v; want %q, %q", c.token, s.Principal(), err, c.principal, c.text)
		}
	}
}

func scramLogin(t *testing.T, u *Users, mechanism, user, password string) (principal string, err error) {
	t.Helper()
	generators := map[string]scram.HashGeneratorFcn{NameSHA256: scram.SHA256, NameSHA512: scram.SHA512}
	client, err := generators[mechanism].NewClient(user, password, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := u.Begin(mechanism)
	if err != nil {
		t.Fatal(err)
	}
	talk := client.NewConversation()
	var reply []byte
	for !talk.Done() {
		token, err := talk.Step(string(reply))
		if err != nil {
			t.Fatalf("client: %v", err)
		}
		if talk.Done() {
			break
		}
		if reply, err = s.Step(t.Context(), []byte(token)); err != nil {
			return s.Principal(), err
		}
	}
	if !talk.Valid() || !s.Done() {
		t.Errorf("%s of %s ended, valid %v for the client, done %v for the server", mechanism, user, talk.Valid(), s.Done())
	}
	return s.Principal(), nil
}

func TestScramLetsInWhoKnowsThePassword(t *testing.T) {
	u := users(t)
	add(t, u, "bob", "pass", SHA256)
	for _, c := range []struct{ mechanism, user, password, principal string }{
		{NameSHA256, "alice", "secret", "alice"},
		{NameSHA512, "alice", "secret", "alice"},
		{NameSHA256, "bob", "pass", "bob"},
		{NameSHA512, "bob", "pass", ""}, // has no such credential
		{NameSHA256, "bob", "other", ""},
		{NameSHA512, "alice", "other", ""},
		{NameSHA256, "carol", "secret", ""},
	} {
		got, err := scramLogin(t, u, c.mechanism, c.user, c.password)
		var refused *Error
		if got != c.principal || (err == nil) != (c.principal != "") || err != nil && !errors.As(err, &refused) {
			t.Errorf("%s %s:%s: got %q, %v; want %q", c.mechanism, c.user, c.password, got, err, c.principal)
		}
	}
}

func TestSessionTakesNoStepAfterItsEnd(t *testing.T) {
	s, _ := users(t).Begin(NamePlain)
	if _, err := s.Step(t.Context(), []byte("\x00alice\x00wrong")); err == nil {
		t.Fatal("a wrong password was taken")
	}
	if _, err := s.Step(t.Context(), []byte("\x00alice\x00secret")); err == nil || s.Principal() != "" {
		t.Fatalf("second step: got %q, %v", s.Principal(), err)
	}
}

func TestMechanismsThatAreNotServedAreRefused(t *testing.T) {
	for _, name := range []string{"", "GSSAPI", "plain", "OAUTHBEARER"} {
		if _, err := users(t).Begin(name); !errors.Is(err, ErrMechanism) {
			t.Errorf("mechanism %q: got %v", name, err)
		}
	}
}

func TestStoredUsersAreListedAndForgotten(t *testing.T) {
	u := users(t)
	for _, name := range []string{"c", "a", "b"} {
		add(t, u, name, "p", SHA256, SHA512)
	}
	add(t, u, "b", "", nil...)
	var got []string
	err := u.store.View(t.Context(), func(tx store.ReadTx) error {
		for after, done := "", false; !done; done = after == "" {
			some, next, err := List(tx, after, 1)
			if err != nil {
				return err
			}
			got, after = append(got, some...), next
		}
		return nil
	})
	if err != nil || !slices.Equal(got, []string{"a", "c"}) {
		t.Fatalf("users: got %q, %v", got, err)
	}
	if got, err := plainLogin(t, u, "\x00b\x00p"); err == nil {
		t.Errorf("a forgotten user came in as %q", got)
	}
}

func TestLongestSaltAndKeysAreKept(t *testing.T) {
	long := bytes.Repeat([]byte{7}, maxSecret)
	want := []Credential{{Mechanism: SHA512, Iterations: IterationsMin, Salt: long, StoredKey: long, ServerKey: long}}
	if got, ok := decode(encode(want)); !ok || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, %+v, want %+v", ok, got, want)
	}
}

func FuzzDecode(f *testing.F) {
	c, _ := FromPassword(SHA256, "x")
	f.Add(encode([]Credential{c}))
	f.Add([]byte{1})
	f.Add([]byte{1, 2, 0, 0, 0, 1, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		all, ok := decode(b)
		if !ok {
			return
		}
		if again := encode(all); string(again) != string(b) {
			t.Fatalf("%x decodes to %v, which encodes to %x", b, all, again)
		}
	})
}

func FuzzPlain(f *testing.F) {
	f.Add("\x00alice\x00secret")
	u := NewUsers(storetest.NewModel(), map[string]string{"alice": "secret"})
	f.Fuzz(func(t *testing.T, token string) {
		s, _ := u.Begin(NamePlain)
		_, err := s.Step(t.Context(), []byte(token))
		if err == nil && token != "\x00alice\x00secret" && token != "alice\x00alice\x00secret" {
			t.Fatalf("%q came in", token)
		}
	})
}
