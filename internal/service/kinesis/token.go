package kinesis

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"millrace/internal/core/field"
	"millrace/internal/core/ticket"
)

// Tokens are what clients carry for us between calls: shard iterators and the tokens of pages. They
// hold all that is needed to go on, so nodes remember nothing, and are authenticated (core/ticket), so a client
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
	tokenLifeMS    = 300_000 // both iterators and tokens of ListShards
	maxTokenExtra  = 255
	maxTokenLength = 8 + 1 + 8 + 8 + 3*256 + 4 + 8 + 8 + 256
)

var errToken = errors.New("kinesis: not a token of ours")

// tokens makes and checks tokens under a key that all nodes of a store share.
type tokens struct{ *ticket.Sealer }

func newTokens(key []byte) *tokens { return &tokens{ticket.NewSealer(key)} }

// size is that of the sealed token, in bytes before base64.
func (k *token) size() int {
	p := &k.place
	return 8 + 1 + 8 + 8 + 3 + len(p.account) + len(p.region) + len(p.stream) + 4 + 8 + 8 + 1 + len(k.extra) + ticket.CodeSize
}

// seal gives the text of k.
func (t *tokens) seal(k *token) string {
	be := binary.BigEndian
	b := make([]byte, 0, k.size()+sha256.Size-ticket.CodeSize) // the code is cut after it was appended
	b = be.AppendUint64(b, tokenVersion)
	b = append(b, byte(k.kind))
	b = be.AppendUint64(b, uint64(k.created))
	b = be.AppendUint64(b, t.Salt())
	for _, s := range [...]string{k.place.account, k.place.region, k.place.stream} {
		b = append(append(b, byte(len(s))), s...)
	}
	b = be.AppendUint32(b, uint32(k.shard))
	b = be.AppendUint64(b, uint64(k.second))
	b = be.AppendUint64(b, uint64(k.position))
	b = append(append(b, byte(len(k.extra))), k.extra...)
	return t.Seal(b)
}

// open reads the text of a token of the kind.
//
// Errors: errToken.
func (t *tokens) open(kind tokenKind, text string) (token, error) {
	b, err := t.Open(text, maxTokenLength)
	if err != nil {
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
