// Package sasl authenticates Kafka clients: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512.
//
//	client: SaslHandshake(mechanism) ──► Users.Begin ──► Session
//	        SaslAuthenticate(bytes)  ──► Session.Step ──► bytes, until Done; then Principal
//
// There is one set of users for all mechanisms. Some are configured (name and password, the server's access keys);
// others are SCRAM credentials that administrators keep in the store with AlterUserScramCredentials. PLAIN compares a
// password with a user's SCRAM credential. Configured users cannot be changed by clients and win over stored ones.
//
// A stored credential is the key
//
//	24 | user
//
// with the value: version 1, then for each mechanism
//
//	mechanism 1 | iterations 4 | salt length 1, salt | stored key length 1, stored key | server key length 1, server key
//
// Passwords are not kept. Numbers are big-endian.
//
// Sources: RFC 4616, RFC 5802, RFC 7677; KIP-554 for the limits of iterations and the errors of administrators.
package sasl
