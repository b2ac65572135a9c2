package dynamodb

import (
	"cmp"
	"encoding/hex"
	"slices"
	"time"

	"millrace/internal/api/dynamodbapi"
)

// What AWS shows as the warm throughput of a table on demand that was never given one. Source: developer guide, "Warm
// throughput" (read 2026-11).
const (
	warmReadDefault  = 12_000
	warmWriteDefault = 4_000
)

// description is what a client sees of a table.
func (t *table) description(p place, now int64) *dynamodbapi.TableDescription {
	status := t.status()
	d := &dynamodbapi.TableDescription{
		TableName: &p.table, TableStatus: &status, CreationDateTime: timeOf(t.created),
		TableArn: new(p.arn()), TableId: new(uuid(t.id)),
		ItemCount: new(int64), TableSizeBytes: new(int64), // describeCounts fills them
		ProvisionedThroughput: &dynamodbapi.ProvisionedThroughputDescription{
			ReadCapacityUnits: new(t.shown().read), WriteCapacityUnits: new(t.shown().write), NumberOfDecreasesToday: new(t.decreasesToday(now)),
			LastIncreaseDateTime: timeOf(t.increased), LastDecreaseDateTime: timeOf(t.decreased),
		},
		DeletionProtectionEnabled: new(t.protected),
		WarmThroughput:            t.warmThroughput(),
	}
	for _, a := range t.attributes {
		d.AttributeDefinitions = append(d.AttributeDefinitions, dynamodbapi.AttributeDefinition{
			AttributeName: a.Name, AttributeType: dynamodbapi.ScalarAttributeType(a.Kind.String()),
		})
	}
	d.KeySchema = []dynamodbapi.KeySchemaElement{{AttributeName: t.hash, KeyType: dynamodbapi.KeyTypeHash}}
	if t.sort != "" {
		d.KeySchema = append(d.KeySchema, dynamodbapi.KeySchemaElement{AttributeName: t.sort, KeyType: dynamodbapi.KeyTypeRange})
	}
	slices.SortFunc(d.AttributeDefinitions, func(a, b dynamodbapi.AttributeDefinition) int { return cmp.Compare(a.AttributeName, b.AttributeName) })
	t.describeIndexes(d, p, now)
	t.describeBilling(d)
	t.describeStream(p, d)
	d.SSEDescription = t.sse.describe()
	return d
}

// shown is the throughput that clients see: billing changes at once, units when the update ends.
func (t *table) shown() throughput {
	if t.next != nil && t.next.billing != t.billing {
		return *t.next
	}
	return t.throughput
}

// farewell is the description that DeleteTable answers: what the table was, without what it held.
func (t *table) farewell(p place, now int64) *dynamodbapi.TableDescription {
	d := t.description(p, now)
	return &dynamodbapi.TableDescription{
		TableName: d.TableName, TableStatus: d.TableStatus, TableArn: d.TableArn, TableId: d.TableId,
		ItemCount: d.ItemCount, TableSizeBytes: d.TableSizeBytes,
		ProvisionedThroughput: d.ProvisionedThroughput, BillingModeSummary: d.BillingModeSummary, TableClassSummary: d.TableClassSummary,
		DeletionProtectionEnabled: d.DeletionProtectionEnabled,
	}
}

// describeBilling adds what is shown only of tables that were given it.
func (t *table) describeBilling(d *dynamodbapi.TableDescription) {
	if mode := dynamodbapi.BillingModeProvisioned; t.onDemandSince != 0 || t.shown().billing == onDemand {
		if t.shown().billing == onDemand {
			mode = dynamodbapi.BillingModePayPerRequest
		}
		d.BillingModeSummary = &dynamodbapi.BillingModeSummary{BillingMode: &mode, LastUpdateToPayPerRequestDateTime: timeOf(t.onDemandSince)}
	}
	if t.class != classUnset {
		name := dynamodbapi.TableClassStandard
		if t.class == classInfrequent {
			name = dynamodbapi.TableClassStandardInfrequentAccess
		}
		d.TableClassSummary = &dynamodbapi.TableClassSummary{TableClass: &name, LastUpdateDateTime: timeOf(t.classChanged)}
	}
	if t.maxRead != 0 || t.maxWrite != 0 {
		d.OnDemandThroughput = &dynamodbapi.OnDemandThroughput{MaxReadRequestUnits: limitOf(t.maxRead), MaxWriteRequestUnits: limitOf(t.maxWrite)}
	}
}

func (t *table) warmThroughput() *dynamodbapi.TableWarmThroughputDescription {
	read, write := t.warm()
	status := dynamodbapi.TableStatusActive
	if t.nextRead != 0 || t.nextWrite != 0 {
		status = dynamodbapi.TableStatusUpdating
	}
	return &dynamodbapi.TableWarmThroughputDescription{ReadUnitsPerSecond: &read, WriteUnitsPerSecond: &write, Status: &status}
}

// warm is what the table is ready for.
func (t *table) warm() (read, write int64) {
	read, write = max(t.warmRead, t.read), max(t.warmWrite, t.write)
	if t.billing == onDemand {
		read, write = max(read, warmReadDefault), max(write, warmWriteDefault)
	}
	return read, write
}

func (t *table) status() dynamodbapi.TableStatus {
	switch t.state {
	case stateCreating:
		return dynamodbapi.TableStatusCreating
	case stateUpdating:
		return dynamodbapi.TableStatusUpdating
	case stateDeleting:
		return dynamodbapi.TableStatusDeleting
	default:
		return dynamodbapi.TableStatusActive
	}
}

// limitOf is a limit, nil for none.
func limitOf(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// timeOf is a time in ms, nil for 0.
func timeOf(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	return new(time.UnixMilli(ms).UTC())
}

func uuid(id [16]byte) string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
