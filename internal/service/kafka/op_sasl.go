package kafka

import (
	"errors"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/service/kafka/sasl"
	wire "millrace/internal/wire/kafka"
)

// saslHandshake: the client names the mechanism of what follows.
//
// Errors: UNSUPPORTED_SASL_MECHANISM with the mechanisms that are served
// Source: SaslHandshakeRequest.json of Kafka 4.3.1, KIP-43, KIP-152
func (b *Broker) saslHandshake(r *wire.Request, req *kafkaapi.SaslHandshakeRequest) {
	res := &kafkaapi.SaslHandshakeResponse{Mechanisms: sasl.Names()}
	session, err := b.users.Begin(req.Mechanism)
	if err != nil {
		session, res.ErrorCode = nil, kafkaapi.UnsupportedSaslMechanism
	}
	s := stateOf(r.Conn())
	s.mu.Lock()
	s.sasl = session
	s.mu.Unlock()
	r.Reply(res)
}

// saslAuthenticate: one step of an authentication.
//
// Behaviour
//   - a client that fails is told why and cut
//   - a client that has signed in may do so again (KIP-368), as the same user; sessions do not expire
//
// Errors: ILLEGAL_SASL_STATE without a handshake before, SASL_AUTHENTICATION_FAILED
// Source: SaslAuthenticateRequest.json of Kafka 4.3.1, KIP-152, KIP-368
func (b *Broker) saslAuthenticate(r *wire.Request, req *kafkaapi.SaslAuthenticateRequest) {
	s := stateOf(r.Conn())
	s.mu.Lock()
	session := s.sasl
	s.mu.Unlock()
	res := &kafkaapi.SaslAuthenticateResponse{}
	if session == nil {
		text := "SaslAuthenticate request received without a SaslHandshake before it"
		res.ErrorCode, res.ErrorMessage = kafkaapi.IllegalSaslState, &text
		r.ReplyAndClose(res)
		return
	}
	reply, err := session.Step(b.ctx, req.AuthBytes)
	if err == nil {
		err = b.signedIn(r.Conn(), session)
	}
	if err != nil {
		text := "Authentication failed"
		if refused, ok := errors.AsType[*sasl.Error](err); ok {
			text = refused.Text
		} else {
			b.log.Error("look up a user", "err", err)
		}
		b.log.Info("a Kafka client was refused", "reason", text, "listener", r.Conn().Listener(), "remote", r.Conn().RemoteAddr().String())
		res.ErrorCode, res.ErrorMessage = kafkaapi.SaslAuthenticationFailed, &text
		r.ReplyAndClose(res)
		return
	}
	res.AuthBytes = reply
	r.Reply(res)
}

// signedIn gives a connection its principal when the authentication is over.
func (b *Broker) signedIn(c *wire.Conn, session *sasl.Session) error {
	if !session.Done() || session.Principal() == "" {
		return nil
	}
	principal := userPrefix + session.Principal()
	if before := c.Principal(); before != Anonymous && before != principal {
		return &sasl.Error{Text: "Cannot change principals during re-authentication from " + before + " to " + principal}
	}
	c.SetPrincipal(principal, time.Time{})
	return nil
}
