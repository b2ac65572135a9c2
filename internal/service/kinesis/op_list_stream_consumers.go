package kinesis

import (
	"context"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
)

// maxListedConsumers is a page when the request does not say; 100 after the API reference.
const maxListedConsumers = 100

// ListStreamConsumers: the consumers of a stream in order of names, 100 a page unless MaxResults says otherwise.
//
// Behaviour
//   - StreamCreationTimestamp, when given, must be the stream's; not together with NextToken
//   - tokens live for five minutes
//   - five calls a second for each stream
//
// Errors: ResourceNotFoundException, InvalidArgumentException, ExpiredNextTokenException, LimitExceededException
// Source: Kinesis API reference, ListStreamConsumers (read 2026-11)
func (s *Service) ListStreamConsumers(ctx context.Context, in *kinesisapi.ListStreamConsumersInput) (*kinesisapi.ListStreamConsumersOutput, error) {
	p, err := s.begin(ctx, "ListStreamConsumers", nil, &in.StreamARN)
	if err != nil {
		return nil, err
	}
	after, err := s.consumersAfter(p, in)
	if err != nil {
		return nil, err
	}
	limit := maxListedConsumers
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	var found []consumer
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		t, err := s.lookup(tx, p)
		if err != nil {
			return err
		}
		if at := in.StreamCreationTimestamp; at != nil && at.Unix() != t.Created/1000 {
			return errNotFound(p)
		}
		found, _, err = s.consumers(tx, t, after, tx.Now())
		return err
	})
	if err != nil {
		return nil, apiError(err)
	}
	out := &kinesisapi.ListStreamConsumersOutput{Consumers: make([]kinesisapi.Consumer, min(limit, len(found)))}
	for i := range out.Consumers {
		out.Consumers[i] = found[i].answer(p)
	}
	if len(found) > limit {
		text := s.tokens.seal(&token{kind: tokenConsumers, created: s.store.Now(), place: p, extra: []byte(found[limit-1].name)})
		out.NextToken = &text
	}
	return out, nil
}

// consumersAfter is the name that a page begins after.
func (s *Service) consumersAfter(p place, in *kinesisapi.ListStreamConsumersInput) (string, error) {
	if in.NextToken == nil {
		return "", nil
	}
	if in.StreamCreationTimestamp != nil {
		return "", kinesisapi.InvalidArgumentException("NextToken and StreamCreationTimestamp cannot be provided together.")
	}
	k, err := s.tokens.open(tokenConsumers, *in.NextToken)
	if err != nil || k.place != p {
		return "", errInvalidToken()
	}
	if now := s.store.Now(); now-k.created > tokenLifeMS {
		return "", errExpiredToken(k.created, now)
	}
	return string(k.extra), nil
}
