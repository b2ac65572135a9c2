package dynamodb

import (
	"fmt"
	"slices"
	"strings"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/keyenc"
)

// indexSpec is an index as CreateTable and UpdateTable ask for it.
type indexSpec struct {
	name       string
	keys       []dynamodbapi.KeySchemaElement
	projection *dynamodbapi.Projection
	units      *dynamodbapi.ProvisionedThroughput
	onDemand   *dynamodbapi.OnDemandThroughput
	warm       *dynamodbapi.WarmThroughput
	local      bool
	online     bool // it is added to a table that is there
}

// specs are the indexes that a CreateTable asks for, local ones first, as AWS checks them.
func specs(in *dynamodbapi.CreateTableInput) []indexSpec {
	var out []indexSpec
	for _, x := range in.LocalSecondaryIndexes {
		out = append(out, indexSpec{name: x.IndexName, keys: x.KeySchema, projection: x.Projection, local: true})
	}
	for _, x := range in.GlobalSecondaryIndexes {
		out = append(out, indexSpec{
			name: x.IndexName, keys: x.KeySchema, projection: x.Projection,
			units: x.ProvisionedThroughput, onDemand: x.OnDemandThroughput, warm: x.WarmThroughput,
		})
	}
	return out
}

// keyTexts are the names of a key schema.
func keyTexts(schema []dynamodbapi.KeySchemaElement) []string {
	out := make([]string, len(schema))
	for i, e := range schema {
		out[i] = e.AttributeName
	}
	return out
}

func attributeNames(attributes []expr.KeyAttribute) []string {
	out := make([]string, len(attributes))
	for i, a := range attributes {
		out[i] = a.Name
	}
	return out
}

// checkDefinitions sees that the key attributes of the table and of all indexes are exactly those that are defined.
func (t *table) checkDefinitions(specs []indexSpec) error {
	defined := attributeNames(t.attributes)
	for i, name := range defined {
		if slices.Contains(defined[:i], name) {
			return errInvalid("Attribute Name is duplicated: " + name)
		}
	}
	used := t.keyNames()
	if len(specs) == 0 && len(used) != len(defined) {
		return errParameter("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	for _, spec := range specs {
		if spec.local && t.sort == "" {
			return errParameter("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
		}
		if err := checkDefined(spec.keys, t.attributes); err != nil {
			return err
		}
		for _, name := range keyTexts(spec.keys) {
			if !slices.Contains(used, name) {
				used = append(used, name)
			}
		}
	}
	if len(used) < len(defined) {
		return errParameter("Some AttributeDefinitions are not used. AttributeDefinitions: [" + strings.Join(defined, ", ") +
			"], keys used: [" + strings.Join(used, ", ") + "]")
	}
	return nil
}

// checkDefined sees that key attributes have a type.
func checkDefined(schema []dynamodbapi.KeySchemaElement, attributes []expr.KeyAttribute) error {
	keys, defined := keyTexts(schema), attributeNames(attributes)
	if slices.ContainsFunc(keys, func(k string) bool { return !slices.Contains(defined, k) }) {
		return errParameter("Some index key attributes are not defined in AttributeDefinitions. Keys: [" + strings.Join(keys, ", ") +
			"], AttributeDefinitions: [" + strings.Join(defined, ", ") + "]")
	}
	return nil
}

// createIndexes gives a new table its indexes.
func (t *table) createIndexes(specs []indexSpec) error {
	if err := t.checkDefinitions(specs); err != nil {
		return err
	}
	for i, spec := range specs {
		ix, err := t.newIndex(&spec)
		if err != nil {
			return err
		}
		if t.index(ix.name) != nil {
			return errParameter("Duplicate index name: " + ix.name)
		}
		t.addIndex(ix)
		if spec.local && (i+1 == len(specs) || !specs[i+1].local) && i >= maxLocal {
			return errParameter(fmt.Sprintf("Number of LocalSecondaryIndexes exceeds per-table limit of %d", maxLocal))
		}
	}
	if t.globals() > maxGlobal {
		return errParameter(fmt.Sprintf("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobal))
	}
	return t.checkIncluded()
}

// addIndex adds an index that is being created.
func (t *table) addIndex(ix *index) {
	t.lastIndex++
	ix.num, ix.state = t.lastIndex, stateCreating
	t.indexes = append(t.indexes, ix)
}

// globals is how many global indexes the table has.
func (t *table) globals() int {
	n := 0
	for _, ix := range t.indexes {
		if !ix.local {
			n++
		}
	}
	return n
}

// checkIncluded counts the attributes that indexes include. The text is our own.
func (t *table) checkIncluded() error {
	n := 0
	for _, ix := range t.indexes {
		n += len(ix.include)
	}
	if n > maxIncluded {
		return errParameter(fmt.Sprintf("Number of NonKeyAttributes of all indexes exceeds the per-table limit of %d", maxIncluded))
	}
	return nil
}

// newIndex makes an index of what was asked for, whose key attributes are defined.
func (t *table) newIndex(spec *indexSpec) (*index, error) {
	ix := &index{name: strings.Clone(spec.name), local: spec.local, online: spec.online}
	check := spec.checkGlobalKeys
	if spec.local {
		check = func() error { return spec.checkLocalKeys(t) }
	}
	if err := check(); err != nil {
		return nil, err
	}
	for _, e := range spec.keys {
		name := strings.Clone(e.AttributeName)
		if e.KeyType == dynamodbapi.KeyTypeHash {
			ix.hash = append(ix.hash, name)
		} else {
			ix.sort = append(ix.sort, name)
		}
	}
	if err := ix.setProjection(spec.projection); err != nil {
		return nil, err
	}
	if spec.local {
		return ix, nil
	}
	return ix, ix.setThroughputs(t.billing, spec)
}

const (
	textFirstHash   = "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"
	textSecondRange = "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"
	textSameKeys    = "Both the Hash Key and the Range Key element in the KeySchema have the same name"
)

func (spec *indexSpec) checkLocalKeys(t *table) error {
	k := spec.keys
	switch {
	case len(k) > 1 && k[0].AttributeName == k[1].AttributeName:
		return errInvalid(textSameKeys)
	case k[0].KeyType != dynamodbapi.KeyTypeHash:
		return errInvalid(textFirstHash)
	case len(k) > 1 && k[1].KeyType != dynamodbapi.KeyTypeRange:
		return errInvalid(textSecondRange)
	case len(k) != 2:
		return errParameter("Index KeySchema does not have a range key for index: " + spec.name)
	case k[0].AttributeName != t.hash:
		return errParameter("Index KeySchema does not have the same leading hash key as table KeySchema for index: " + spec.name +
			". index hash key: " + k[0].AttributeName + ", table hash key: " + t.hash)
	}
	return nil
}

func (spec *indexSpec) checkGlobalKeys() error {
	names := keyTexts(spec.keys)
	hashes, ranges := 0, 0
	for i, e := range spec.keys {
		if slices.Contains(names[:i], e.AttributeName) {
			return errInvalid("The KeySchema contains multiple key attributes with the same name")
		}
	}
	if spec.keys[0].KeyType != dynamodbapi.KeyTypeHash {
		return errInvalid(textFirstHash)
	}
	for _, e := range spec.keys {
		switch {
		case e.KeyType == dynamodbapi.KeyTypeRange:
			ranges++
		case ranges > 0:
			return errParameter("All HASH key attributes must precede RANGE key attributes in the KeySchema")
		default:
			hashes++
		}
	}
	switch {
	case hashes > keyenc.MaxParts:
		return errParameter("The KeySchema exceeds the maximum allowed number of HASH key attributes")
	case ranges > keyenc.MaxParts:
		return errParameter("The KeySchema exceeds the maximum allowed number of RANGE key attributes")
	}
	return nil
}

func (ix *index) setProjection(in *dynamodbapi.Projection) error {
	if in == nil || in.ProjectionType == nil {
		return errParameter("Unknown ProjectionType: null")
	}
	kind := *in.ProjectionType
	switch {
	case kind != dynamodbapi.ProjectionTypeInclude && in.NonKeyAttributes != nil:
		return errParameter("ProjectionType is " + string(kind) + ", but NonKeyAttributes is specified")
	case kind == dynamodbapi.ProjectionTypeInclude && in.NonKeyAttributes == nil:
		return errParameter("ProjectionType is " + string(kind) + ", but NonKeyAttributes is not specified")
	}
	for _, name := range in.NonKeyAttributes {
		if slices.Contains(ix.include, name) {
			return errParameter("Duplicate element in NonKeyAttributes: " + name)
		}
		ix.include = append(ix.include, strings.Clone(name))
	}
	slices.Sort(ix.include)
	ix.project = map[dynamodbapi.ProjectionType]projection{
		dynamodbapi.ProjectionTypeAll: projectAll, dynamodbapi.ProjectionTypeKeysOnly: projectKeys, dynamodbapi.ProjectionTypeInclude: projectInclude,
	}[kind]
	return nil
}

// setThroughputs sets what a new global index is provisioned with and limited to.
func (ix *index) setThroughputs(b billing, spec *indexSpec) error {
	ix.billing = b
	switch {
	case b == onDemand && spec.units != nil && spec.online:
		return errParameter("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: " + ix.name + " when BillingMode is PAY_PER_REQUEST")
	case b == onDemand && spec.units != nil:
		return errParameter("ProvisionedThroughput should not be specified for index: " + ix.name + " when BillingMode is PAY_PER_REQUEST")
	case b == provisioned && spec.units == nil && spec.online:
		return errParameter("Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: " + ix.name)
	case b == provisioned && spec.units == nil:
		return errParameter("ProvisionedThroughput is not specified for index: " + ix.name)
	case b == provisioned:
		if err := checkUnitsOf(spec.units, " for index "+ix.name); err != nil {
			return err
		}
		ix.throughput = throughput{provisioned, spec.units.ReadCapacityUnits, spec.units.WriteCapacityUnits}
	}
	if err := ix.setOnDemand(b, spec.onDemand, false); err != nil {
		return err
	}
	return ix.setWarm(spec.warm)
}

// setOnDemand sets the limits of an index that will be billed as b; with lift, -1 takes one away.
func (ix *index) setOnDemand(b billing, in *dynamodbapi.OnDemandThroughput, lift bool) error {
	if in == nil {
		return nil
	}
	for _, f := range []struct {
		name string
		n    *int64
		at   *int64
	}{{"MaxReadRequestUnits", in.MaxReadRequestUnits, &ix.maxRead}, {"MaxWriteRequestUnits", in.MaxWriteRequestUnits, &ix.maxWrite}} {
		switch {
		case f.n == nil:
		case b != onDemand:
			return errParameter(f.name + " for OnDemandThroughput for index: " + ix.name + " cannot be specified when table BillingMode is PROVISIONED.")
		case *f.n == -1 && lift:
			*f.at = 0
		case *f.n < 1 || *f.n > maxUnits:
			return errParameter("Requested " + f.name + " for OnDemandThroughput for index : " + ix.name + " is outside of valid range")
		default:
			*f.at = *f.n
		}
	}
	return nil
}

// setWarm keeps what an index is asked to be ready for, which does not go down; it always is.
func (ix *index) setWarm(in *dynamodbapi.WarmThroughput) error {
	if in == nil {
		return nil
	}
	read, write := ix.warm()
	for _, f := range []struct {
		name string
		n    *int64
		now  int64
		at   *int64
	}{{"ReadUnitsPerSecond", in.ReadUnitsPerSecond, read, &ix.warmRead}, {"WriteUnitsPerSecond", in.WriteUnitsPerSecond, write, &ix.warmWrite}} {
		switch {
		case f.n == nil:
		case *f.n < f.now && ix.num == 0: // a new one
			return errParameter("Requested " + f.name + " for WarmThroughput for index " + ix.name + " is lower than initial throughput for OnDemand")
		case *f.n < f.now:
			return errParameter("Requested " + f.name + " for WarmThroughput for index " + ix.name +
				" is lower than current WarmThroughput, decreasing WarmThroughput is not supported")
		case *f.n > maxUnits:
			return errInvalid(fmt.Sprintf("Given value %d for %s is out of bounds", *f.n, f.name))
		default:
			*f.at = *f.n
		}
	}
	return nil
}

// warm is what the index is ready for.
func (ix *index) warm() (read, write int64) {
	read, write = max(ix.warmRead, ix.read), max(ix.warmWrite, ix.write)
	if ix.billing == onDemand {
		read, write = max(read, warmReadDefault), max(write, warmWriteDefault)
	}
	return read, write
}
