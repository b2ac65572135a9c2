package kinesis

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

var rewrite = flag.Bool("rewrite", false, "write what the service answers into testdata/*.txt; read the diff")

// Scripts run operations against a service on an empty store whose clock begins at the first moment of
// the year 2000 and moves only by @ sleep:
//
//	# a comment
//	@ options quotas=aws delay=2s     of the service, before the first operation
//	@ caller 123456789012 eu-west-1   who calls from here on
//	@ sleep 5m
//	@ restart                         a new service on the same store
//	@ keep A NextShardIterator        names the last value of a member, to be used as $A
//	@ bytes A 1000                    $A is so many zero bytes in base64
//	@ kafka 2                         a topic that Kafka has made, with so many partitions
//	@ store full                      refuses changes from here on as it does when it is full, overloaded or stopped
//	> PutRecord {"StreamName": "s", ...}
//
// $Member in an input is the last value of a string member in any answer. What follows an operation is
// its answer, or its error; iterators and tokens stand as <token>. Of a stream of events the first one is shown.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runScript(t, file) })
		})
	}
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(string(text), "\r\n", "\n")
	st := &refusing{Store: storetest.NewModel()}
	s := &script{t: t, st: st, opts: Options{Store: st, Quotas: QuotasOff, RootKey: storetest.RootKey}, values: map[string]string{}}
	s.who = &caller{t: t, account: "000000000000", region: "us-east-1"}
	var got strings.Builder
	for line := range strings.Lines(want) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"), strings.HasPrefix(line, "@"):
			got.WriteString(line + "\n")
			if directive, ok := strings.CutPrefix(line, "@ "); ok {
				s.direct(directive)
			}
		case strings.HasPrefix(line, "> "):
			got.WriteString(line + "\n" + s.run(line[2:]) + "\n")
		case line == "":
			got.WriteString("\n")
		}
	}
	if s.who.svc != nil {
		_ = s.who.svc.Close()
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got.String() != want {
		t.Errorf("%s: answers differ, run with -rewrite and read the diff\n%s", file, firstDifference(got.String(), want))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(end)", "(end)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\ngot  %s\nwant %s", i+1, a, b)
		}
	}
	return ""
}

// refusing is a store that can be told to refuse changes.
type refusing struct {
	store.Store
	err error
}

func (r *refusing) Update(ctx context.Context, fn func(store.Tx) error) (store.Commit, error) {
	if r.err != nil {
		return store.Commit{}, r.err
	}
	return r.Store.Update(ctx, fn)
}

func (r *refusing) Append(ctx context.Context, req []store.AppendRequest) ([]store.AppendResult, error) {
	if r.err != nil {
		return nil, r.err
	}
	return r.Store.Append(ctx, req)
}

type script struct {
	t      *testing.T
	st     *refusing
	opts   Options
	who    *caller
	values map[string]string
}

func (s *script) direct(line string) {
	f := strings.Fields(line)
	switch f[0] {
	case "options":
		for _, o := range f[1:] {
			name, value, _ := strings.Cut(o, "=")
			var err error
			switch name {
			case "quotas":
				s.opts.Quotas, err = ParseQuotas(value)
			case "delay":
				s.opts.StateDelay, err = time.ParseDuration(value)
			default:
				err = fmt.Errorf("unknown option")
			}
			if err != nil {
				s.t.Fatalf("%s: %v", line, err)
			}
		}
	case "caller":
		s.who.account, s.who.region = f[1], f[2]
	case "sleep":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		s.start()
		time.Sleep(d) // of the bubble: no time passes
		synctest.Wait()
	case "restart":
		s.start()
		_ = s.who.svc.Close()
		s.who.svc = nil
	case "bytes":
		n, err := strconv.Atoi(f[2])
		if err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		s.values[f[1]] = base64.StdEncoding.EncodeToString(make([]byte, n))
	case "kafka":
		n, err := strconv.Atoi(f[1])
		if err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		s.start()
		s.who.kafkaTopic(n, 24*hourMS)
	case "store":
		s.st.err = map[string]error{"full": store.ErrFull, "overloaded": store.ErrOverloaded, "stopped": store.ErrStopped}[f[1]]
	case "keep":
		s.values[f[1]] = s.values[f[2]]
	default:
		s.t.Fatalf("unknown directive: %s", line)
	}
}

func (s *script) start() {
	if s.who.svc != nil {
		return
	}
	svc, err := New(s.opts)
	if err != nil {
		s.t.Fatal(err)
	}
	s.who.svc = svc
	synctest.Wait()
}

// run calls an operation as the front does: check by the model, then the service.
func (s *script) run(line string) string {
	s.start()
	name, input, _ := strings.Cut(line, " ")
	op := kinesisapi.Bind(s.who.svc).Operations[name]
	if op == nil {
		s.t.Fatalf("no operation: %s", line)
	}
	in := op.New()
	d := json.NewDecoder(strings.NewReader(s.expand(input)))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		s.t.Fatalf("%s: %v", line, err)
	}
	if err := api.Validate(op.Input, in); err != nil {
		return err.Code + ": " + err.Message
	}
	call := &api.Call{Account: s.who.account, Region: s.who.region, AccessKeyID: "AKIA"}
	out, err := op.Invoke(api.WithCall(s.t.Context(), call), in)
	defer call.Sent()
	if err == nil && op.Events != nil {
		out, err = first(op.Events(out))
	}
	if err != nil {
		e := api.AsError(err)
		if e.Cause != nil {
			return fmt.Sprintf("%d %s: %s (%v)", e.Status, e.Code, e.Message, e.Cause)
		}
		return e.Code + ": " + e.Message
	}
	return s.show(out)
}

// first is the first event of a stream, as text since its memory is the service's again when it has been taken.
func first(events iter.Seq2[any, error]) (any, error) {
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(e)
		return json.RawMessage(text), err
	}
	return nil, errors.New("a stream without events")
}

// expand puts values in for $Names, longest names first.
func (s *script) expand(input string) string {
	return os.Expand(input, func(name string) string {
		v, ok := s.values[name]
		if !ok {
			s.t.Fatalf("no value for $%s", name)
		}
		return v
	})
}

// show writes an answer as JSON without absent members, and keeps its strings.
func (s *script) show(out any) string {
	b, err := json.Marshal(out)
	if err != nil {
		s.t.Fatal(err)
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		s.t.Fatal(err)
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(s.clean("", v)); err != nil {
		s.t.Fatal(err)
	}
	return strings.ReplaceAll(strings.TrimSpace(text.String()), "},{", "},\n  {")
}

func (s *script) clean(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, m := range v {
			if m == nil {
				delete(v, k)
				continue
			}
			v[k] = s.clean(k, m)
		}
	case []any:
		for i := range v {
			v[i] = s.clean(name, v[i])
		}
	case string:
		s.values[name] = v
		switch name {
		case "ShardIterator", "NextShardIterator", "NextToken":
			return "<token>"
		}
	}
	return v
}
