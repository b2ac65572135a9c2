package kinesis

// What is kept of resource policies: one attribute beside the topic for the stream's, and one for each
// consumer's. docs/format/catalog.md draws them.

import (
	"context"

	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// Names of policies: of the stream, and of a consumer with its name behind. Permanent.
const (
	attrPolicy         = "kinesis.policy"
	attrConsumerPolicy = "kinesis.policy/"
)

// policyVersion begins a value; the rest is the text as it was given.
const policyVersion = 1

func encodePolicy(text string) []byte { return append([]byte{policyVersion}, text...) }

func decodePolicy(v []byte) (string, error) {
	if len(v) < 2 || v[0] != policyVersion {
		return "", corrupt("policy")
	}
	return string(v[1:]), nil
}

// policyPlace finds the topic and the name under which a resource's policy is kept. A change needs an
// active stream or consumer.
//
// Errors: errNotFound, errNotActive, errNoConsumer, errConsumerState, those of the store.
func (s *Service) policyPlace(tx store.ReadTx, r resource, change bool) (*catalog.Topic, string, error) {
	if r.consumer != nil {
		t, c, err := s.readConsumer(tx, *r.consumer)
		if err == nil && change && c.state != catalog.StateActive {
			err = errConsumerState(r.place, &c)
		}
		return t, attrConsumerPolicy + c.name, err
	}
	t, err := s.lookup(tx, r.place)
	if err == nil && change && t.State != catalog.StateActive {
		err = errNotActive(r.place, t.State)
	}
	return t, attrPolicy, err
}

// setPolicy keeps a policy in place of the one there is.
//
// Errors: those of policyPlace and of the store.
func (s *Service) setPolicy(ctx context.Context, r resource, text string) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		t, name, err := s.policyPlace(tx, r, true)
		if err != nil {
			return err
		}
		return s.cat.SetAttribute(tx, t, name, encodePolicy(text))
	})
	return err
}

// policy reads a policy; false when there is none.
//
// Errors: those of policyPlace and of the store.
func (s *Service) policy(ctx context.Context, r resource) (text string, ok bool, err error) {
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		t, name, err := s.policyPlace(tx, r, false)
		if err != nil {
			return err
		}
		var v []byte
		if v, ok, err = s.cat.Attribute(tx, t, name); err != nil || !ok {
			return err
		}
		text, err = decodePolicy(v)
		return err
	})
	return text, ok, err
}

// deletePolicy forgets a policy; false when there is none.
//
// Errors: those of policyPlace and of the store.
func (s *Service) deletePolicy(ctx context.Context, r resource) (ok bool, err error) {
	_, err = s.store.Update(ctx, func(tx store.Tx) error {
		t, name, err := s.policyPlace(tx, r, true)
		if err != nil {
			return err
		}
		if _, ok, err = s.cat.Attribute(tx, t, name); err != nil || !ok {
			return err
		}
		return s.cat.DeleteAttribute(tx, t, name)
	})
	return ok, err
}
