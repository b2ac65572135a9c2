//go:build system

package sdk

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"millrace/test/process"
)

// workersTimeout bounds one wait for an application: the library looks for its index every 10 s, and waits up to 30 s, by chance, before it
// makes the first leases.
const workersTimeout = 100 * time.Second

// workers of the Kinesis Client Library run one application and share a file, to which each appends a line for each record before its
// checkpoint.
type workers struct {
	file    string
	running map[string]*process.Child
}

func newWorkers(t *testing.T) workers {
	t.Helper()
	return workers{file: filepath.Join(t.TempDir(), "lines"), running: map[string]*process.Child{}}
}

// start runs a program with the name of a worker and the shared file as its last arguments.
func (w *workers) start(t *testing.T, name, classPath, program string, args ...string) {
	t.Helper()
	all := append([]string{"-Xmx256m", "-cp", classPath, program}, args...)
	c, err := process.StartChild(filepath.Join(t.TempDir(), name+".log"), environment(), "java", append(all, name, w.file)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of what %s says:\n%s", name, c.Tail())
		}
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
	})
	w.running[name] = c
}

// kill ends a worker as a machine that fails does.
func (w *workers) kill(t *testing.T, name string) {
	t.Helper()
	if err := w.running[name].Kill(); err != nil {
		t.Fatal(err)
	}
	delete(w.running, name)
}

// lines are the fields of each whole line that was written so far.
func (w *workers) lines(t *testing.T) [][]string {
	t.Helper()
	text, err := os.ReadFile(w.file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var all [][]string
	for line := range bytes.Lines(text[:bytes.LastIndexByte(text, '\n')+1]) {
		all = append(all, strings.Fields(string(line)))
	}
	return all
}

// await waits for a condition while the workers run.
func (w *workers) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	untilWithin(t, workersTimeout, what, func() bool {
		for name, c := range w.running {
			select {
			case <-c.Done():
				t.Fatalf("%s ended", name)
			default:
			}
		}
		return done()
	})
}

// lease is an item of the application's table.
type lease struct {
	Key        string `dynamodbav:"leaseKey"`
	Owner      string `dynamodbav:"leaseOwner"`
	Checkpoint string `dynamodbav:"checkpoint"`
}

// awaitLeases waits until the survivor holds those of all open shards, with checkpoints of so many digits
// unless no record came; those of other shards have ended or are forgotten.
func (w *workers) awaitLeases(t *testing.T, endpoint, application, survivor string, digits int, open func() map[string]bool) {
	t.Helper()
	c := newGoTables(endpoint, application, http.DefaultClient)
	var last string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("leases: %s", last)
		}
	})
	w.await(t, "leases of the survivor", func() bool {
		open := open()
		out := must[*dynamodb.ScanOutput](t)(c.Scan(t.Context(), &dynamodb.ScanInput{TableName: c.table, ConsistentRead: aws.Bool(true)}))
		var found []lease
		noErr(t, attributevalue.UnmarshalListOfMaps(out.Items, &found))
		last = fmt.Sprintf("%+v, open: %v", found, open)
		held := 0
		for _, l := range found {
			switch {
			case !strings.HasPrefix(l.Key, "shardId-"): // of other kinds: states and metrics of the workers
			case open[l.Key] && l.Owner == survivor && (len(l.Checkpoint) == digits || l.Checkpoint == "TRIM_HORIZON"):
				held++
			case open[l.Key] || l.Checkpoint != "SHARD_END":
				return false
			}
		}
		return held == len(open)
	})
}
