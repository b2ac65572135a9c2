package catalog

import (
	"strings"

	"millrace/internal/core/store"
)

// DefaultAccount is the account whose topics may have plain Kafka names.
const DefaultAccount = "000000000000"

// ReservedPrefix begins the Kafka names of read-only topics that are views of tables.
const ReservedPrefix = "ddb."

// KafkaName is the Kafka name of a topic made in an account and region; home says that the region is
// the default one. Topics of the default account and region keep their plain name, unless it looks
// like another's full name, is reserved, or is none that Kafka allows; all others are
// account.region.name.
func KafkaName(account, region, name string, home bool) string {
	if account == DefaultAccount && home && !Qualified(name) && !strings.HasPrefix(name, ReservedPrefix) && name != "." && name != ".." {
		return name
	}
	return account + "." + region + "." + name
}

// Qualified tells whether a name has the form account.region.name, which Kafka may not make and which
// stands for the topic of that account and region.
func Qualified(name string) bool {
	account, rest, ok := strings.Cut(name, ".")
	if !ok || len(account) != 12 || strings.Trim(account, "0123456789") != "" {
		return false
	}
	region, rest, ok := strings.Cut(rest, ".")
	return ok && rest != "" && region != "" && strings.Trim(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Region is the default region and whether it is known yet.
func (c *Catalog) Region() (string, bool) {
	r := c.region.Load()
	if r == nil {
		return "", false
	}
	return *r, true
}

// LoadRegion reads what the default region was fixed as.
//
// Errors: *store.CorruptError, those of tx.
func (c *Catalog) LoadRegion(tx store.ReadTx) error {
	v, ok, err := tx.Get(regionKey())
	if err != nil || !ok {
		return err
	}
	region, err := decodeRegion(v)
	if err != nil {
		return corrupt(regionKey(), err)
	}
	c.region.Store(&region)
	return nil
}

// FixRegion keeps region as the default one if none is kept yet. After the commit LoadRegion makes
// it known here.
//
// Errors: ErrName, those of tx.
func (c *Catalog) FixRegion(tx store.Tx, region string) error {
	if !wellFormedRegion(region) {
		return ErrName
	}
	_, ok, err := tx.Get(regionKey())
	if err != nil || ok {
		return err
	}
	return tx.Set(regionKey(), append([]byte{regionVersion}, region...))
}

// keyRegion is the region as it stands in keys: empty for the default one, and for any region of the
// default account while the default is not known.
func (c *Catalog) keyRegion(account, region string) string {
	if account != DefaultAccount {
		return region
	}
	if home, ok := c.Region(); !ok || home == region {
		return ""
	}
	return region
}

func wellFormedRegion(region string) bool {
	return region != "" && len(region) <= 64 && !strings.ContainsRune(region, 0)
}

func wellFormed(account, region, name string) bool {
	return account != "" && len(account) <= 64 && !strings.ContainsRune(account, 0) &&
		(region == "" || wellFormedRegion(region)) && name != "" && len(name) <= MaxName
}
