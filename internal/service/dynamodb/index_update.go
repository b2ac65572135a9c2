package dynamodb

import (
	"fmt"
	"slices"
	"strings"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/service/dynamodb/expr"
)

const textOneOnline = "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"

// updateName is the index that an update is about, and how many actions the update has.
func updateName(u *dynamodbapi.GlobalSecondaryIndexUpdate) (name string, actions int) {
	if u.Create != nil {
		name, actions = u.Create.IndexName, actions+1
	}
	if u.Update != nil {
		name, actions = u.Update.IndexName, actions+1
	}
	if u.Delete != nil {
		name, actions = u.Delete.IndexName, actions+1
	}
	return name, actions
}

// checkIndexUpdates checks what does not depend on the table.
func checkIndexUpdates(in *dynamodbapi.UpdateTableInput) error {
	if in.GlobalSecondaryIndexUpdates != nil && len(in.GlobalSecondaryIndexUpdates) == 0 {
		return errParameter("List of GlobalSecondaryIndexUpdates is empty")
	}
	var names []string
	for i := range in.GlobalSecondaryIndexUpdates {
		u := &in.GlobalSecondaryIndexUpdates[i]
		name, actions := updateName(u)
		switch {
		case actions == 0:
			return errParameter("One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null")
		case actions > 1:
			return errParameter("Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object")
		case slices.Contains(names, name):
			return errParameter("Only one global secondary index update per index is allowed simultaneously. Index: " + name)
		}
		names = append(names, name)
		err := checkIndexUpdate(u.Update)
		if u.Update == nil {
			err = checkAlone(in, u.Create != nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkIndexUpdate checks what an update is about, if it is one, before the table is looked for. Source of the text on WarmThroughput: findings of AWS Controllers for
// Kubernetes against AWS, October 2026.
func checkIndexUpdate(u *dynamodbapi.UpdateGlobalSecondaryIndexAction) error {
	if u == nil {
		return nil
	}
	if w := u.WarmThroughput; w != nil && w.ReadUnitsPerSecond == nil && w.WriteUnitsPerSecond == nil {
		return errParameter("WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond specified for index: " + u.IndexName)
	}
	return nil
}

// checkAlone refuses what a request that creates or deletes an index cannot do beside it.
func checkAlone(in *dynamodbapi.UpdateTableInput, create bool) error {
	switch {
	case in.ProvisionedThroughput != nil:
		return errParameter("You cannot create or delete index while updating table IOPS")
	case in.StreamSpecification != nil:
		return errParameter("You cannot create or delete index while changing stream status")
	case in.TableClass != nil:
		return errParameter("TableClass modification must be the only operation in the request")
	case in.DeletionProtectionEnabled != nil:
		return errParameter("DeletionProtection modification must be the only operation in the request")
	case in.SSESpecification != nil:
		return errParameter("Server-Side Encryption modification must be the only operation in the request")
	case in.WarmThroughput != nil && create:
		return errParameter("Create global secondary index cannot be specified when updating WarmThroughput")
	}
	return nil
}

// movesIndexes says that a request creates or deletes an index: the table is UPDATING for a while.
func movesIndexes(in *dynamodbapi.UpdateTableInput) bool {
	return slices.ContainsFunc(in.GlobalSecondaryIndexUpdates, func(u dynamodbapi.GlobalSecondaryIndexUpdate) bool { return u.Update == nil })
}

// admitIndexes sees that the indexes of the table are in a state for what the request does with them: one is created or deleted at a
// time.
//
// Errors: LimitExceededException, ResourceInUseException, ResourceNotFoundException, ValidationException.
func (t *table) admitIndexes(in *dynamodbapi.UpdateTableInput, p place) error {
	online := 0
	for i := range in.GlobalSecondaryIndexUpdates {
		if in.GlobalSecondaryIndexUpdates[i].Update == nil {
			online++
		}
	}
	if online > 1 { // before it is looked at which indexes there are (Alternator's tests, which ran against the service)
		return dynamodbapi.LimitExceededException(textOneOnline)
	}
	for i := range in.GlobalSecondaryIndexUpdates {
		u := &in.GlobalSecondaryIndexUpdates[i]
		name, _ := updateName(u)
		ix := t.index(name)
		if u.Create != nil {
			if ix != nil {
				return errInvalid("Attempting to create an index which already exists")
			}
			continue
		}
		if err := ix.admit(u, p); err != nil {
			return err
		}
	}
	if online > 0 && slices.ContainsFunc(t.indexes, func(ix *index) bool {
		return ix.state == stateDeleting || ix.state == stateCreating && !deletes(in, ix)
	}) {
		return dynamodbapi.LimitExceededException(textOneOnline)
	}
	return nil
}

// deletes says that a request deletes an index.
func deletes(in *dynamodbapi.UpdateTableInput, ix *index) bool {
	return slices.ContainsFunc(in.GlobalSecondaryIndexUpdates, func(u dynamodbapi.GlobalSecondaryIndexUpdate) bool {
		return u.Delete != nil && u.Delete.IndexName == ix.name
	})
}

// admit sees that an index, nil when there is none, can be changed or deleted.
func (ix *index) admit(u *dynamodbapi.GlobalSecondaryIndexUpdate, p place) error {
	name, _ := updateName(u)
	word := "update"
	if u.Delete != nil {
		word = "delete"
	}
	const inUse = "Attempt to change a resource which is still in use: "
	of := " Table: " + p.table + " Index: " + name
	var units error
	if u.Update != nil && u.Update.ProvisionedThroughput != nil {
		units = checkUnitsOf(u.Update.ProvisionedThroughput, " for index "+name)
	}
	switch {
	case ix == nil && units != nil: // dynalite, test/updateTable.js
		return errInvalid("This operation cannot be performed with given input values. Please contact DynamoDB service team for more info: " +
			"Action Blocked: IndexUpdate")
	case ix == nil:
		return dynamodbapi.ResourceNotFoundException("Requested resource not found: Index " + name + " for table " + p.table)
	case ix.local:
		return errInvalid("Cannot " + word + " an index that is not a GlobalSecondaryIndex: " + name)
	case units != nil:
		return units
	case ix.state == stateDeleting:
		return dynamodbapi.ResourceInUseException(inUse + "Index is being deleted." + of)
	case ix.state == stateUpdating:
		return dynamodbapi.ResourceInUseException(inUse + "Index is being updated." + of)
	case ix.state == stateCreating && u.Delete == nil:
		return dynamodbapi.ResourceInUseException(inUse + "Index is being created." + of)
	case ix.state == stateCreating && !ix.backfilling:
		return dynamodbapi.ResourceInUseException(inUse + "Index creation is in resource allocation phase. Retry deletion during backfilling phase or " +
			"when the index is active." + of)
	}
	return nil
}

// updateIndexes makes the changes that a request makes to indexes of a table that will be billed as b.
func (t *table) updateIndexes(in *dynamodbapi.UpdateTableInput, b billing) error {
	for i := range in.GlobalSecondaryIndexUpdates {
		u := &in.GlobalSecondaryIndexUpdates[i]
		var err error
		switch {
		case u.Create != nil:
			err = t.createIndex(in, u.Create, b)
		case u.Delete != nil:
			t.setIndex(t.index(u.Delete.IndexName).num, func(ix *index) { ix.state, ix.backfilling, ix.online = stateDeleting, false, false })
		default:
			t.setIndex(t.index(u.Update.IndexName).num, func(ix *index) { err = ix.update(u.Update, b) })
		}
		if err != nil {
			return err
		}
	}
	return t.billIndexes(b)
}

// billIndexes changes how indexes are billed along with their table.
func (t *table) billIndexes(b billing) error {
	if b == t.billing {
		return nil
	}
	for _, ix := range slices.Clone(t.indexes) {
		switch {
		case ix.local || ix.billing == b || ix.next != nil && ix.next.billing == b:
		case ix.state == stateCreating || ix.state == stateDeleting:
		case b == provisioned:
			return errParameter("ProvisionedThroughput must be specified for index: " + ix.name)
		default:
			t.setIndex(ix.num, func(ix *index) { ix.state, ix.next = stateUpdating, &throughput{billing: onDemand} })
		}
	}
	return nil
}

// errRedefined: an attribute that is a key already would have another type. AWS shows the elements of both schemas with it.
//
// Source: ScyllaDB, test/alternator/test_gsi_updatetable.py, with the text of the service (read 2026-11)
func (t *table) errRedefined(schema []dynamodbapi.KeySchemaElement, a dynamodbapi.AttributeDefinition) error {
	role := "RANGE"
	hash := t.hash == a.AttributeName || slices.ContainsFunc(t.indexes, func(ix *index) bool { return slices.Contains(ix.hash, a.AttributeName) })
	if hash {
		role = "HASH"
	}
	wanted := ""
	for _, e := range schema {
		if e.AttributeName == a.AttributeName {
			wanted = string(e.KeyType)
		}
	}
	return errParameter(fmt.Sprintf("Attributes cannot be redefined. Please check that your attribute has the same type as previously defined. "+
		"Existing schema: Schema:[SchemaElement: key{%s:%s:%s}] New schema: Schema:[SchemaElement: key{%s:%s:%s}]",
		a.AttributeName, t.attribute(a.AttributeName).Kind, role, a.AttributeName, a.AttributeType, wanted))
}

// createIndex adds a global index to a table that is there.
func (t *table) createIndex(in *dynamodbapi.UpdateTableInput, c *dynamodbapi.CreateGlobalSecondaryIndexAction, b billing) error {
	if in.AttributeDefinitions == nil {
		return errParameter("AttributeDefinitions is not specified for index: " + c.IndexName)
	}
	for _, a := range in.AttributeDefinitions {
		named := slices.ContainsFunc(c.KeySchema, func(e dynamodbapi.KeySchemaElement) bool { return e.AttributeName == a.AttributeName })
		if !named { // is not looked at
			continue
		}
		known := slices.IndexFunc(t.attributes, func(k expr.KeyAttribute) bool { return k.Name == a.AttributeName })
		switch {
		case known < 0:
			t.attributes = append(t.attributes, expr.KeyAttribute{Name: strings.Clone(a.AttributeName), Kind: keyKind(string(a.AttributeType))})
		case t.attributes[known].Kind != keyKind(string(a.AttributeType)):
			return t.errRedefined(c.KeySchema, a)
		}
	}
	if err := checkDefined(c.KeySchema, t.attributes); err != nil {
		return err
	}
	spec := &indexSpec{
		name: c.IndexName, keys: c.KeySchema, projection: c.Projection, units: c.ProvisionedThroughput, onDemand: c.OnDemandThroughput,
		warm: c.WarmThroughput, online: true,
	}
	if b != t.billing && b == onDemand {
		spec.units = nil
	}
	shown := *t
	shown.billing = b
	ix, err := shown.newIndex(spec)
	if err != nil {
		return err
	}
	if t.globals() >= maxGlobal {
		return dynamodbapi.LimitExceededException(fmt.Sprintf("Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit of %d", maxGlobal))
	}
	t.addIndex(ix)
	return t.checkIncluded()
}

// update changes the throughput of an index of a table that will be billed as b.
//
// Source of the text for no change on demand: findings of AWS Controllers for Kubernetes against AWS, October 2026.
func (ix *index) update(u *dynamodbapi.UpdateGlobalSecondaryIndexAction, b billing) error {
	o := u.OnDemandThroughput
	nothing := u.ProvisionedThroughput == nil && u.WarmThroughput == nil && (o == nil || o.MaxReadRequestUnits == nil && o.MaxWriteRequestUnits == nil)
	if nothing && b == provisioned {
		return errParameter("Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: " + ix.name)
	}
	if units := u.ProvisionedThroughput; units != nil || nothing {
		switch {
		case b == onDemand:
			return errParameter("The only Updates for index: " + ix.name + " when TableThroughputMode is PAY_PER_REQUEST can be to OnDemandThroughput, WarmThroughput")
		case ix.billing == provisioned && units.ReadCapacityUnits == ix.read && units.WriteCapacityUnits == ix.write:
			return errIndexUnchanged(ix)
		}
		ix.state, ix.next = stateUpdating, &throughput{provisioned, units.ReadCapacityUnits, units.WriteCapacityUnits}
	}
	if u.OnDemandThroughput != nil {
		if err := ix.setOnDemand(b, u.OnDemandThroughput, true); err != nil {
			return err
		}
		ix.state = stateUpdating
	}
	return ix.setWarm(u.WarmThroughput)
}

func errIndexUnchanged(ix *index) error {
	return errInvalid(fmt.Sprintf("The provisioned throughput for the index %s will not change. The requested value equals the current value. "+
		"Current ReadCapacityUnits provisioned for index %s: %d. Requested ReadCapacityUnits: %d. "+
		"Current WriteCapacityUnits provisioned for index %s: %d. Requested WriteCapacityUnits: %d. "+
		"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
		ix.name, ix.name, ix.read, ix.read, ix.name, ix.write, ix.write))
}
