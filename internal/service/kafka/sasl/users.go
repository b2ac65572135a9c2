package sasl

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"

	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// Mechanism is a SCRAM mechanism by its number in AlterUserScramCredentials.
type Mechanism byte

// The SCRAM mechanisms. Permanent: they stand in values.
const (
	SHA256 Mechanism = 1
	SHA512 Mechanism = 2
)

// Names of the mechanisms on the wire.
const (
	NamePlain  = "PLAIN"
	NameSHA256 = "SCRAM-SHA-256"
	NameSHA512 = "SCRAM-SHA-512"
)

// Names are all mechanisms, as SaslHandshake answers them.
func Names() []string { return []string{NamePlain, NameSHA256, NameSHA512} }

// Limits of credentials (KIP-554): fewer iterations are too easy to guess, more would let a login cost too much.
const (
	IterationsMin = 4096
	IterationsMax = 16384
	maxUser       = 1024 // bytes of a name; Kafka has no limit of its own
	maxSecret     = 255  // bytes of a salt or a key
)

const valueVersion = 1

// ErrCredential is a credential that is not kept: a name or a key is missing or too long.
var ErrCredential = errors.New("sasl: credential is not well-formed")

// Credential is what a server keeps of a password (RFC 5802).
type Credential struct {
	Mechanism  Mechanism
	Iterations int32
	Salt       []byte
	StoredKey  []byte
	ServerKey  []byte
}

func (m Mechanism) hash() func() hash.Hash {
	if m == SHA512 {
		return sha512.New
	}
	return sha256.New
}

// FromSaltedPassword makes a credential from what administrators send.
//
// Errors: ErrCredential.
func FromSaltedPassword(m Mechanism, iterations int32, salt, salted []byte) (Credential, error) {
	if m != SHA256 && m != SHA512 || len(salt) == 0 || len(salt) > maxSecret || len(salted) == 0 || len(salted) > maxSecret {
		return Credential{}, ErrCredential
	}
	stored := m.hash()()
	stored.Write(m.sum(salted, "Client Key"))
	return Credential{Mechanism: m, Iterations: iterations, Salt: salt, StoredKey: stored.Sum(nil), ServerKey: m.sum(salted, "Server Key")}, nil
}

// FromPassword makes a credential with a salt of its own.
func FromPassword(m Mechanism, password string) (Credential, error) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails: crypto/rand
	salted, err := m.salted(password, salt, IterationsMin)
	if err != nil {
		return Credential{}, err
	}
	return FromSaltedPassword(m, IterationsMin, salt, salted)
}

func (m Mechanism) salted(password string, salt []byte, iterations int32) ([]byte, error) {
	return pbkdf2.Key(m.hash(), password, salt, int(iterations), m.hash()().Size())
}

func (m Mechanism) sum(key []byte, text string) []byte {
	h := hmac.New(m.hash(), key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// matches tells whether the credential is the password's, in constant time.
func (c *Credential) matches(password string) bool {
	salted, err := c.Mechanism.salted(password, c.Salt, c.Iterations)
	if err != nil {
		return false
	}
	other, err := FromSaltedPassword(c.Mechanism, c.Iterations, c.Salt, salted)
	return err == nil && subtle.ConstantTimeCompare(other.StoredKey, c.StoredKey) == 1
}

// Users knows who may come in. Safe for concurrent use.
type Users struct {
	store  store.Store
	fixed  map[string]string // name → password
	mu     sync.Mutex
	hashed map[fixedKey]Credential // of fixed users, made when first asked for
}

type fixedKey struct {
	user string
	m    Mechanism
}

// NewUsers has the users of a store and fixed ones, by name and password.
func NewUsers(s store.Store, fixed map[string]string) *Users {
	return &Users{store: s, fixed: fixed, hashed: map[fixedKey]Credential{}}
}

// lookup finds a user's credential; false when there is none.
func (u *Users) lookup(ctx context.Context, user string, m Mechanism) (c Credential, ok bool, err error) {
	if password, fixed := u.fixed[user]; fixed {
		c, err = u.fixedCredential(user, password, m)
		return c, err == nil, err
	}
	err = u.store.View(ctx, func(tx store.ReadTx) error {
		all, err := Get(tx, user)
		for i := range all {
			if all[i].Mechanism == m {
				c, ok = all[i], true
			}
		}
		return err
	})
	return c, ok, err
}

func (u *Users) fixedCredential(user, password string, m Mechanism) (Credential, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	k := fixedKey{user, m}
	if c, ok := u.hashed[k]; ok {
		return c, nil
	}
	c, err := FromPassword(m, password)
	if err == nil {
		u.hashed[k] = c
	}
	return c, err
}

// Get reads a user's stored credentials, by mechanism; none when there is no such user.
//
// Errors: *store.CorruptError, those of tx.
func Get(tx store.ReadTx, user string) ([]Credential, error) {
	if user == "" || len(user) > maxUser {
		return nil, nil
	}
	v, ok, err := tx.Get(userKey(user))
	if err != nil || !ok {
		return nil, err
	}
	all, ok := decode(v)
	if !ok {
		return nil, &store.CorruptError{File: fmt.Sprintf("key %x", userKey(user)), Reason: "not the credentials of a user"}
	}
	return all, nil
}

// Put replaces a user's stored credentials; none forget the user.
//
// Errors: ErrCredential, those of tx.
func Put(tx store.Tx, user string, all []Credential) error {
	if user == "" || len(user) > maxUser {
		return ErrCredential
	}
	if len(all) == 0 {
		return tx.Delete(userKey(user))
	}
	return tx.Set(userKey(user), encode(all))
}

// List gives stored users after a name, in order, and where to go on from; "" at the end.
func List(tx store.ReadTx, after string, limit int) (users []string, next string, err error) {
	from := userKey(after)
	if after != "" {
		from = append(from, 0)
	}
	kvs, err := tx.Scan(from, nil, limit, false)
	for _, kv := range kvs {
		users = append(users, string(kv.Key[1:]))
	}
	if len(kvs) == limit {
		next = users[len(users)-1]
	}
	return users, next, err
}

func userKey(user string) []byte { return append([]byte{byte(store.FamilyKafkaUser)}, user...) }

func encode(all []Credential) []byte {
	b := []byte{valueVersion}
	for i := range all {
		c := &all[i]
		b = append(b, byte(c.Mechanism))
		b = binary.BigEndian.AppendUint32(b, uint32(c.Iterations))
		for _, part := range [][]byte{c.Salt, c.StoredKey, c.ServerKey} {
			b = append(append(b, byte(len(part))), part...)
		}
	}
	return b
}

func decode(b []byte) (all []Credential, ok bool) {
	d := field.Reader{B: b}
	if d.Byte() != valueVersion {
		return nil, false
	}
	for len(d.B) > 0 {
		all = append(all, Credential{
			Mechanism: Mechanism(d.Byte()), Iterations: int32(d.Uint32()),
			Salt: d.Bytes8(), StoredKey: d.Bytes8(), ServerKey: d.Bytes8(),
		})
	}
	return all, d.Done()
}
