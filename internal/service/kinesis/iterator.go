package kinesis

import (
	"time"

	"millrace/internal/api"
	"millrace/internal/core/store"
)

// sealIterator gives the text of an iterator at an offset of a shard, as long as AWS's: tests of
// clients look at that.
func (s *Service) sealIterator(p place, sh *shard, at store.Offset, now int64) string {
	k := token{kind: tokenIterator, created: now, place: p, shard: sh.index, second: sh.created, position: int64(at)}
	k.extra = iteratorPadding[:min(max(iteratorSize(len(p.stream))-k.size(), 0), len(iteratorPadding))]
	return s.tokens.seal(&k)
}

// iteratorPadding is what an iterator lacks at most to AWS's size.
var iteratorPadding [80]byte

// iteratorSize is the size of AWS's iterators of a stream: 8 bytes and whole blocks of a cipher.
//
// Source: kinesalite, test/helpers.js, recorded against AWS (read 2026-11).
func iteratorSize(name int) int { return 152 + (name+2)/16*16 }

// openIterator reads an iterator at store time now (ms). One of another account or region is as
// invalid as one that nobody made. One from the future is another node's, whose clock is a little ahead.
//
// Errors: errInvalidIterator, errExpiredIterator.
func (s *Service) openIterator(call *api.Call, text string, now int64) (token, error) {
	if n := len(text); n > 2 && text[0] == '"' && text[n-1] == '"' {
		text = text[1 : n-1] // AWS takes what shell scripts cut out of JSON (localstack, recorded answers)
	}
	k, err := s.tokens.open(tokenIterator, text)
	switch {
	case err != nil, k.place.account != call.Account, k.place.region != call.Region:
		return token{}, errInvalidIterator()
	case now-k.created > tokenLifeMS:
		return token{}, errExpiredIterator(k.created, now)
	}
	return k, nil
}

// positionIn is where an iterator stands in the shard as it is now. An iterator of an earlier stream of
// that name stands below all that this one has.
func (k *token) positionIn(sh *shard) store.Offset {
	if k.second != sh.created {
		return 0
	}
	return store.Offset(k.position)
}

// millis rounds a client's time, which came through a floating point number, to ms since 1970.
func millis(t time.Time) int64 { return t.Round(time.Millisecond).UnixMilli() }
