// Package server puts the pieces together and starts and stops them: the store at the bottom, services
// on it, listeners in front. It holds no behaviour of its own beyond that.
//
//	Open:  options ─► store ─► services ─► wire ─► listeners ─► ready file
//	Close: the reverse: no new connections, answers for what is in, services, store
package server
