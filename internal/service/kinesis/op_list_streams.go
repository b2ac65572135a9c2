package kinesis

import (
	"context"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// ListStreams: names in order, at most 100 a page, of the caller's account and region.
//
// Behaviour
//   - pages go on with NextToken, or after ExclusiveStartStreamName
//   - streams in CREATING and DELETING are listed
//   - five calls a second for each account
//
// Errors: InvalidArgumentException, ExpiredNextTokenException, LimitExceededException
// Source: Kinesis API reference, ListStreams (read 2026-11)
func (s *Service) ListStreams(ctx context.Context, in *kinesisapi.ListStreamsInput) (*kinesisapi.ListStreamsOutput, error) {
	call := api.CallFrom(ctx)
	p := place{account: call.Account, region: call.Region}
	if err := s.admit("ListStreams", p); err != nil {
		return nil, err
	}
	if err := s.settle(ctx, call); err != nil {
		return nil, err
	}
	after, err := s.listAfter(p, in)
	if err != nil {
		return nil, err
	}
	limit := maxListedStreams
	if in.Limit != nil {
		limit = min(limit, int(*in.Limit))
	}
	out := &kinesisapi.ListStreamsOutput{}
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		topics, more, err := s.cat.List(tx, p.account, p.region, after, limit)
		if err != nil {
			return err
		}
		out.HasMoreStreams = more
		return s.describe(tx, p, topics, out)
	})
	if err != nil {
		return nil, apiError(err)
	}
	if out.HasMoreStreams {
		last := place{p.account, p.region, out.StreamNames[len(out.StreamNames)-1]}
		text := s.tokens.seal(&token{kind: tokenStreams, created: s.store.Now(), place: last})
		out.NextToken = &text
	}
	return out, nil
}

// listAfter is the name that a page begins after.
func (s *Service) listAfter(p place, in *kinesisapi.ListStreamsInput) (string, error) {
	switch {
	case in.NextToken == nil && in.ExclusiveStartStreamName == nil:
		return "", nil
	case in.NextToken == nil:
		return *in.ExclusiveStartStreamName, nil
	case in.ExclusiveStartStreamName != nil:
		return "", kinesisapi.InvalidArgumentException("NextToken and ExclusiveStartStreamName cannot be provided together.")
	}
	k, err := s.tokens.open(tokenStreams, *in.NextToken)
	if err != nil || k.place.account != p.account || k.place.region != p.region {
		return "", errInvalidToken()
	}
	if now := s.store.Now(); now-k.created > tokenLifeMS {
		return "", errExpiredToken(k.created, now)
	}
	return k.place.stream, nil
}

// describe adds the streams of topics to an answer.
func (s *Service) describe(tx store.ReadTx, p place, topics []*catalog.Topic, out *kinesisapi.ListStreamsOutput) error {
	out.StreamNames = make([]string, 0, len(topics))
	out.StreamSummaries = make([]kinesisapi.StreamSummary, 0, len(topics))
	for _, t := range topics {
		c, err := s.readSettings(tx, t, nil)
		if err != nil {
			return err
		}
		at := place{p.account, p.region, t.Name}
		created := time.UnixMilli(t.Created).UTC()
		out.StreamNames = append(out.StreamNames, t.Name)
		out.StreamSummaries = append(out.StreamSummaries, kinesisapi.StreamSummary{
			StreamName: t.Name, StreamARN: at.arn(), StreamStatus: kinesisapi.StreamStatus(t.State.String()),
			StreamModeDetails: c.modeDetails(), StreamCreationTimestamp: &created,
		})
	}
	return nil
}
