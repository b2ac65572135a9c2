package golden

import (
	"bytes"
	"encoding/json"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/service/kinesis"
	"millrace/internal/wire/aws/codec"
	"millrace/internal/wire/aws/hot"
)

const module = "github.com/aws/aws-sdk-go-v2/service/kinesis"

// model has every operation, also those that are not served yet.
var model = kinesisapi.Bind(kinesisapi.Unimplemented{})

// served are the operations that the front knows.
var served = kinesis.Bind(&kinesis.Service{}).Operations

// snapshot is one file: a first line (POST /, or a status), headers, and a body of JSON.
type snapshot struct {
	name   string // AddTagsToStream, ResourceInUseException
	first  string
	header textproto.MIMEHeader
	body   []byte
}

// operation is the one that the snapshot's target names.
func (s *snapshot) operation(t *testing.T) *api.Operation {
	t.Helper()
	if got, want := s.header.Get("Content-Type"), "application/x-amz-json-"+model.JSONVersion; got != want {
		t.Errorf("content type: got ours %s, the SDK has %s", want, got)
	}
	prefix, name, _ := strings.Cut(s.header.Get("X-Amz-Target"), ".")
	op := model.Operations[name]
	if op == nil || prefix != model.TargetPrefix {
		t.Fatalf("target %s is not in our model", s.header.Get("X-Amz-Target"))
	}
	return op
}

// document is the body as a document.
func (s *snapshot) document(t *testing.T) any {
	t.Helper()
	return parseJSON(t, s.body)
}

func parseJSON(t *testing.T, body []byte) any {
	t.Helper()
	var doc any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return doc
}

// snapshots reads those of a kind ("request", "response", "error") from the SDK's folder in the module cache.
func snapshots(t *testing.T, folder, kind string) []snapshot {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("where is %s: %v", module, err)
	}
	suffix := "." + kind + ".snap"
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), folder, "*"+suffix))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %ss in %s%s: %v", kind, dir, folder, err)
	}
	var all []snapshot
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parseSnapshot(strings.TrimSuffix(filepath.Base(file), suffix), text))
	}
	return all
}

// parseSnapshot reads a file; a request has one more empty line, below its first.
func parseSnapshot(name string, text []byte) snapshot {
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	head, body, _ := bytes.Cut(bytes.TrimPrefix(rest, []byte("\n")), []byte("\n\n"))
	s := snapshot{name: name, first: string(first), header: textproto.MIMEHeader{}, body: body}
	for line := range strings.Lines(string(head)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		s.header.Add(key, value)
	}
	return s
}

func TestEverySnapshotOfARequestDecodes(t *testing.T) {
	seen := map[string]bool{"SubscribeToShard": true} // the SDK has none of streams
	for _, s := range snapshots(t, "request_snapshot", "request") {
		seen[s.name] = true
		t.Run(s.name, func(t *testing.T) {
			op, doc := s.operation(t), s.document(t)
			fromJSON, fromCBOR := op.New(), op.New()
			if err := codec.DecodeJSON(s.body, op.Input, fromJSON); err != nil {
				t.Fatalf("JSON: %v", err)
			}
			equal(t, "decoded from JSON", jsonForm.of(fromJSON), doc)
			body, err := cbor.Marshal(cborForm.of(fromJSON))
			if err != nil {
				t.Fatal(err)
			}
			if err := codec.DecodeCBOR(body, op.Input, fromCBOR); err != nil {
				t.Fatalf("CBOR: %v", err)
			}
			equal(t, "decoded from CBOR", jsonForm.of(fromCBOR), doc)
		})
	}
	allServed(t, seen)
}

func TestEverySnapshotOfAnAnswerEncodes(t *testing.T) {
	seen := map[string]bool{"SubscribeToShard": true}
	for _, s := range snapshots(t, "response_snapshot", "response") {
		seen[s.name] = true
		t.Run(s.name, func(t *testing.T) {
			op, doc := s.operation(t), s.document(t)
			if op.Output == nil { // answered with an empty body, which the SDK takes for {}
				equal(t, "an answer without members", doc, any(map[string]any{}))
				return
			}
			out := reflect.New(op.Output.Type).Interface()
			if err := set(out, doc); err != nil {
				t.Fatal(err)
			}
			equal(t, "JSON", parseJSON(t, codec.AppendJSON(nil, op.Output, out)), doc)
			equal(t, "CBOR", parseCBOR(t, codec.AppendCBOR(nil, op.Output, out)), cborForm.of(out))
			byHand(t, op, out, doc)
		})
	}
	allServed(t, seen)
}

// byHand checks the encoders of package hot, where an operation has them.
func byHand(t *testing.T, op *api.Operation, out, doc any) {
	t.Helper()
	h := hot.For(model, op.Name)
	if h == nil {
		return
	}
	var pieces collected
	equal(t, "JSON by hand", parseJSON(t, append(pieces, h.Encode(make([]byte, 0, hot.Room), out, &pieces)...)), doc)
	if h.EncodeCBOR == nil {
		return
	}
	pieces = nil
	equal(t, "CBOR by hand", parseCBOR(t, append(pieces, h.EncodeCBOR(make([]byte, 0, hot.Room), out, &pieces)...)), cborForm.of(out))
}

// collected keeps the pieces of an answer.
type collected []byte

func (c *collected) Flush(b []byte) []byte {
	*c = append(*c, b...)
	return b[:0]
}

func TestEverySnapshotOfAnErrorEncodes(t *testing.T) {
	for _, s := range snapshots(t, "response_snapshot", "error") {
		t.Run(s.name, func(t *testing.T) {
			s.operation(t)
			var fields struct{ Message string }
			if err := json.Unmarshal(s.body, &fields); err != nil {
				t.Fatal(err)
			}
			known := constructors[s.name]
			if known == nil {
				t.Fatalf("no constructor for %s", s.body)
			}
			e := known(fields.Message)
			if e.Code != s.name || strconv.Itoa(e.Status) != s.first {
				t.Errorf("got %s with status %d, want %s with %s", e.Code, e.Status, s.name, s.first)
			}
			equal(t, "JSON", parseJSON(t, codec.AppendErrorJSON(nil, "", e)), s.document(t))
			equal(t, "CBOR", parseCBOR(t, codec.AppendErrorCBOR(nil, e)), s.document(t))
		})
	}
}

// constructors are those of the model.
var constructors = map[string]func(string) *api.Error{
	"AccessDeniedException":                  kinesisapi.AccessDeniedException,
	"DryRunOperationException":               kinesisapi.DryRunOperationException,
	"ExpiredIteratorException":               kinesisapi.ExpiredIteratorException,
	"ExpiredNextTokenException":              kinesisapi.ExpiredNextTokenException,
	"InternalFailureException":               kinesisapi.InternalFailureException,
	"InvalidArgumentException":               kinesisapi.InvalidArgumentException,
	"KMSAccessDeniedException":               kinesisapi.KMSAccessDeniedException,
	"KMSDisabledException":                   kinesisapi.KMSDisabledException,
	"KMSInvalidStateException":               kinesisapi.KMSInvalidStateException,
	"KMSNotFoundException":                   kinesisapi.KMSNotFoundException,
	"KMSOptInRequired":                       kinesisapi.KMSOptInRequired,
	"KMSThrottlingException":                 kinesisapi.KMSThrottlingException,
	"LimitExceededException":                 kinesisapi.LimitExceededException,
	"ProvisionedThroughputExceededException": kinesisapi.ProvisionedThroughputExceededException,
	"ResourceInUseException":                 kinesisapi.ResourceInUseException,
	"ResourceNotFoundException":              kinesisapi.ResourceNotFoundException,
	"ValidationException":                    kinesisapi.ValidationException,
}

// allServed fails for operations that are served and not in seen.
func allServed(t *testing.T, seen map[string]bool) {
	t.Helper()
	for name := range served {
		if !seen[name] {
			t.Errorf("%s is served and has no snapshot", name)
		}
	}
}

// equal compares documents. Both are shown as JSON, whose keys are sorted.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	t.Errorf("%s\n got %s\nwant %s", what, show(got), show(want))
}

func show(doc any) []byte {
	text, err := json.Marshal(doc)
	if err != nil {
		return []byte(err.Error())
	}
	return text
}

// parseCBOR reads what a codec wrote, with numbers as float64 as in any document.
func parseCBOR(t *testing.T, body []byte) any {
	t.Helper()
	var doc any
	if err := cbor.Unmarshal(body, &doc); err != nil {
		t.Fatalf("%v: %x", err, body)
	}
	return plain(doc)
}

func plain(doc any) any {
	switch x := doc.(type) {
	case map[any]any:
		members := map[string]any{}
		for k, v := range x {
			members[k.(string)] = plain(v)
		}
		return members
	case []any:
		for i := range x {
			x[i] = plain(x[i])
		}
	case time.Time: // tag 1, whose milliseconds were taken for seconds
		return cbor.Tag{Number: 1, Content: float64(x.Unix())}
	case uint64:
		return float64(x)
	case int64:
		return float64(x)
	}
	return doc
}
