package datakey

import "time"

// A data key is replaced when it is a day old and was used, and long before it has sealed 2^32 batches or values, which is
// what random nonces allow.
const (
	MaxAge    = 24 * time.Hour
	MaxSealed = 1 << 30 // some minutes at any speed before 2^32
)

// Worn says whether a data key that has sealed so much is to be replaced at an age. most is MaxSealed, less in tests.
func Worn(sealed, most uint64, age time.Duration) bool {
	return sealed >= most || sealed > 0 && age >= MaxAge
}
