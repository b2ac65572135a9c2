package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millrace/internal/core/datakey"
)

const (
	// keysEvery is how often nodes note what they have sealed. What they have not when they end is not counted: some 2^24 at
	// any speed, of which data keys have 2^8 to spare.
	keysEvery = time.Minute
	// sealPage bounds the notes of one read.
	sealPage = 1000
)

// stepKeys notes what was sealed, and replaces data keys of tables that are worn.
func (s *Service) stepKeys(ctx context.Context) (time.Duration, error) {
	return keysEvery, s.replaceKeys(ctx, datakey.MaxSealed)
}

// replaceKeys looks at each encrypted table once; most is what a data key may seal.
func (s *Service) replaceKeys(ctx context.Context, most uint64) (failed error) {
	encrypted := map[uint64]bool{}
	for after := uint64(0); ; {
		notes, last, bad, err := s.sealNotes(ctx, after)
		if failed = errors.Join(failed, bad); err != nil {
			return errors.Join(failed, err)
		}
		for i := range notes {
			n := &notes[i]
			encrypted[n.num] = true
			more := s.vault.take(n.num)
			if more == 0 && !n.worn(0, most, s.store.Now()) {
				continue
			}
			if err := s.noteSealed(ctx, n.num, more, most); err != nil { // one table must not hold up the others
				s.vault.count(n.num, more)
				failed = errors.Join(failed, fmt.Errorf("table %s: %w", n.place.arn(), err))
			}
		}
		if last == 0 {
			s.vault.keep(encrypted)
			return failed
		}
		after = last
	}
}
