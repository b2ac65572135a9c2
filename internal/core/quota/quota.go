// Package quota counts what callers use up against a rate, for quotas that are as those of AWS: what was not used is saved up to a
// bound, and what was used before it was known is paid back.
package quota

// Bucket holds what may be spent now. It may go below zero, and is then paid back before more is given out. Its zero value is
// empty; it is not safe for concurrent use.
type Bucket struct{ Level float64 }

// Refill adds what seconds bring at a rate a second, up to most. Infinite seconds fill it.
func (b *Bucket) Refill(seconds, rate, most float64) { b.Level = min(most, b.Level+seconds*rate) }
