package kinesis

// What is kept of an account's settings in a region. docs/format/catalog.md draws it.

import (
	"encoding/binary"

	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// commitment: version, started and ended, 8 bytes each.
const (
	commitmentVersion = 1
	commitmentSize    = 1 + 8 + 8
)

func commitmentKey(account, region string) []byte {
	k := append([]byte{byte(store.FamilyQuota), 0x02}, account...)
	return append(append(k, 0), region...)
}

func encodeCommitment(c commitment) []byte {
	v := binary.BigEndian.AppendUint64([]byte{commitmentVersion}, uint64(c.started))
	return binary.BigEndian.AppendUint64(v, uint64(c.ended))
}

func decodeCommitment(v []byte) (commitment, error) {
	if len(v) != commitmentSize || v[0] != commitmentVersion {
		return commitment{}, corrupt("commitment")
	}
	d := field.Reader{B: v[1:]}
	c := commitment{started: int64(d.Uint64()), ended: int64(d.Uint64())}
	if c.started <= 0 || c.ended < 0 || c.ended > 0 && c.ended < c.started {
		return commitment{}, corrupt("commitment")
	}
	return c, nil
}

// readCommitment reads an account's; one that never made any has the zero value.
func readCommitment(tx store.ReadTx, account, region string) (commitment, error) {
	v, ok, err := tx.Get(commitmentKey(account, region))
	if err != nil || !ok {
		return commitment{}, err
	}
	return decodeCommitment(v)
}
