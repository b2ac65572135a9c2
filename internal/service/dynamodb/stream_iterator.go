package dynamodb

import (
	"encoding/binary"
	"time"

	"millrace/internal/api"
	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

const (
	iteratorVersion = 1
	// iteratorLife is how long an iterator can be used. Source: API reference, GetShardIterator (read 2026-11).
	iteratorLife = 15 * time.Minute
	// maxIterator bounds an iterator's payload: three texts of a length byte, and 45 bytes.
	maxIterator = 3*256 + 45
)

// sealIterator gives the text of an iterator:
//
//	version 1 | salt 8 | created 8 | account, region, table str8 | stream's created 8 | shard's created 8 | shard's tag 4 | offset 8
//
// It lives for minutes: the layout may change with the version, and old ones are then refused.
func (s *Service) sealIterator(it *iterator) string {
	be := binary.BigEndian
	b := append(make([]byte, 0, 192), iteratorVersion)
	b = be.AppendUint64(b, s.tickets.Salt())
	b = be.AppendUint64(b, uint64(it.created))
	for _, text := range [...]string{it.stream.account, it.stream.region, it.stream.table} {
		b = append(append(b, byte(len(text))), text...)
	}
	b = be.AppendUint64(b, uint64(it.stream.created))
	b = be.AppendUint64(b, uint64(it.shard.Created))
	b = be.AppendUint32(b, it.shard.Tag)
	b = be.AppendUint64(b, uint64(it.at))
	return s.tickets.Seal(b)
}

// openIterator reads the text of an iterator at store time now. One of another account or region is as invalid as one that nobody made.
//
// Errors: ValidationException, ExpiredIteratorException.
func (s *Service) openIterator(call *api.Call, text string, now int64) (*iterator, error) {
	b, err := s.tickets.Open(text, maxIterator)
	if err != nil {
		return nil, errBadIterator()
	}
	d := field.Reader{B: b}
	version := d.Byte()
	d.Uint64() // salt
	it := &iterator{created: int64(d.Uint64())}
	it.stream.place = place{account: d.Text8(), region: d.Text8(), table: d.Text8()}
	it.stream.created = int64(d.Uint64())
	it.shard.Created, it.shard.Tag = int64(d.Uint64()), d.Uint32()
	it.at = store.Offset(d.Uint64())
	caller := home(call)
	switch {
	case !d.Done() || version != iteratorVersion || it.at < 0, it.stream.account != caller.account, it.stream.region != caller.region:
		return nil, errBadIterator()
	case now-it.created > iteratorLife.Milliseconds():
		return nil, errExpired()
	}
	return it, nil
}
