package dynamodb

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/service/dynamodb/value"
	"millrace/internal/wire/aws/codec"
)

// Requests are held against the model in one of two forms. The older one is api.Validate: it lists all that is wrong, with the
// values. In the current one an operation looks at a few members first, and reports the first that is wrong alone and without its
// value; what it does not know is left to the older form. A request that lacks a required member, or has a value nested past
// maxCurrent, is read in the older form only.
//
// Source: paritysuite dynamodb-conformance, tests/tier3/validation-ordering and error-messages, captures of eu-west-1 and us-east-2,
// 2026-10 (read 2026-11).

// checked makes the operations check their input in these forms.
func checked(b *api.Binding) {
	b.OwnChecks = true
	for _, op := range b.Operations {
		invoke, input := op.Invoke, op.Input
		op.Invoke = func(ctx context.Context, in any) (any, error) {
			if !api.CallFrom(ctx).Checked {
				if err := check(input, in); err != nil {
					return nil, err
				}
			}
			return invoke(ctx, in)
		}
	}
}

func check(shape *api.Shape, in any) error {
	constraint := current(in)
	if constraint != "" && !isCurrent(in) {
		constraint = ""
	}
	switch in.(type) {
	case *dynamodbapi.PutItemInput, *dynamodbapi.DeleteItemInput:
		if constraint == textOne+textReturns {
			return errConstraints(amongReturns(api.Violated(shape, in)))
		}
	}
	if constraint != "" {
		return errInvalid(constraint)
	}
	failed := api.Violated(shape, in)
	switch in := in.(type) {
	case *dynamodbapi.BatchGetItemInput:
		failed = append(badTables(shape, in), failed...)
	case *dynamodbapi.BatchWriteItemInput:
		if len(failed) == 0 {
			failed = badWriteTables(shape, in)
		}
	case *dynamodbapi.CreateTableInput:
		if in.MissingMembers().Has(tableMember(shape)) {
			return errInvalid("The parameter 'TableName' is required but was not present in the request")
		}
		if err := checkTableName(in.TableName); err != nil {
			return err
		}
		failed = slices.DeleteFunc(append(failed, badLists(in)...), ofTag)
		failed = failed[:min(len(failed), maxFailed)]
	case *dynamodbapi.TagResourceInput, *dynamodbapi.UntagResourceInput:
		failed = slices.DeleteFunc(failed, ofTag)
	case *dynamodbapi.DescribeTableInput:
		failed = badName(in.TableName, failed)
	case *dynamodbapi.UpdateTableInput:
		failed = badName(in.TableName, failed)
	case *dynamodbapi.DeleteTableInput:
		failed = badName(in.TableName, failed)
	case *dynamodbapi.DescribeTimeToLiveInput:
		failed = badName(in.TableName, failed)
	case *dynamodbapi.UpdateTimeToLiveInput:
		failed = badName(in.TableName, failed)
	}
	return errConstraints(failed)
}

// maxFailed is how many violations are listed at most.
const maxFailed = 10

// badName has the words for a table's name that is empty where an ARN may stand too.
//
// Source: findings of AWS Controllers for Kubernetes against AWS, October 2026.
func badName(name string, failed []string) []string {
	const model = "Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 1"
	if at := slices.Index(failed, model); name == "" && at >= 0 {
		return slices.Replace(failed, at, at+1, badTableName(name)...)
	}
	return failed
}

// ofTag says whether a violation is of a tag: what is wrong with those is worded by addTags and checkTagKeys.
func ofTag(failed string) bool {
	return strings.Contains(failed, " at 'tags.") || strings.Contains(failed, " at 'tagKeys' failed") && !strings.HasPrefix(failed, "Value null ")
}

// amongReturns are violations of the older form with ReturnValues in the current one: PutItem and DeleteItem list it among those of
// the other enums, behind ReturnConsumedCapacity.
func amongReturns(failed []string) []string {
	failed = slices.DeleteFunc(failed, func(f string) bool { return strings.Contains(f, " at 'conditionalOperator' ") })
	at := func(member string) int {
		return slices.IndexFunc(failed, func(f string) bool { return strings.Contains(f, " at '"+member+"' ") })
	}
	failed = slices.Delete(failed, at("returnValues"), at("returnValues")+1)
	return slices.Insert(failed, at("returnConsumedCapacity")+1, textReturns)
}

// Constraints of the current form.
const (
	textTableLength = "Value at 'TableName' failed to satisfy constraint: Member must have length greater than or equal to 1"
	textReturns     = "Failed to satisfy constraint: Member must satisfy enum value set: [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"
	textOperator    = "Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]"
	textLimit       = "Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1"
	textRequests    = "Value at 'RequestItems' failed to satisfy constraint: Member must have length greater than or equal to 1"
	textKeys        = "Value at 'RequestItems.%s.member.Keys' failed to satisfy constraint: Member must have length %s"

	textOne = "1 validation error detected: "
)

// current is the first violation of the current form, "" for none.
func current(in any) string {
	switch in := in.(type) {
	case *dynamodbapi.PutItemInput:
		return currentWrite(in.TableName, in.ReturnValues, in.ConditionalOperator)
	case *dynamodbapi.UpdateItemInput:
		return currentWrite(in.TableName, in.ReturnValues, in.ConditionalOperator)
	case *dynamodbapi.DeleteItemInput:
		return currentWrite(in.TableName, in.ReturnValues, in.ConditionalOperator)
	case *dynamodbapi.GetItemInput:
		return currentWrite(in.TableName, nil, nil)
	case *dynamodbapi.QueryInput:
		return currentQuery(in)
	case *dynamodbapi.BatchGetItemInput:
		return currentKeys(in)
	case *dynamodbapi.BatchWriteItemInput:
		if in.RequestItems != nil && len(in.RequestItems) == 0 {
			return textOne + textRequests
		}
	}
	return ""
}

func currentWrite(table string, returns *dynamodbapi.ReturnValue, operator *dynamodbapi.ConditionalOperator) string {
	switch {
	case table == "":
		return textOne + textTableLength
	case returns != nil && !slices.Contains(returnValues, *returns):
		return textOne + textReturns
	case !joins(operator):
		return textOne + textOperator
	}
	return ""
}

var returnValues = []dynamodbapi.ReturnValue{
	dynamodbapi.ReturnValueNone, dynamodbapi.ReturnValueAllOld, dynamodbapi.ReturnValueUpdatedOld, dynamodbapi.ReturnValueAllNew,
	dynamodbapi.ReturnValueUpdatedNew,
}

func joins(o *dynamodbapi.ConditionalOperator) bool {
	return o == nil || *o == dynamodbapi.ConditionalOperatorAnd || *o == dynamodbapi.ConditionalOperatorOr
}

func currentQuery(in *dynamodbapi.QueryInput) string {
	switch {
	case in.TableName == "":
		return textOne + textTableLength
	case in.Limit != nil && *in.Limit < 1:
		return textOne + textLimit
	case !joins(in.ConditionalOperator):
		return textOperator
	}
	return ""
}

func currentKeys(in *dynamodbapi.BatchGetItemInput) string {
	if in.RequestItems != nil && len(in.RequestItems) == 0 {
		return textOne + textRequests
	}
	for _, table := range slices.Sorted(maps.Keys(in.RequestItems)) {
		switch keys := in.RequestItems[table].Keys; {
		case keys != nil && len(keys) == 0:
			return textOne + fmt.Sprintf(textKeys, table, "greater than or equal to 1")
		case len(keys) > maxBatchGet:
			return textOne + fmt.Sprintf(textKeys, table, fmt.Sprintf("less than or equal to %d", maxBatchGet))
		}
	}
	return ""
}

// maxCurrent is how deep the JSON of a value may nest in the current form: 62 maps around a value.
const maxCurrent = 2*62 + 1

// isCurrent says whether a request can be read in the current form.
func isCurrent(in any) bool {
	if t, ok := in.(api.Tracker); ok && *t.MissingMembers() != 0 {
		return false
	}
	var values []api.JSON
	switch in := in.(type) {
	case *dynamodbapi.PutItemInput:
		if in.Item == nil {
			return false
		}
		values = append(expectedValues(in.Expected), in.Item, in.ExpressionAttributeValues)
	case *dynamodbapi.UpdateItemInput:
		if in.Key == nil {
			return false
		}
		values = append(expectedValues(in.Expected), in.Key, in.ExpressionAttributeValues)
		for _, u := range in.AttributeUpdates {
			values = append(values, u.Value)
		}
	case *dynamodbapi.DeleteItemInput:
		if in.Key == nil {
			return false
		}
		values = append(expectedValues(in.Expected), in.Key, in.ExpressionAttributeValues)
	case *dynamodbapi.GetItemInput:
		return in.Key != nil
	}
	return !slices.ContainsFunc(values, func(v api.JSON) bool { return nesting(v) > maxCurrent })
}

func expectedValues(in map[string]dynamodbapi.ExpectedAttributeValue) []api.JSON {
	var values []api.JSON
	for _, e := range in {
		values = append(append(values, e.Value), e.AttributeValueList...)
	}
	return values
}

// nesting is how deep JSON nests that has been scanned already; 0 of values in their stored form, which nest no deeper than items may.
func nesting(body api.JSON) (deepest int) {
	if body.IsForm() {
		return 0
	}
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// bare takes an error out of the envelope of single-item writes where the request is read in the older form.
func bare(err *value.Error, in any) error {
	if isCurrent(in) {
		return err
	}
	return errInvalid(err.Error())
}

const textTableKeys = "Value '%s' at 'requestItems' failed to satisfy constraint: Map keys must satisfy constraint: " +
	"[Member must have length less than or equal to 255, Member must have length greater than or equal to 3, " +
	"Member must satisfy regular expression pattern: " + tableNamePattern + "]"

// misnamed says whether one of the tables that a batch names cannot be one.
func misnamed[V any](requests map[string]V) bool {
	for name := range requests {
		if !strings.HasPrefix(name, "arn:") && checkTableName(name) != nil {
			return true
		}
	}
	return false
}

// badTables is the violation of a BatchGetItem with a table that cannot be one. It shows the requests as JSON.
func badTables(shape *api.Shape, in *dynamodbapi.BatchGetItemInput) []string {
	if !misnamed(in.RequestItems) {
		return nil
	}
	shown := codec.AppendJSON(nil, shape, &dynamodbapi.BatchGetItemInput{RequestItems: in.RequestItems})
	shown = bytes.TrimSuffix(bytes.TrimPrefix(shown, []byte(`{"RequestItems":`)), []byte("}"))
	var compact bytes.Buffer
	if json.Compact(&compact, shown) == nil {
		shown = compact.Bytes()
	}
	return []string{fmt.Sprintf(textTableKeys, api.Clip(string(shown)))}
}

// badWriteTables is that of a BatchWriteItem, which shows them as Java does.
func badWriteTables(shape *api.Shape, in *dynamodbapi.BatchWriteItemInput) []string {
	if !misnamed(in.RequestItems) {
		return nil
	}
	i := slices.IndexFunc(shape.Members, func(m api.Member) bool { return m.Name == "RequestItems" })
	return []string{fmt.Sprintf(textTableKeys, api.Clip(api.Text(shape.Members[i].Shape, in.RequestItems)))}
}
