package kinesis

import (
	"encoding/binary"

	"millrace/internal/core/catalog"
	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// attrEncryption is the name of a stream's encryption beside its topic. Permanent.
const attrEncryption = "kinesis.encryption"

const encryptionVersion = 1

// encryptionValue is a stream's encryption as it is kept; the data key stands beside it, in the catalogue.
type encryptionValue struct {
	encryption
	started, stopped []int64 // times of the last changes, ms since 1970, oldest first
}

// encryption: version, when the data key was made and the records before it (8 bytes each), the times of
// StartStreamEncryption and of StopStreamEncryption, each a number of 1 byte and 8 bytes a time, and the KMS key.
func encodeEncryption(e *encryptionValue) []byte {
	be := binary.BigEndian
	v := be.AppendUint64([]byte{encryptionVersion}, uint64(e.made))
	v = be.AppendUint64(v, e.base)
	for _, times := range [...][]int64{e.started, e.stopped} {
		v = append(v, byte(len(times)))
		for _, t := range times {
			v = be.AppendUint64(v, uint64(t))
		}
	}
	return append(v, e.keyID...)
}

func decodeEncryption(v []byte) (encryptionValue, error) {
	if len(v) == 0 || v[0] != encryptionVersion {
		return encryptionValue{}, corrupt("stream encryption")
	}
	d := field.Reader{B: v[1:]}
	var e encryptionValue
	e.made, e.base = int64(d.Uint64()), d.Uint64()
	for _, times := range [...]*[]int64{&e.started, &e.stopped} {
		for range d.Byte() {
			*times = append(*times, int64(d.Uint64()))
		}
	}
	if d.Bad {
		return encryptionValue{}, corrupt("stream encryption")
	}
	e.keyID = string(d.B)
	return e, nil
}

// readEncryption reads how a stream is encrypted, and how often that has changed lately.
func (s *Service) readEncryption(tx store.ReadTx, t *catalog.Topic) (e encryptionValue, err error) {
	v, ok, err := s.cat.Attribute(tx, t, attrEncryption)
	if err != nil || !ok {
		return e, err
	}
	if e, err = decodeEncryption(v); err != nil {
		return e, err
	}
	e.dataKey, err = s.cat.DataKey(tx, t)
	return e, err
}

func (s *Service) writeEncryption(tx store.Tx, t *catalog.Topic, e *encryptionValue) error {
	if err := s.cat.SetDataKey(tx, t, e.dataKey); err != nil {
		return err
	}
	return s.cat.SetAttribute(tx, t, attrEncryption, encodeEncryption(e))
}
