//go:build system

package sdk

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"millrace/test/program"
)

// cli drives the AWS CLI v1: one process for each call, as in a shell.
type cli struct {
	program  string
	service  string // kinesis or dynamodb
	endpoint string
	stream   string
	env      []string
}

// call runs `aws SERVICE args` and decodes its answer into out unless that is nil.
func (c *cli) call(t *testing.T, out any, args ...string) error {
	t.Helper()
	args = append([]string{"--endpoint-url", c.endpoint, "--output", "json", c.service}, args...)
	cmd := exec.CommandContext(t.Context(), c.program, args...)
	cmd.Env = c.env
	var text, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("aws %v: %w: %s", args[4:], err, bytes.TrimSpace(log.Bytes()))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text.Bytes(), out)
}

// ok is call that must succeed.
func (c *cli) ok(t *testing.T, out any, args ...string) {
	t.Helper()
	if err := c.call(t, out, args...); err != nil {
		t.Fatal(err)
	}
}

// cliRecord is a record as GetRecords prints it.
type cliRecord struct{ SequenceNumber, PartitionKey, Data string }

// playCLI is the scenario with fewer records: a call costs a third of a second.
func playCLI(t *testing.T, endpoint, stream string) {
	t.Helper()
	c := &cli{
		program: program.Part(t, "python", "venv", "bin", "aws"), service: "kinesis", endpoint: endpoint, stream: stream, env: environment(),
	}
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"create", c.create},
		{"put-and-read", c.putAndRead},
		{"tags", c.tags},
		{"retention", c.retention},
		{"errors", c.errors},
		{"delete", c.delete},
	} {
		if !t.Run(step.name, step.run) {
			return // the steps build on each other
		}
	}
}

func (c *cli) create(t *testing.T) {
	c.ok(t, nil, "create-stream", "--stream-name", c.stream, "--shard-count", "4")
	c.ok(t, nil, "wait", "stream-exists", "--stream-name", c.stream)
	var described struct {
		StreamDescription struct {
			StreamStatus string
			Shards       []struct{ ShardID string }
		}
	}
	c.ok(t, &described, "describe-stream", "--stream-name", c.stream)
	if got := described.StreamDescription; got.StreamStatus != "ACTIVE" || len(got.Shards) != 4 {
		t.Errorf("describe-stream: got %+v, want ACTIVE with 4 shards", got)
	}
}

func (c *cli) putAndRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data")
	data := []byte("binary \x00\xff and text ✓")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var one struct{ ShardID, SequenceNumber string }
	c.ok(t, &one, "put-record", "--stream-name", c.stream, "--partition-key", "schlüssel", "--explicit-hash-key", "0",
		"--data", "fileb://"+file)
	var many struct {
		FailedRecordCount int
		Records           []struct{ ShardID, SequenceNumber string }
	}
	c.ok(t, &many, "put-records", "--stream-name", c.stream, "--records",
		"Data=first,PartitionKey=k,ExplicitHashKey=0", "Data=second,PartitionKey=k,ExplicitHashKey=0")
	if many.FailedRecordCount != 0 || len(many.Records) != 2 {
		t.Fatalf("put-records: got %+v, want two records", many)
	}
	want := []cliRecord{
		{one.SequenceNumber, "schlüssel", base64.StdEncoding.EncodeToString(data)},
		{many.Records[0].SequenceNumber, "k", base64.StdEncoding.EncodeToString([]byte("first"))},
		{many.Records[1].SequenceNumber, "k", base64.StdEncoding.EncodeToString([]byte("second"))},
	}
	c.reads(t, want, "--shard-id", one.ShardID, "--shard-iterator-type", "TRIM_HORIZON")
	c.reads(t, want[1:], "--shard-id", one.ShardID, "--shard-iterator-type", "AFTER_SEQUENCE_NUMBER",
		"--starting-sequence-number", one.SequenceNumber)
}

// reads checks what GetRecords gives from the iterator that args ask for.
func (c *cli) reads(t *testing.T, want []cliRecord, args ...string) {
	t.Helper()
	var it struct{ ShardIterator string }
	c.ok(t, &it, append([]string{"get-shard-iterator", "--stream-name", c.stream}, args...)...)
	var page struct{ Records []cliRecord }
	c.ok(t, &page, "get-records", "--shard-iterator", it.ShardIterator)
	if !slices.Equal(page.Records, want) {
		t.Errorf("get-records after %v: got %v, want %v", args, page.Records, want)
	}
}

func (c *cli) tags(t *testing.T) {
	c.ok(t, nil, "add-tags-to-stream", "--stream-name", c.stream, "--tags", "team=rivers,size=large")
	c.ok(t, nil, "remove-tags-from-stream", "--stream-name", c.stream, "--tag-keys", "team")
	var listed struct{ Tags []struct{ Key, Value string } }
	c.ok(t, &listed, "list-tags-for-stream", "--stream-name", c.stream)
	if len(listed.Tags) != 1 || listed.Tags[0].Key != "size" || listed.Tags[0].Value != "large" {
		t.Errorf("list-tags-for-stream: got %+v, want size=large", listed.Tags)
	}
}

func (c *cli) retention(t *testing.T) {
	c.ok(t, nil, "increase-stream-retention-period", "--stream-name", c.stream, "--retention-period-hours", "48")
	var described struct {
		StreamDescriptionSummary struct{ RetentionPeriodHours int }
	}
	until(t, "48 hours", func() bool {
		c.ok(t, &described, "describe-stream-summary", "--stream-name", c.stream)
		return described.StreamDescriptionSummary.RetentionPeriodHours == 48
	})
}

func (c *cli) errors(t *testing.T) {
	for want, args := range map[string][]string{
		"ResourceNotFoundException": {"describe-stream", "--stream-name", "absent"},
		"ResourceInUseException":    {"create-stream", "--stream-name", c.stream, "--shard-count", "1"},
		"InvalidArgumentException":  {"get-records", "--shard-iterator", "AAAAnotaniterator"},
	} {
		err := c.call(t, nil, args...)
		if err == nil || !strings.Contains(err.Error(), "An error occurred ("+want+")") {
			t.Errorf("aws %v: got %v, want %s", args, err, want)
		}
	}
}

func (c *cli) delete(t *testing.T) {
	c.ok(t, nil, "delete-stream", "--stream-name", c.stream)
	c.ok(t, nil, "wait", "stream-not-exists", "--stream-name", c.stream)
	var listed struct{ StreamNames []string }
	c.ok(t, &listed, "list-streams")
	if slices.Contains(listed.StreamNames, c.stream) {
		t.Errorf("list-streams: got %v, want %s gone", listed.StreamNames, c.stream)
	}
}
