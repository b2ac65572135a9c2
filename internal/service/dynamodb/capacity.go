package dynamodb

import (
	"maps"
	"slices"

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
// units are those of the table, arms those of its indexes.
func consumed(p place, asked *dynamodbapi.ReturnConsumedCapacity, units float64, arms ...arm) *dynamodbapi.ConsumedCapacity {
	if asked == nil || *asked == dynamodbapi.ReturnConsumedCapacityNone {
		return nil
	}
	total := units
	for _, a := range arms {
		total += a.units
	}
	c := &dynamodbapi.ConsumedCapacity{TableName: new(p.named), CapacityUnits: &total}
	if *asked != dynamodbapi.ReturnConsumedCapacityIndexes {
		return c
	}
	c.Table = &dynamodbapi.Capacity{CapacityUnits: new(units)}
	for _, a := range arms {
		at := &c.GlobalSecondaryIndexes
		if a.index.local {
			at = &c.LocalSecondaryIndexes
		}
		addArm(at, a)
	}
	return c
}

func addArm(to *map[string]dynamodbapi.Capacity, a arm) {
	if *to == nil {
		*to = map[string]dynamodbapi.Capacity{}
	}
	units := a.units
	if was, ok := (*to)[a.index.name]; ok {
		units += *was.CapacityUnits
	}
	(*to)[a.index.name] = dynamodbapi.Capacity{CapacityUnits: &units}
}

// cost is what a call has cost one table and its indexes.
type cost struct {
	units float64
	arms  []arm
}

// costs are the units of a call by what it calls its tables.
type costs map[string]cost

func (c costs) add(name string, units float64, arms ...arm) {
	was := c[name]
	c[name] = cost{was.units + units, append(was.arms, arms...)}
}

// list is what a batch reports; nil when it was not asked for.
func (c costs) list(asked *dynamodbapi.ReturnConsumedCapacity) []dynamodbapi.ConsumedCapacity {
	var out []dynamodbapi.ConsumedCapacity
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if one := consumed(place{named: name}, asked, c[name].units, c[name].arms...); one != nil {
			out = append(out, *one)
		}
	}
	return out
}

// reads is list for a transaction, which tells reads and writes apart; transactions read no indexes.
func (c costs) reads(asked *dynamodbapi.ReturnConsumedCapacity) []dynamodbapi.ConsumedCapacity {
	out := c.list(asked)
	for i := range out {
		out[i].ReadCapacityUnits = out[i].CapacityUnits
		if out[i].Table != nil {
			out[i].Table.ReadCapacityUnits = out[i].Table.CapacityUnits
		}
	}
	return out
}

// writes is reads for writes.
func (c costs) writes(asked *dynamodbapi.ReturnConsumedCapacity) []dynamodbapi.ConsumedCapacity {
	out := c.list(asked)
	for i := range out {
		out[i].WriteCapacityUnits = out[i].CapacityUnits
		if out[i].Table != nil {
			out[i].Table.WriteCapacityUnits = out[i].Table.CapacityUnits
		}
		for _, arms := range []map[string]dynamodbapi.Capacity{out[i].GlobalSecondaryIndexes, out[i].LocalSecondaryIndexes} {
			for name, a := range arms {
				a.WriteCapacityUnits = a.CapacityUnits
				arms[name] = a
			}
		}
	}
	return out
}
