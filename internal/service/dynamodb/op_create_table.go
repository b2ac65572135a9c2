package dynamodb

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/service/dynamodb/expr"
)

// CreateTable: makes a table with its indexes; it is CREATING at first, and so are they.
//
// Behaviour
//   - a name is unique in its account and region; a table that is DELETING still has it
//   - billing is checked first, then the key schema
//   - the answer does not say since when the table is on demand, nor what it is ready for unless it was asked to be
//   - what is not served yet (policies, global tables) is refused with a text that says so
//
// Errors: ResourceInUseException, LimitExceededException, ValidationException
// Source: DynamoDB API reference, CreateTable (read 2026-11); texts as errors.go says
func (s *Service) CreateTable(ctx context.Context, in *dynamodbapi.CreateTableInput) (*dynamodbapi.CreateTableOutput, error) {
	p, err := s.resolve(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	t, err := newTable(in)
	if err != nil {
		return nil, err
	}
	if t.sse.key, err = keyOfSSE(in.SSESpecification, p); err != nil {
		return nil, err
	}
	if err := s.admitControl(ctx, p, true); err != nil {
		return nil, apiError(err)
	}
	_, _ = rand.Read(t.id[:])                               // never fails
	t.id[6], t.id[8] = t.id[6]&0x0f|0x40, t.id[8]&0x3f|0x80 // a UUID of version 4
	made, err := s.createTable(ctx, p, t)
	if err != nil {
		return nil, apiError(err)
	}
	d := made.description(p, made.created)
	if d.BillingModeSummary != nil {
		d.BillingModeSummary.LastUpdateToPayPerRequestDateTime = nil
	}
	if d.WarmThroughput.Status = new(dynamodbapi.TableStatusUpdating); in.WarmThroughput == nil {
		d.WarmThroughput = nil
	}
	return &dynamodbapi.CreateTableOutput{TableDescription: d}, nil
}

// newTable makes a table of a request.
func newTable(in *dynamodbapi.CreateTableInput) (*table, error) {
	t := &table{protected: in.DeletionProtectionEnabled != nil && *in.DeletionProtectionEnabled}
	if err := errConstraints(badLists(in)); err != nil { // a call that no front has checked
		return nil, err
	}
	var err error
	if t.throughput, err = throughputOf(in.BillingMode, in.ProvisionedThroughput); err != nil {
		return nil, err
	}
	for _, a := range in.AttributeDefinitions {
		t.attributes = append(t.attributes, expr.KeyAttribute{Name: strings.Clone(a.AttributeName), Kind: keyKind(string(a.AttributeType))})
	}
	if err := checkKeySchema(in.KeySchema, t.attributes); err != nil {
		return nil, err
	}
	t.hash = strings.Clone(in.KeySchema[0].AttributeName)
	if len(in.KeySchema) > 1 {
		t.sort = strings.Clone(in.KeySchema[1].AttributeName)
	}
	if err := checkServed(in); err != nil {
		return nil, err
	}
	if err := t.createIndexes(specs(in)); err != nil {
		return nil, err
	}
	if t.stream, err = newStream(in.StreamSpecification); err != nil {
		return nil, err
	}
	if t.class, err = classOf(in.TableClass); err != nil {
		return nil, err
	}
	if err := t.setOnDemandThroughput(in.OnDemandThroughput, t.billing); err != nil {
		return nil, err
	}
	if err := t.setWarmThroughput(in.WarmThroughput); err != nil {
		return nil, err
	}
	t.tags, err = addTags(nil, in.Tags)
	return t, err
}

// badLists words what the model leaves open as its violations.
func badLists(in *dynamodbapi.CreateTableInput) []string {
	const missing = "Value null at '%s' failed to satisfy constraint: Member must not be null"
	var failed []string
	if in.AttributeDefinitions == nil {
		failed = append(failed, fmt.Sprintf(missing, "attributeDefinitions"))
	}
	if in.KeySchema == nil {
		failed = append(failed, fmt.Sprintf(missing, "keySchema"))
	}
	note := func(at string, schema []dynamodbapi.KeySchemaElement) {
		if len(schema) <= 2 {
			return
		}
		elements := make([]string, len(schema))
		for i, e := range schema {
			elements[i] = fmt.Sprintf("KeySchemaElement(attributeName=%s, keyType=%s)", e.AttributeName, e.KeyType)
		}
		failed = append(failed, fmt.Sprintf("Value '[%s]' at '%s' failed to satisfy constraint: Member must have length less than or equal to 2",
			strings.Join(elements, ", "), at))
	}
	note("keySchema", in.KeySchema)
	for i, x := range in.LocalSecondaryIndexes {
		note(fmt.Sprintf("localSecondaryIndexes.%d.member.keySchema", i+1), x.KeySchema)
	}
	return failed
}

const textNoUnits = "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"

// throughputOf reads the billing of a new table.
func throughputOf(mode *dynamodbapi.BillingMode, units *dynamodbapi.ProvisionedThroughput) (throughput, error) {
	if mode != nil && *mode == dynamodbapi.BillingModePayPerRequest {
		if units != nil {
			return throughput{}, errParameter(textNoUnits)
		}
		return throughput{billing: onDemand}, nil
	}
	if units == nil {
		return throughput{}, errParameter("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	return throughput{provisioned, units.ReadCapacityUnits, units.WriteCapacityUnits}, checkUnits(units)
}

func checkUnits(units *dynamodbapi.ProvisionedThroughput) error { return checkUnitsOf(units, "") }

// checkUnitsOf ends its texts with what the units are of. Source: dynalite, test/updateTable.js (read 2026-11).
func checkUnitsOf(units *dynamodbapi.ProvisionedThroughput, of string) error {
	if units.ReadCapacityUnits > maxUnits {
		return errInvalid(fmt.Sprintf("Given value %d for ReadCapacityUnits is out of bounds%s", units.ReadCapacityUnits, of))
	}
	if units.WriteCapacityUnits > maxUnits {
		return errInvalid(fmt.Sprintf("Given value %d for WriteCapacityUnits is out of bounds%s", units.WriteCapacityUnits, of))
	}
	return nil
}

// checkKeySchema holds a key schema of one or two elements against the definitions.
func checkKeySchema(schema []dynamodbapi.KeySchemaElement, attributes []expr.KeyAttribute) error {
	if len(schema) > len(attributes) {
		return errInvalid("Invalid KeySchema: Some index key attribute have no definition")
	}
	if err := checkDefined(schema, attributes); err != nil {
		return err
	}
	keys := keyTexts(schema)
	if len(keys) > 1 && keys[0] == keys[1] {
		return errInvalid(textSameKeys)
	}
	if schema[0].KeyType != dynamodbapi.KeyTypeHash {
		return errInvalid(textFirstHash)
	}
	if len(schema) > 1 && schema[1].KeyType != dynamodbapi.KeyTypeRange {
		return errInvalid(textSecondRange)
	}
	return nil
}

// checkServed refuses what CreateTable does not do yet.
func checkServed(in *dynamodbapi.CreateTableInput) error {
	switch {
	case in.LocalSecondaryIndexes != nil && len(in.LocalSecondaryIndexes) == 0:
		return errParameter("List of LocalSecondaryIndexes is empty")
	case in.GlobalSecondaryIndexes != nil && len(in.GlobalSecondaryIndexes) == 0:
		return errParameter("List of GlobalSecondaryIndexes is empty")
	case in.VectorIndexes != nil:
		return errUnserved("VectorIndexes")
	case in.ResourcePolicy != nil:
		return errUnserved("ResourcePolicy")
	case in.GlobalTableSourceArn != nil:
		return errUnserved("GlobalTableSourceArn")
	case in.GlobalTableSettingsReplicationMode != nil:
		return errUnserved("GlobalTableSettingsReplicationMode")
	}
	return checkSSE(in.SSESpecification)
}

// classOf reads a class; none is standard. Source of the text: findings of AWS Controllers for Kubernetes against AWS, October 2026.
func classOf(c *dynamodbapi.TableClass) (class, error) {
	switch {
	case c == nil:
		return 0, nil // as never set
	case *c == dynamodbapi.TableClassStandard:
		return classStandard, nil
	case *c == dynamodbapi.TableClassStandardInfrequentAccess:
		return classInfrequent, nil
	}
	return 0, errInvalid("Invalid table-class parameter provided. Please try again with a valid table-class value: [STANDARD, STANDARD_INFREQUENT_ACCESS].")
}

// setOnDemandThroughput sets the limits of a table that will be billed as b; -1 takes one away from a table that is there. Source of texts:
// findings of AWS Controllers for Kubernetes against AWS, October 2026.
func (t *table) setOnDemandThroughput(in *dynamodbapi.OnDemandThroughput, b billing) error {
	if in == nil {
		return nil
	}
	for _, f := range []struct {
		name string
		n    *int64
		at   *int64
	}{{"MaxReadRequestUnits", in.MaxReadRequestUnits, &t.maxRead}, {"MaxWriteRequestUnits", in.MaxWriteRequestUnits, &t.maxWrite}} {
		switch {
		case f.n == nil:
		case b != onDemand && t.num == 0: // a new one
			return errParameter(f.name + " for OnDemandThroughput cannot be specified when table BillingMode is PROVISIONED.")
		case b != onDemand:
			return errParameter(f.name + " for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED")
		case *f.n == -1 && t.num != 0:
			*f.at = 0
		case *f.n < 1 || *f.n > maxUnits:
			return errParameter("Requested " + f.name + " for OnDemandThroughput for table is outside of valid range")
		default:
			*f.at = *f.n
		}
	}
	return nil
}

// setWarmThroughput keeps what a table is asked to be ready for, which does not go down; it always is. One that is there shows it when the
// change ends. Source of texts: findings of AWS Controllers for Kubernetes against AWS, October 2026.
func (t *table) setWarmThroughput(in *dynamodbapi.WarmThroughput) error {
	if in == nil {
		return nil
	}
	read, write := t.warm()
	nextRead, nextWrite := &t.nextRead, &t.nextWrite
	if t.num == 0 {
		nextRead, nextWrite = &t.warmRead, &t.warmWrite
	}
	for _, f := range []struct {
		name, capacity string
		n              *int64
		now            int64
		at             *int64
	}{
		{"ReadUnitsPerSecond", "ReadCapacityUnits", in.ReadUnitsPerSecond, read, nextRead},
		{"WriteUnitsPerSecond", "WriteCapacityUnits", in.WriteUnitsPerSecond, write, nextWrite},
	} {
		low := "Requested " + f.name + " for WarmThroughput for table is lower than "
		switch {
		case f.n == nil:
		case *f.n < f.now && t.num != 0:
			return errParameter(low + "current WarmThroughput, decreasing WarmThroughput is not supported")
		case *f.n < f.now && t.billing == onDemand: // a new one, as below
			return errParameter(low + "initial throughput for OnDemand. " +
				"See: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html#on-demand-capacity-mode-initial")
		case *f.n < f.now:
			return errParameter(low + f.capacity + " of ProvisionedThroughput")
		case *f.n > maxUnits:
			return errInvalid(fmt.Sprintf("Given value %d for %s is out of bounds", *f.n, f.name)) // our own text
		default:
			*f.at = *f.n
		}
	}
	return nil
}
