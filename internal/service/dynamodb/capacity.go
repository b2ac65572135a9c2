package dynamodb

import (
	"millrace/internal/api/dynamodbapi"
)

// Sizes of capacity units. Source: developer guide, "Read/write capacity mode" (read 2026-11).
const (
	writeUnit = 1 << 10 // bytes of an item for one write unit
	readUnit  = 4 << 10 // bytes read for one read unit, consistently; half a unit otherwise
)

// writeUnits is what writing an item costs whose larger image, before or after, has size bytes; one unit also for nothing.
func writeUnits(size int) float64 { return float64(max((size+writeUnit-1)/writeUnit, 1)) }

// readUnits is what reading size bytes costs; half a unit, or one, also for nothing.
func readUnits(size int, consistent bool) float64 {
	units := float64(max((size+readUnit-1)/readUnit, 1))
	if !consistent {
		units /= 2
	}
	return units
}

// consumed is what a call outside of transactions reports, which does not tell reads and writes apart; nil when it was not asked for.
func consumed(p place, asked *dynamodbapi.ReturnConsumedCapacity, units float64) *dynamodbapi.ConsumedCapacity {
	if asked == nil || *asked == dynamodbapi.ReturnConsumedCapacityNone {
		return nil
	}
	c := &dynamodbapi.ConsumedCapacity{TableName: new(p.named), CapacityUnits: &units}
	if *asked == dynamodbapi.ReturnConsumedCapacityIndexes {
		c.Table = &dynamodbapi.Capacity{CapacityUnits: new(units)}
	}
	return c
}
