package catalog

import (
	"bytes"

	"millrace/internal/core/store"
)

// ListKafka returns at most limit topics of all accounts and regions in order of Kafka names, from the name from
// on, and whether there are more.
//
// Errors: *store.CorruptError, those of tx.
func (c *Catalog) ListKafka(tx store.ReadTx, from string, limit int) ([]*Topic, bool, error) {
	found, err := tx.Scan(kafkaKey(from), key(kindKafka+1, 0), limit+1, false)
	if err != nil {
		return nil, false, err
	}
	more := len(found) > limit
	topics, err := c.topics(tx, found[:min(limit, len(found))])
	return topics, more, err
}

// maxPlaces bounds how many accounts and regions Elsewhere looks into: it serves a hint in an error's text.
const maxPlaces = 1000

// Elsewhere finds a topic of a name outside the default account and region, in any other one: the first in order of
// account and region. It reads two keys for each account and region that has topics, of which it looks at the first
// 1,000.
//
// Errors: ErrNotFound, *store.CorruptError, those of tx.
func (c *Catalog) Elsewhere(tx store.ReadTx, name string) (*Topic, error) {
	from, to := key(kindName, 0), key(kindName+1, 0)
	for range maxPlaces {
		found, err := tx.Scan(from, to, 1, false)
		if err != nil || len(found) == 0 {
			return nil, orNotFound(err)
		}
		place, ok := cutPlace(found[0].Key)
		if !ok {
			return nil, corrupt(found[0].Key, errValue)
		}
		if !bytes.Equal(place, placeKey(DefaultAccount, "")) {
			t, err := c.follow(tx, append(bytes.Clone(place), name...))
			if err == nil || err != ErrNotFound { //nolint:errorlint // our own, not wrapped by follow
				return t, err
			}
		}
		from = append(place[:len(place)-1:len(place)-1], 1)
	}
	return nil, ErrNotFound
}

func orNotFound(err error) error {
	if err == nil {
		return ErrNotFound
	}
	return err
}

// cutPlace is the part of a name's key that all names of its account and region share.
func cutPlace(k []byte) ([]byte, bool) {
	account := bytes.IndexByte(k[2:], 0)
	if account < 0 {
		return nil, false
	}
	region := bytes.IndexByte(k[2+account+1:], 0)
	if region < 0 {
		return nil, false
	}
	return k[: 2+account+1+region+1 : 2+account+1+region+1], true
}
