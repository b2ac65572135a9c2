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
				synctest.Test(t, func(t *testing.T) { simulated(t, file, false) })
			} else {
				byHand(t, file)
			}
		})
	}
}

// TestScriptsThroughTheCodecsByHand: what the front reads and writes by hand has the same answers.
func TestScriptsThroughTheCodecsByHand(t *testing.T) {
	if *storeFlag != "" || *rewrite {
		return
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulated(t, file, true) })
		})
	}
}

// simulated runs a script on the model in simulated time.
func simulated(t *testing.T, file string, hot bool) {
	st := storetest.NewModel()
	begin := func() *caller {
		c := startOn(t, st, -1)
		c.hot = hot
		return c
	}
	runScript(t, file, begin, func(_ *caller, d time.Duration) {
		time.Sleep(d)
		synctest.Wait()
	})
}

// byHand runs a script on the store that -store names, by a clock that only the script moves. Nobody can say when the workers of the
// service would be idle, so they are ended, and the script does their work.
func byHand(t *testing.T, file string) {
	hands := clock.NewManual(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	st := newStoreAt(t, "", hands)
	begin := func() *caller {
		c := startBy(t, st, -1, hands)
		_ = c.svc.Close()
		return c
	}
	runScript(t, file, begin, func(c *caller, d time.Duration) {
		for end := hands.Now().Add(d); ; {
			wait := workOff(t, c.svc)
			left := end.Sub(hands.Now())
			if left <= 0 {
				return
			}
			hands.Advance(min(left, max(wait, d/mostLooks)))
		}
	})
}

// mostLooks bounds how often work is looked for while time passes: it costs some queries each time. Four hours pass as exactly as the
// workers see them.
const mostLooks = 4 * 60 * 60

// workOff does what the workers have to do now, and returns how long until there is more.
func workOff(t *testing.T, s *Service) time.Duration {
	t.Helper()
	do := func(step func(context.Context) (time.Duration, error)) time.Duration {
		wait, err := step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	for {
		seals, expiry := do(s.stepSeals), do(s.stepTTL) // it looks every second, which is left out: expired items may stay for days
		if wait := min(do(s.step), do(s.stepCount), do(s.stepIndexes), do(s.turnStreams)); wait > 0 && expiry > 0 && seals > 0 {
			return wait
		}
	}
}

// runScript runs a script on an empty store: begin opens a service on it, pass lets time pass.
func runScript(t *testing.T, file string, begin func() *caller, pass func(c *caller, d time.Duration)) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(string(text), "\r\n", "\n")
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
	c.operation = name
	shown, known, err := "", false, error(nil)
	if c.hot {
		shown, known, err = c.frontCall(name, body)
	}
	if !known {
		var out any
		if out, err = call(c.ctx(), op, []byte(body)); err == nil && op.Output != nil {
			shown = string(codec.AppendJSON(nil, op.Output, out))
		}
	}
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
	if err := check(op.Input, in); err != nil { // of the streams' operations, for which the front does it
		return nil, err
	}
	return op.Invoke(ctx, in)
}
