package kinesis

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"strings"
	"sync"
	"sync/atomic"

	"millrace/internal/core/field"
)

// Tokens are what clients carry for us between calls: shard iterators and the tokens of pages. They
// hold all that is needed to go on, so nodes remember nothing, and are authenticated, so a client
// cannot make one up. Base64 of
//
//	0  version     uint64  1
//	8  kind        1 byte
//	9  created     uint64  ms since 1970, store time
//	17 salt        uint64  differs in each, so that no two tokens are equal
//	25 account, region, stream  each a length byte and so many bytes
//	   shard       uint32
//	   second      uint64  that the shard was created in
//	   position    uint64
//	   extra       length byte and bytes, of the kind
//	   code        16 bytes of HMAC-SHA256 over all before
//
// Tokens live for minutes: the layout may change with the version, and old ones are then refused.
type token struct {
	kind     tokenKind
	created  int64
	place    place
	shard    int32
	second   int64
	position int64
	extra    []byte
}

type tokenKind byte

const (
	tokenIterator tokenKind = 1
	tokenShards   tokenKind = 2
	tokenStreams  tokenKind = 3

	tokenConsumers tokenKind = 4
)

const (
	tokenVersion   = 1
	tokenCodeSize  = 16
	tokenLifeMS    = 300_000 // both iterators and tokens of ListShards
	maxTokenExtra  = 255
	maxTokenLength = 8 + 1 + 8 + 8 + 3*256 + 4 + 8 + 8 + 256 + tokenCodeSize
)

var errToken = errors.New("kinesis: not a token of ours")

// tokens makes and checks tokens under a key that all nodes of a store share.
type tokens struct {
	macs sync.Pool // of hash.Hash
	salt atomic.Uint64
}

// tokenKeySize is the size of HMAC-SHA256's output, as RFC 2104 recommends at least.
const tokenKeySize = 32

func newTokens(key []byte) *tokens {
	t := &tokens{macs: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
	var salt [8]byte
	_, _ = rand.Read(salt[:]) // never fails
	t.salt.Store(binary.LittleEndian.Uint64(salt[:]))
	return t
}

// size is that of the sealed token, in bytes before base64.
func (k *token) size() int {
	p := &k.place
	return 8 + 1 + 8 + 8 + 3 + len(p.account) + len(p.region) + len(p.stream) + 4 + 8 + 8 + 1 + len(k.extra) + tokenCodeSize
}

// seal gives the text of k.
func (t *tokens) seal(k *token) string {
	be := binary.BigEndian
	b := make([]byte, 0, k.size()+sha256.Size-tokenCodeSize) // the code is cut after it was appended
	b = be.AppendUint64(b, tokenVersion)
	b = append(b, byte(k.kind))
	b = be.AppendUint64(b, uint64(k.created))
	b = be.AppendUint64(b, t.salt.Add(1))
	for _, s := range [...]string{k.place.account, k.place.region, k.place.stream} {
		b = append(append(b, byte(len(s))), s...)
	}
	b = be.AppendUint32(b, uint32(k.shard))
	b = be.AppendUint64(b, uint64(k.second))
	b = be.AppendUint64(b, uint64(k.position))
	b = append(append(b, byte(len(k.extra))), k.extra...)
	return base64.StdEncoding.EncodeToString(t.sign(b, b))
}

// sign appends the code of b to dst.
func (t *tokens) sign(dst, b []byte) []byte {
	mac := t.macs.Get().(hash.Hash)
	defer t.macs.Put(mac)
	mac.Reset()
	_, _ = mac.Write(b) // never fails
	n := len(dst)
	return mac.Sum(dst)[:n+tokenCodeSize]
}

// open reads the text of a token of the kind.
//
// Errors: errToken.
func (t *tokens) open(kind tokenKind, text string) (token, error) {
	if base64.StdEncoding.DecodedLen(len(text)) > maxTokenLength+2 || strings.ContainsAny(text, "\r\n") { // which base64 passes over
		return token{}, errToken
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < tokenCodeSize {
		return token{}, errToken
	}
	b, code := b[:len(b)-tokenCodeSize], b[len(b)-tokenCodeSize:]
	var want [sha256.Size]byte
	if !hmac.Equal(t.sign(want[:0], b), code) {
		return token{}, errToken
	}
	return decodeToken(kind, b)
}

func decodeToken(kind tokenKind, b []byte) (token, error) {
	d := field.Reader{B: b}
	if d.Uint64() != tokenVersion || tokenKind(d.Byte()) != kind {
		return token{}, errToken
	}
	k := token{kind: kind, created: int64(d.Uint64())}
	d.Uint64() // salt
	k.place = place{account: d.Text8(), region: d.Text8(), stream: d.Text8()}
	k.shard = int32(d.Uint32())
	k.second, k.position = int64(d.Uint64()), int64(d.Uint64())
	k.extra = d.Bytes8()
	if !d.Done() || k.shard < 0 || k.position < 0 {
		return token{}, errToken
	}
	return k, nil
}
