package dynamodb

import (
	"fmt"
	"strings"

	"millrace/internal/api"
)

// place is where a table is. named is what the request called it, which capacity is reported under.
type place struct {
	account, region, table string
	named                  string
}

// arn is the table's.
func (p place) arn() string {
	return "arn:aws:dynamodb:" + p.region + ":" + p.account + ":table/" + p.table
}

// Limits of names. Source: developer guide, "Constraints" (read 2026-11).
const (
	minTableName     = 3
	maxTableName     = 255
	tableNamePattern = "[a-zA-Z0-9_.-]+"
)

// home is the account and region of a caller, without a table.
func home(call *api.Call) place {
	p := place{account: call.Account, region: call.Region}
	if p.account == "" {
		p.account = api.DefaultAccount
	}
	if p.region == "" {
		p.region = api.DefaultRegion
	}
	return p
}

// address reads the name or ARN of a table. An ARN is one of the caller's own account and region: others need policies,
// which are not served.
//
// Errors: ValidationException, AccessDeniedException.
// Source of texts: AWS Controllers for Kubernetes, findings about DynamoDB, recorded 2026-10; that of a form which is none, ExtendDB, which
// compared itself with the service in 2026.
func address(call *api.Call, name string) (place, error) {
	p := home(call)
	p.table, p.named = name, name
	if !strings.HasPrefix(name, "arn:") {
		return p, checkTableName(name)
	}
	a, ok := parseARN(name)
	kind, table, named := strings.Cut(a.resource, "/")
	switch {
	case !ok || !named:
		return p, errARNForm(name)
	case a.partition != partition:
		return p, errARNPart("AWS partition", name)
	case kind != "table":
		return p, errARNPart("resource type", name)
	case checkTableName(table) != nil: // also one of an index or a stream
		return p, errARNForm(name)
	case a.region != p.region:
		return p, errARNPart("AWS region", name)
	case a.account != p.account && isData(call.Operation):
		return p, errNotAllowed(call.Operation, name)
	case a.account != p.account:
		return p, errDenied()
	}
	p.table = table
	return p, nil
}

// isData says whether an operation is one of the data plane.
func isData(operation string) bool {
	return dataOperations[operation] || strings.HasPrefix(operation, "Batch") || strings.HasPrefix(operation, "Transact")
}

// partition is where everything is here.
const partition = "aws"

// arn is an ARN of anything in DynamoDB.
type arn struct{ partition, region, account, resource string }

// parseARN reads an ARN; false when it is of another service or none.
func parseARN(text string) (arn, bool) {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "dynamodb" {
		return arn{}, false
	}
	return arn{parts[1], parts[3], parts[4], parts[5]}, true
}

// checkTableName is badTableName as an error.
func checkTableName(name string) error { return errConstraints(badTableName(name)) }

// badTableName words what is wrong with a name as violations of a model, which knows the longer ARN as well.
func badTableName(name string) []string {
	var failed []string
	note := func(constraint string) {
		failed = append(failed, fmt.Sprintf("Value '%s' at 'tableName' failed to satisfy constraint: %s", api.Clip(name), constraint))
	}
	if len(name) < minTableName {
		note(fmt.Sprintf("Member must have length greater than or equal to %d", minTableName))
	}
	if len(name) > maxTableName {
		note(fmt.Sprintf("Member must have length less than or equal to %d", maxTableName))
	}
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !nameRune(r) }) {
		note("Member must satisfy regular expression pattern: " + tableNamePattern)
	}
	return failed
}

func nameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '.' || r == '-'
}
