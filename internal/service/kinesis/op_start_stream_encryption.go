package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
)

// StartStreamEncryption: records of a stream are encrypted at rest.
//
// Behaviour
//   - KeyId, a key's id, alias or ARN, is kept and shown: there is no KMS that would know it
//   - the stream is UPDATING and then ACTIVE; what is put after the answer is encrypted, on other nodes within a second
//   - a stream that is encrypted gets a new data key, under the same KMS key or another one
//   - answers to puts, and records that were written encrypted, say KMS; others say nothing
//   - 25 times in 24 hours for each stream; five calls a second
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, StartStreamEncryption (read 2026-11); texts in encryption.go
func (s *Service) StartStreamEncryption(ctx context.Context, in *kinesisapi.StartStreamEncryptionInput) (*kinesisapi.StartStreamEncryptionOutput, error) {
	p, err := s.begin(ctx, "StartStreamEncryption", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	if err := checkEncryption(in.EncryptionType, in.KeyId); err != nil {
		return nil, err
	}
	base, err := s.baseOf(ctx, p)
	if err != nil {
		return nil, apiError(err)
	}
	err = s.changeEncryption(ctx, p, func(tx store.Tx, _ *stream, e *encryptionValue) (err error) {
		if e.started, err = s.countChange(p, e.started, tx.Now(), "started"); err != nil {
			return err
		}
		e.keyID = in.KeyId
		return s.newDataKey(tx, &e.encryption, base)
	})
	if err != nil {
		return nil, err
	}
	return &kinesisapi.StartStreamEncryptionOutput{}, nil
}
