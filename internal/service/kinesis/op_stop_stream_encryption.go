package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
)

// StopStreamEncryption: records of a stream are not encrypted any more.
//
// Behaviour
//   - what was written encrypted stays so and is read as before
//   - the stream is UPDATING and then ACTIVE; what is put after the answer is plain, on other nodes within a second
//   - KeyId is not compared with the one that encryption was started with: the API reference does not ask for it
//   - a stream that is not encrypted is UPDATING and then ACTIVE too, which does not count
//   - 25 times in 24 hours for each stream; five calls a second
//
// Errors: ResourceNotFoundException, ResourceInUseException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, StopStreamEncryption (read 2026-11); texts in encryption.go
func (s *Service) StopStreamEncryption(ctx context.Context, in *kinesisapi.StopStreamEncryptionInput) (*kinesisapi.StopStreamEncryptionOutput, error) {
	p, err := s.begin(ctx, "StopStreamEncryption", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	if err := checkEncryption(in.EncryptionType, in.KeyId); err != nil {
		return nil, err
	}
	err = s.changeEncryption(ctx, p, func(tx store.Tx, _ *stream, e *encryptionValue) (err error) {
		if e.dataKey != 0 {
			if e.stopped, err = s.countChange(p, e.stopped, tx.Now(), "stopped"); err != nil {
				return err
			}
		}
		e.encryption = encryption{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &kinesisapi.StopStreamEncryptionOutput{}, nil
}
