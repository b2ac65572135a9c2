package capture

import (
	"fmt"
	"strconv"

	"millrace/internal/core/store"
)

// MaxPartitions is how many partitions a capture may ever have: what five digits can number.
const MaxPartitions = 100_000

// maxPlace bounds base + offset: what fifteen digits can hold, and far from the end of an int64 with the index behind it. A thousand million
// changes a second reach it in eleven days, a million in thirty years.
const maxPlace = 1_000_000_000_000_000

// numberDigits is the length of every sequence number; the least that AWS's model allows.
const numberDigits = 21

// Number is the sequence number of the record at an offset of a partition, which has an index and a base.
func Number(index int, base int64, at store.Offset) string {
	n := uint64(base+int64(at))*MaxPartitions + uint64(index)
	return fmt.Sprintf("1%020d", n)
}

// Position is the first offset whose number is not below the one that is given, in a partition with an index and a base; exact says that
// it has that number. ok is false when number is none.
func Position(number string, index int, base int64) (at store.Offset, exact, ok bool) {
	if len(number) != numberDigits || number[0] != '1' {
		return 0, false, false
	}
	n, err := strconv.ParseUint(number[1:], 10, 64)
	if err != nil || n/MaxPartitions >= maxPlace {
		return 0, false, false
	}
	place, last := int64(n/MaxPartitions), int(n%MaxPartitions)
	if last > index {
		place++
	}
	return store.Offset(max(place-base, 0)), last == index && place >= base, true
}
