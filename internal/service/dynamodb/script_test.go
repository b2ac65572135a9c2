package dynamodb

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
	"millrace/internal/wire/aws/codec"
)

var rewrite = flag.Bool("rewrite", false, "write what the service answers into testdata/*.txt; read the diff")

// Scripts run operations against a service on an empty store whose clock begins at the first moment of the year 2000:
//
//	# a comment
//	@ sleep 5m
//	@ restart      a new service on the same store
//	> PutItem {"TableName": "t", ...}
//
// $xN in an input is N times the letter x, $iterator the last shard iterator that was answered. What follows an operation is its answer as JSON, or its error.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if *storeFlag == "" {
				synctest.Test(t, func(t *testing.T) { simulated(t, file) })
			} else {
				byHand(t, file)
			}
		})
	}
}

// simulated runs a script on the model in simulated time.
func simulated(t *testing.T, file string) {
	runScript(t, file, clock.Real(), storetest.NewModel(), func(_ *caller, d time.Duration) {
		time.Sleep(d)
		synctest.Wait()
	})
}

// byHand runs a script on the store that -store names, by a clock that only the script moves. What the service does in the
// background is waited for by doing all of it here too: any node may.
func byHand(t *testing.T, file string) {
	hands := clock.NewManual(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	runScript(t, file, hands, newStoreAt(t, "", hands), func(c *caller, d time.Duration) {
		for end := hands.Now().Add(d); ; {
			for _, step := range []func(context.Context) (time.Duration, error){c.svc.step, c.svc.stepTTL} {
				for wait := time.Duration(0); wait == 0; {
					var err error
					if wait, err = step(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			if left := end.Sub(hands.Now()); left > 0 {
				hands.Advance(min(left, time.Second)) // the worker for expired items looks once a second
			} else {
				return
			}
		}
	})
}

// runScript runs a script on an empty store; pass lets time pass.
func runScript(t *testing.T, file string, wakes clock.Clock, st store.Store, pass func(c *caller, d time.Duration)) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(string(text), "\r\n", "\n")
	begin := func() *caller { return startBy(t, st, -1, wakes) }
	c := begin()
	var got strings.Builder
	for line := range strings.Lines(want) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"), line == "":
			got.WriteString(line + "\n")
		case line == "@ restart":
			got.WriteString(line + "\n")
			_ = c.svc.Close()
			iterator := c.iterator
			c = begin()
			c.iterator = iterator
		case strings.HasPrefix(line, "@ sleep "):
			got.WriteString(line + "\n")
			d, err := time.ParseDuration(line[8:])
			if err != nil {
				t.Fatal(err)
			}
			pass(c, d)
		case strings.HasPrefix(line, "> "):
			got.WriteString(line + "\n" + c.run(line[2:]) + "\n")
			pass(c, time.Second) // states end
		}
	}
	_ = c.svc.Close()
	if *rewrite {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	g, w := strings.Split(got.String(), "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s:%d: answers differ, run with -rewrite and read the diff\ngot  %s\nwant %s", file, i+1, g[i], w[i])
		}
	}
	if len(g) != len(w) {
		t.Errorf("%s: got %d lines, want %d", file, len(g), len(w))
	}
}

var (
	manyX         = regexp.MustCompile(`\$x[0-9]+`)
	shardIterator = regexp.MustCompile(`ShardIterator":"([^"]*)"`)
	tableID       = regexp.MustCompile(`"TableId":"[^"]*"`)
)

// run is one operation through the codec of the front.
func (c *caller) run(line string) string {
	name, body, _ := strings.Cut(line, " ")
	body = manyX.ReplaceAllStringFunc(body, func(s string) string {
		n := 0
		_, _ = fmt.Sscanf(s, "$x%d", &n)
		return strings.Repeat("x", n)
	})
	body = strings.ReplaceAll(body, "$iterator", c.iterator)
	op := Bind(c.svc).Operations[name]
	if op == nil {
		op = BindStreams(c.svc).Operations[name]
	}
	if op == nil {
		return "UnknownOperationException"
	}
	out, err := call(c.ctx(), op, []byte(body))
	if err != nil {
		e := api.AsError(err)
		if e.Status >= 500 {
			c.t.Errorf("%s: %v", line, err)
		}
		shown := e.Code + ": " + e.Message
		if e.Fields != nil {
			shown += " " + string(codec.AppendJSON(nil, e.FieldsShape, e.Fields))
		}
		return tidy(shown)
	}
	if op.Output == nil {
		return "(empty)"
	}
	shown := string(codec.AppendJSON(nil, op.Output, out))
	if found := shardIterator.FindStringSubmatch(shown); found != nil {
		c.iterator = found[1]
	}
	return tidy(shardIterator.ReplaceAllString(shown, `ShardIterator":"<iterator>"`))
}

func tidy(s string) string {
	s = tableID.ReplaceAllString(s, `"TableId":"<id>"`)
	return regexp.MustCompile(`x{50,}`).ReplaceAllStringFunc(s, func(x string) string { return fmt.Sprintf("$x%d", len(x)) })
}

func call(ctx context.Context, op *api.Operation, body []byte) (any, error) {
	in := op.New()
	if err := codec.DecodeDynamoDB(body, op.Input, in); err != nil {
		return nil, err
	}
	if err := api.Validate(op.Input, in); err != nil {
		return nil, err
	}
	return op.Invoke(ctx, in)
}
