package catalog

import (
	"bytes"
	"slices"

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

// maxPlaces bounds into how many accounts and regions Elsewhere looks: it serves a hint in an error's text.
const maxPlaces = 1000

// Elsewhere finds topics of names outside the default account and region: of each name the first in order of account
// and region, for those that have one. It looks into the first 1,000 accounts and regions that have topics.
//
// Errors: *store.CorruptError, those of tx.
func (c *Catalog) Elsewhere(tx store.ReadTx, names []string) (map[string]*Topic, error) {
	places, err := c.places(tx)
	if err != nil {
		return nil, err
	}
	found := map[string]*Topic{}
	for _, place := range places {
		keys := make([][]byte, len(names))
		for i, name := range names {
			keys[i] = append(slices.Clip(place), name...)
		}
		values, err := tx.GetMany(keys)
		if err != nil {
			return nil, err
		}
		for i, v := range values {
			if v == nil || found[names[i]] != nil {
				continue
			}
			topics, err := c.topics(tx, []store.KV{{Key: keys[i], Value: v}})
			if err != nil {
				return nil, err
			}
			found[names[i]] = topics[0]
		}
	}
	return found, nil
}

// places are the beginnings of the keys of names in each account and region that has topics, but for the default one.
func (c *Catalog) places(tx store.ReadTx) ([][]byte, error) {
	var places [][]byte
	home := placeKey(DefaultAccount, "")
	from, to := key(kindName, 0), key(kindName+1, 0)
	for len(places) < maxPlaces {
		found, err := tx.Scan(from, to, 1, false)
		if err != nil || len(found) == 0 {
			return places, err
		}
		place, ok := cutPlace(found[0].Key)
		if !ok {
			return nil, corrupt(found[0].Key, errValue)
		}
		if !bytes.Equal(place, home) {
			places = append(places, place)
		}
		from = append(place[:len(place)-1:len(place)-1], 1)
	}
	return places, nil
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
