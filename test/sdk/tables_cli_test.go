//go:build system

package sdk

import (
	"slices"
	"strings"
	"testing"

	"millrace/test/program"
)

// playTablesCLI is the scenario of tables in a shell: a call costs a third of a second.
func playTablesCLI(t *testing.T, endpoint, table string) {
	t.Helper()
	c := &cli{
		program: program.Part(t, "python", "venv", "bin", "aws"), service: "dynamodb", endpoint: endpoint, env: environment(),
	}
	s := &cliTable{cli: c, table: table}
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"create", s.create},
		{"items", s.items},
		{"pages", s.pages},
		{"transactions", s.transactions},
		{"errors", s.errors},
		{"delete", s.delete},
	} {
		if !t.Run(step.name, step.run) {
			return // the steps build on each other
		}
	}
}

type cliTable struct {
	*cli
	table string
}

// on calls a command that names the table.
func (c *cliTable) on(t *testing.T, out any, command string, args ...string) {
	t.Helper()
	c.ok(t, out, append([]string{command, "--table-name", c.table}, args...)...)
}

// cliItem is an item as the CLI prints it.
type cliItem map[string]map[string]any

func (c *cliTable) create(t *testing.T) {
	c.on(t, nil, "create-table", "--billing-mode", "PAY_PER_REQUEST",
		"--attribute-definitions", "AttributeName=pk,AttributeType=S", "AttributeName=sk,AttributeType=N",
		"--key-schema", "AttributeName=pk,KeyType=HASH", "AttributeName=sk,KeyType=RANGE", "--tags", "Key=team,Value=rivers")
	active := func() string {
		var out struct{ Table struct{ TableStatus string } }
		c.on(t, &out, "describe-table")
		return out.Table.TableStatus
	}
	until(t, "ACTIVE", func() bool { return active() == "ACTIVE" }) // the waiter of the CLI asks every 20 seconds
	c.ok(t, nil, "wait", "table-exists", "--table-name", c.table)
	var listed struct{ TableNames []string }
	if c.ok(t, &listed, "list-tables"); !slices.Contains(listed.TableNames, c.table) {
		t.Errorf("list-tables: got %v, want %s", listed.TableNames, c.table)
	}
}

// items: version 1 of the CLI takes blobs inside JSON as they are, and prints base64.
func (c *cliTable) items(t *testing.T) {
	key := `{"pk":{"S":"schlüssel"},"sk":{"N":"1"}}`
	c.on(t, nil, "put-item", "--item", `{"pk":{"S":"schlüssel"},"sk":{"N":"1"},"n":{"N":"12345678901234567890123456789012345678"},"b":{"B":"raw"},
		"m":{"M":{"l":{"L":[{"NULL":true},{"BOOL":false}]}}},"s":{"SS":["a"]}}`)
	var updated struct{ Attributes cliItem }
	c.on(t, &updated, "update-item", "--key", key, "--update-expression", "SET #m.l[0] = :v REMOVE s", "--condition-expression", "size(b) = :three",
		"--expression-attribute-names", `{"#m":"m"}`, "--expression-attribute-values", `{":v":{"S":"new"},":three":{"N":"3"}}`, "--return-values", "ALL_NEW")
	var got struct {
		Item             cliItem
		ConsumedCapacity struct{ CapacityUnits float64 }
	}
	c.on(t, &got, "get-item", "--key", key, "--consistent-read", "--return-consumed-capacity", "TOTAL")
	if got.Item["n"]["N"] != "12345678901234567890123456789012345678" || got.Item["b"]["B"] != "cmF3" || len(got.Item) != 5 ||
		got.ConsumedCapacity.CapacityUnits != 1 || len(updated.Attributes) != 5 {
		t.Errorf("get-item: got %+v after %v", got, updated.Attributes)
	}
}

func (c *cliTable) pages(t *testing.T) {
	c.ok(t, nil, "batch-write-item", "--request-items", `{"`+c.table+`":[`+strings.Join([]string{
		`{"PutRequest":{"Item":{"pk":{"S":"p"},"sk":{"N":"3"}}}}`, `{"PutRequest":{"Item":{"pk":{"S":"p"},"sk":{"N":"-1"}}}}`,
		`{"PutRequest":{"Item":{"pk":{"S":"p"},"sk":{"N":"20"}}}}`,
	}, ",")+`]}`)
	var found struct {
		Items []cliItem
		Count int
	}
	c.on(t, &found, "query", "--key-condition-expression", "pk = :p", "--expression-attribute-values", `{":p":{"S":"p"}}`, "--page-size", "1")
	var got []any
	for _, item := range found.Items {
		got = append(got, item["sk"]["N"])
	}
	if !slices.Equal(got, []any{"-1", "3", "20"}) || found.Count != 3 {
		t.Errorf("query: got %v (%d), want -1 3 20", got, found.Count)
	}
}

func (c *cliTable) transactions(t *testing.T) {
	put := `{"Put":{"TableName":"` + c.table + `","Item":{"pk":{"S":"t"},"sk":{"N":"1"}},"ConditionExpression":"attribute_not_exists(pk)"}}`
	c.ok(t, nil, "transact-write-items", "--transact-items", "["+put+"]")
	err := c.call(t, nil, "transact-write-items", "--transact-items", "["+put+"]")
	if err == nil || !strings.Contains(err.Error(), "TransactionCanceledException") || !strings.Contains(err.Error(), "[ConditionalCheckFailed]") {
		t.Errorf("got %v, want a cancelled transaction", err)
	}
}

func (c *cliTable) errors(t *testing.T) {
	for want, args := range map[string][]string{
		"ResourceNotFoundException": {"describe-table", "--table-name", "absent"},
		"ValidationException":       {"get-item", "--table-name", c.table, "--key", `{"pk":{"S":"a"}}`},
		"ConditionalCheckFailedException": {
			"delete-item", "--table-name", c.table, "--key", `{"pk":{"S":"a"},"sk":{"N":"1"}}`, "--condition-expression", "attribute_exists(pk)",
		},
	} {
		err := c.call(t, nil, args...)
		if err == nil || !strings.Contains(err.Error(), "An error occurred ("+want+")") {
			t.Errorf("aws %v: got %v, want %s", args, err, want)
		}
	}
}

func (c *cliTable) delete(t *testing.T) {
	c.on(t, nil, "delete-table")
	until(t, "the table to be gone", func() bool {
		err := c.call(t, nil, "describe-table", "--table-name", c.table)
		return err != nil && strings.Contains(err.Error(), "ResourceNotFoundException")
	})
	c.ok(t, nil, "wait", "table-not-exists", "--table-name", c.table)
}
