package kinesis

import (
	"context"
	"fmt"
	"regexp"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

// Streams that are encrypted. The KMS key that a client names is kept and shown; there is no KMS: records are sealed under a
// data key of the store, which the root key of this millrace wraps. Each start makes a new one, so do a day and a
// billion records (worker_keys.go); old ones stay, and with them what was sealed under them.

// encryption is what a stream's copy in memory knows of it.
type encryption struct {
	keyID   string // of KMS, as the client gave it; empty: not encrypted
	dataKey uint64 // 0: not encrypted
	made    int64  // when the data key was made, ms since 1970
	base    uint64 // records that the shards open at made had then, or fewer
}

// encryptionKMS is what answers point to.
var encryptionKMS, encryptionNone = kinesisapi.EncryptionTypeKms, kinesisapi.EncryptionTypeNone

// written is the type that answers to puts and records have: AWS leaves it out where nothing is encrypted.
func written(dataKey uint64) *kinesisapi.EncryptionType {
	if dataKey == 0 {
		return nil
	}
	return &encryptionKMS
}

// described are type and key as descriptions of a stream have them.
func (e *encryption) described() (*kinesisapi.EncryptionType, *string) {
	if e.dataKey == 0 {
		return &encryptionNone, nil
	}
	return &encryptionKMS, &e.keyID
}

// Forms of a KMS key: its id (of a multi-region key too), an alias, and the ARN of either.
var keyForms = regexp.MustCompile(`^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key/` + keyGUID + `|alias/[a-zA-Z0-9/_-]+)|` + keyGUID + `|alias/[a-zA-Z0-9/_-]+)$`)

const keyGUID = `([0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|mrk-[0-9a-f]{32})`

// checkEncryption checks what a request says of encryption. The texts are our own: no record of AWS's was found.
func checkEncryption(kind kinesisapi.EncryptionType, keyID string) error {
	switch {
	case kind != kinesisapi.EncryptionTypeKms:
		return kinesisapi.InvalidArgumentException("EncryptionType must be KMS for this request.")
	case !keyForms.MatchString(keyID):
		return kinesisapi.InvalidArgumentException("KeyId " + keyID + " is not a key id, a key ARN, an alias that begins with alias/, or an alias ARN.")
	}
	return nil
}

// changesADay is how often a stream's encryption is started, and how often it is stopped.
//
// Source: API reference, StartStreamEncryption and StopStreamEncryption (read 2026-11).
const changesADay = 25

// countChange counts a change against the day's.
func (s *Service) countChange(p place, times []int64, now int64, what string) ([]int64, error) {
	if s.opts.Quotas.off() {
		return times, nil
	}
	limit := s.opts.Quotas.of(changesADay)
	if times = lately(times, now); len(times) >= limit {
		return nil, kinesisapi.LimitExceededException(fmt.Sprintf(
			"The encryption of stream %s under account %s cannot be %s more than %d times in a rolling 24 hour period.",
			p.stream, p.account, what, limit))
	}
	return keepTime(times, now), nil
}

// changeEncryption has a stream go through UPDATING with an encryption that change has filled in.
//
// Errors: errNotFound, errNotActive, those of change and of the store.
func (s *Service) changeEncryption(ctx context.Context, p place, change func(tx store.Tx, st *stream, e *encryptionValue) error) error {
	return s.startReshard(ctx, p, func(tx store.Tx, st *stream, r *reshard) error {
		if st.topic.State != catalog.StateActive {
			return errNotActive(p, st.topic.State)
		}
		r.kind = reshardMode
		e, err := s.readEncryption(tx, st.topic)
		if err != nil {
			return err
		}
		if err := change(tx, st, &e); err != nil {
			return err
		}
		return s.writeEncryption(tx, st.topic, &e)
	})
}

// newDataKey has a stream sealed under a data key that does not exist yet. b is from before the transaction.
func (s *Service) newDataKey(tx store.Tx, e *encryption, b sealBase) (err error) {
	e.dataKey, err = datakey.Create(tx, s.opts.RootKey)
	e.made, e.base = b.made, b.records
	return err
}

// sealBase is where the count of what is sealed under a data key begins.
type sealBase struct {
	made    int64
	records uint64
}

// baseOf is the base of a data key that is made after the call: a time, and how many records the shards that were open
// then have at least.
//
// Errors: errNotFound, those of the store.
func (s *Service) baseOf(ctx context.Context, p place) (sealBase, error) {
	b := sealBase{made: s.store.Now()}
	st, err := s.fetch(ctx, p)
	if err != nil {
		return b, err
	}
	b.records, err = s.recordsSince(ctx, st, b.made)
	return b, err
}

// recordsSince adds up the records of the shards that were open at a time or were made later. Closed ones among them are
// not forgotten before a day has passed (store_forget.go).
func (s *Service) recordsSince(ctx context.Context, st *stream, made int64) (uint64, error) {
	var n uint64
	for i := range st.shards {
		sh := &st.shards[i]
		if sh.partition == 0 || sh.closed && sh.closedMS < made {
			continue
		}
		h, err := s.store.Head(ctx, sh.partition)
		if err != nil {
			return 0, err
		}
		n += uint64(h.Next)
	}
	return n, nil
}
