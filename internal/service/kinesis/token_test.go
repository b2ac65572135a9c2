package kinesis

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"millrace/internal/api"
	"millrace/internal/core/ticket"
)

func testTokens() *tokens { return newTokens(bytes.Repeat([]byte{7}, ticket.KeySize)) }

func sampleToken() token {
	return token{
		kind: tokenIterator, created: 1_760_000_000_000, place: place{"000000000000", "us-east-1", "orders"},
		shard: 12, second: 1_760_000_000, position: 1 << 40, extra: []byte{},
	}
}

func sameToken(a, b token) bool {
	x, y := a.extra, b.extra
	a.extra, b.extra = nil, nil
	return bytes.Equal(x, y) && a.kind == b.kind && a.created == b.created && a.place == b.place &&
		a.shard == b.shard && a.second == b.second && a.position == b.position
}

func TestTokenIsReadBackAndNoTwoAreEqual(t *testing.T) {
	tokens, want := testTokens(), sampleToken()
	seen := map[string]bool{}
	for range 100 {
		text := tokens.seal(&want)
		if seen[text] {
			t.Fatalf("the same token twice: %s", text)
		}
		seen[text] = true
		got, err := tokens.open(tokenIterator, text)
		if err != nil || !sameToken(got, want) {
			t.Fatalf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestTokensOfTheLongestNamesFitTheModel(t *testing.T) {
	k := sampleToken()
	k.place = place{"000000000000", strings.Repeat("r", 64), strings.Repeat("s", 128)}
	if text := testTokens().seal(&k); len(text) > 512 {
		t.Errorf("%d characters, a ShardIterator has at most 512", len(text))
	}
}

func TestEveryChangedBitOfATokenIsRefused(t *testing.T) {
	tokens, k := testTokens(), sampleToken()
	raw, err := base64.StdEncoding.DecodeString(tokens.seal(&k))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(raw) * 8 {
		raw[i/8] ^= 1 << (i % 8)
		if got, err := tokens.open(tokenIterator, base64.StdEncoding.EncodeToString(raw)); !errors.Is(err, errToken) {
			t.Errorf("bit %d changed: got %+v, %v", i, got, err)
		}
		raw[i/8] ^= 1 << (i % 8)
	}
	for n := range raw {
		if _, err := tokens.open(tokenIterator, base64.StdEncoding.EncodeToString(raw[:n])); !errors.Is(err, errToken) {
			t.Errorf("cut to %d bytes: got %v", n, err)
		}
	}
}

func TestTokenOfAnotherKindOrKeyIsRefused(t *testing.T) {
	k := sampleToken()
	text := testTokens().seal(&k)
	if _, err := testTokens().open(tokenShards, text); !errors.Is(err, errToken) {
		t.Errorf("as another kind: %v", err)
	}
	if _, err := newTokens(make([]byte, ticket.KeySize)).open(tokenIterator, text); !errors.Is(err, errToken) {
		t.Errorf("under another key: %v", err)
	}
	if _, err := testTokens().open(tokenIterator, text[:4]+"\n"+text[4:]); !errors.Is(err, errToken) {
		t.Errorf("with a line break: %v", err)
	}
}

// The decoder alone, as behind the code nobody could reach it with bytes of his own.
func FuzzToken(f *testing.F) {
	k := sampleToken()
	raw, _ := base64.StdEncoding.DecodeString(testTokens().seal(&k))
	f.Add(raw[:len(raw)-ticket.CodeSize])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := decodeToken(tokenIterator, b)
		if err != nil {
			return
		}
		if k.shard < 0 || k.position < 0 {
			t.Fatalf("%x: read as %+v", b, k)
		}
		again, err := testTokens().open(tokenIterator, testTokens().seal(&k))
		if err != nil || !sameToken(again, k) {
			t.Fatalf("%x: read as %+v, written and read as %+v, %v", b, k, again, err)
		}
	})
}

func FuzzIteratorText(f *testing.F) {
	tokens, k := testTokens(), sampleToken()
	f.Add(tokens.seal(&k))
	f.Add("AAAAAAAAAAE=")
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := tokens.open(tokenIterator, text); err == nil && len(text) > base64.StdEncoding.EncodedLen(maxTokenLength) {
			t.Fatalf("%q: read as %+v", text, k)
		}
	})
}

func BenchmarkToken(b *testing.B) {
	tokens, k := testTokens(), sampleToken()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.open(tokenIterator, tokens.seal(&k)); err != nil {
			b.Fatal(err)
		}
	}
}

func TestIteratorsAreAsLongAsAWSs(t *testing.T) {
	c := start(t)
	for _, tc := range []struct{ name, bytes int }{{1, 152}, {13, 152}, {14, 168}, {29, 168}, {30, 184}, {128, 280}} {
		p := place{account: "000000000000", region: "ap-southeast-2", stream: strings.Repeat("s", tc.name)}
		text := c.svc.sealIterator(p, &shard{index: 3, created: 1_760_000_000}, 7, c.svc.store.Now())
		if raw, err := base64.StdEncoding.DecodeString(text); err != nil || len(raw) != tc.bytes {
			t.Errorf("name of %d bytes: got %d, %v, want %d", tc.name, len(raw), err, tc.bytes)
		}
		k, err := c.svc.openIterator(&api.Call{Account: p.account, Region: p.region}, text, c.svc.store.Now())
		if err != nil || k.place != p || k.shard != 3 || k.position != 7 {
			t.Errorf("name of %d bytes: read back %+v, %v", tc.name, k, err)
		}
	}
}
