package dynamodb

import (
	"context"

	"millrace/internal/api/dynamodbapi"
)

// describeIndexCounts adds the counts to the indexes in a description of a table.
//
// Errors: those of the store.
func (s *Service) describeIndexCounts(ctx context.Context, p place, t *table, d *dynamodbapi.TableDescription) error {
	global, local := 0, 0
	for _, ix := range t.indexes {
		rows, err := s.tally(ctx, p, t, indexPrefix(t.num, ix.num))
		if err != nil {
			return err
		}
		if ix.local {
			x := &d.LocalSecondaryIndexes[local]
			x.ItemCount, x.IndexSizeBytes = &rows.items, &rows.bytes
			local++
			continue
		}
		x := &d.GlobalSecondaryIndexes[global]
		x.ItemCount, x.IndexSizeBytes = &rows.items, &rows.bytes
		global++
	}
	return nil
}

// describeIndexes adds the indexes to what a client sees of a table; describeIndexCounts fills their counts.
func (t *table) describeIndexes(d *dynamodbapi.TableDescription, p place, now int64) {
	for _, ix := range t.indexes {
		if ix.local {
			d.LocalSecondaryIndexes = append(d.LocalSecondaryIndexes, dynamodbapi.LocalSecondaryIndexDescription{
				IndexName: &ix.name, IndexArn: new(p.arn() + "/index/" + ix.name), KeySchema: ix.keySchema(), Projection: ix.projection(),
				IndexSizeBytes: new(int64), ItemCount: new(int64),
			})
			continue
		}
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, ix.description(p, now))
	}
}

func (ix *index) description(p place, now int64) dynamodbapi.GlobalSecondaryIndexDescription {
	status := ix.status()
	read, write := ix.warm()
	warmed := dynamodbapi.IndexStatusActive
	if ix.state == stateCreating {
		warmed = dynamodbapi.IndexStatusUpdating
	}
	g := dynamodbapi.GlobalSecondaryIndexDescription{
		IndexName: &ix.name, IndexArn: new(p.arn() + "/index/" + ix.name), KeySchema: ix.keySchema(), Projection: ix.projection(),
		IndexStatus: &status, IndexSizeBytes: new(int64), ItemCount: new(int64),
		ProvisionedThroughput: &dynamodbapi.ProvisionedThroughputDescription{
			ReadCapacityUnits: new(ix.read), WriteCapacityUnits: new(ix.write),
			NumberOfDecreasesToday: new(decreasesOn(now, ix.decreased, ix.decreases)),
			LastIncreaseDateTime:   timeOf(ix.increased), LastDecreaseDateTime: timeOf(ix.decreased),
		},
		WarmThroughput: &dynamodbapi.GlobalSecondaryIndexWarmThroughputDescription{ReadUnitsPerSecond: &read, WriteUnitsPerSecond: &write, Status: &warmed},
	}
	if ix.online && ix.state == stateCreating {
		g.Backfilling = new(ix.backfilling)
	}
	if ix.maxRead != 0 || ix.maxWrite != 0 {
		g.OnDemandThroughput = &dynamodbapi.OnDemandThroughput{MaxReadRequestUnits: limitOf(ix.maxRead), MaxWriteRequestUnits: limitOf(ix.maxWrite)}
	}
	return g
}

func (ix *index) status() dynamodbapi.IndexStatus {
	switch ix.state {
	case stateCreating:
		return dynamodbapi.IndexStatusCreating
	case stateUpdating:
		return dynamodbapi.IndexStatusUpdating
	case stateDeleting:
		return dynamodbapi.IndexStatusDeleting
	default:
		return dynamodbapi.IndexStatusActive
	}
}

func (ix *index) keySchema() []dynamodbapi.KeySchemaElement {
	var out []dynamodbapi.KeySchemaElement
	for _, name := range ix.hash {
		out = append(out, dynamodbapi.KeySchemaElement{AttributeName: name, KeyType: dynamodbapi.KeyTypeHash})
	}
	for _, name := range ix.sort {
		out = append(out, dynamodbapi.KeySchemaElement{AttributeName: name, KeyType: dynamodbapi.KeyTypeRange})
	}
	return out
}

func (ix *index) projection() *dynamodbapi.Projection {
	kind := map[projection]dynamodbapi.ProjectionType{
		projectAll: dynamodbapi.ProjectionTypeAll, projectKeys: dynamodbapi.ProjectionTypeKeysOnly, projectInclude: dynamodbapi.ProjectionTypeInclude,
	}[ix.project]
	return &dynamodbapi.Projection{ProjectionType: &kind, NonKeyAttributes: ix.include}
}
