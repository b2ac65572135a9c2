package dynamodb

import (
	"errors"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/value"
)

// apiError turns what the store and the pure packages say into what a client sees. Errors that are already the
// client's stay; what we do not know becomes InternalServerError with the error as its cause.
func apiError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*api.Error](err); ok {
		return err
	}
	var e *api.Error
	if v, ok := errors.AsType[*value.Error](err); ok {
		return errInvalid(v.Error())
	}
	switch {
	case errors.Is(err, store.ErrOverloaded), errors.Is(err, store.ErrContention):
		// Clients of DynamoDB wait and try again on both.
		e = dynamodbapi.ProvisionedThroughputExceededException(textThroughput, nil)
	case errors.Is(err, store.ErrFull):
		// AWS has no full disks; the operator of this one reads the client's log too.
		e = dynamodbapi.InternalServerError(store.ErrFull.Error())
	case errors.Is(err, catalog.ErrName):
		e = errInvalid("The account or region of the request is not valid.")
	case errors.Is(err, store.ErrStopped):
		e = api.ServerError("ServiceUnavailable", "")
		e.Status = 503
	default:
		e = dynamodbapi.InternalServerError("Internal server error")
	}
	e.Cause = err
	return e
}

const textThroughput = "The level of configured provisioned throughput for the table was exceeded. " +
	"Consider increasing your provisioning level with the UpdateTable API."

// Texts of errors, as AWS gives them.
//
// Sources: dynalite, validations/*.js, actions/*.js and test/*.js, which were recorded against AWS; nubo-db and paritysuite
// dynamodb-conformance, which ran against it in 2026 (read 2026-11). Where no record was found the text is our own, and the
// function says so.

func errInvalid(text string) *api.Error { return api.ClientError("ValidationException", text) }

// errParameter is the most common form.
func errParameter(text string) *api.Error {
	return errInvalid("One or more parameter values were invalid: " + text)
}

// errConstraints is api.Violations as an error.
func errConstraints(failed []string) error {
	if err := api.Violations(failed); err != nil {
		return err
	}
	return nil
}

// enveloped is the text of an error that PutItem, UpdateItem and DeleteItem find before they look at a table.
func enveloped(err error) error {
	if v, ok := errors.AsType[*value.Error](err); ok {
		return errInvalid("1 validation error detected: " + v.Error())
	}
	return err
}

// errNoTable is the data plane's; the control plane names the table.
func errNoTable() error {
	return dynamodbapi.ResourceNotFoundException("Requested resource not found")
}

func errTableNotFound(p place) error {
	return dynamodbapi.ResourceNotFoundException("Requested resource not found: Table: " + p.table + " not found")
}

func errARNNotFound(arn string) error {
	return dynamodbapi.ResourceNotFoundException("Requested resource not found: ResourceArn: " + arn + " not found")
}

func errTableExists(p place) error {
	return dynamodbapi.ResourceInUseException("Table already exists: " + p.table)
}

// errInUse: the table is in a state that ends by itself.
//
// Source of texts: dynalite; AWS Controllers for Kubernetes, findings about DynamoDB, recorded 2026-10.
func errInUse(t *table, p place) error {
	switch t.state {
	case stateCreating:
		return errStillInUse("Table is being created: " + p.table)
	case stateDeleting:
		return errStillInUse("Table is being deleted: " + p.table)
	case stateActive, stateUpdating:
	}
	return errStillInUse("Table: " + p.table + " is in the process of being updated.")
}

func errStillInUse(why string) error {
	return dynamodbapi.ResourceInUseException("Attempt to change a resource which is still in use: " + why)
}

func errProtected() error {
	return errInvalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
}

// errARNForm is of an ARN for the name of a table that names none.
func errARNForm(arn string) error {
	return errInvalid("1 validation error detected: Value '" + api.Clip(arn) + "' at 'tableName' failed to satisfy constraint: " +
		"Valid ARN format is 'arn:<awsPartition>:<vendor>:<region>:<subscriber>:resourceType/resourceName', where " +
		"Resource name must have length less than or equal to 255, Resource name must have length greater than or equal to 3, " +
		"Resource name must satisfy regular expression pattern: " + tableNamePattern)
}

// errARNPart is of an ARN for the name of a table of which one part is none of ours.
func errARNPart(part, arn string) error {
	return errInvalid("1 validation error detected: Invalid " + part + " in '" + api.Clip(arn) + "'")
}

// errDenied is of the control plane; the data plane says what lacks.
func errDenied() error { return api.ClientError("AccessDeniedException", "Access is denied") }

func errNotAllowed(operation, arn string) error {
	return api.ClientError("AccessDeniedException", "User is not authorized to perform: dynamodb:"+operation+" on resource: "+arn+
		" because no resource-based policy allows the dynamodb:"+operation+" action")
}

// errUnserved has a text of our own: AWS serves it.
func errUnserved(what string) error {
	return errInvalid(what + " is not served yet.")
}

func errKeySchema() *api.Error {
	return errInvalid("The provided key element does not match the schema")
}

const textCondition = "The conditional request failed"

// errCondition says inside of a transaction that a condition does not hold.
var errCondition = errors.New("dynamodb: condition does not hold")

func errItemSize() error { return value.ErrItemSize }

var errReturnValues = value.NewError("ReturnValues can only be ALL_OLD or NONE")

// errMismatch has the words of the API reference: the service's own were not found.
func errMismatch() error {
	return dynamodbapi.IdempotentParameterMismatchException("DynamoDB rejected the request because you retried a request with a different payload " +
		"but with an idempotent token that was already used.")
}
