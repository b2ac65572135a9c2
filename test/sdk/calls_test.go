//go:build system

package sdk

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"millrace/test/program"
)

// object is a JSON object.
type object = map[string]any

// caller calls operations through clients/calls.py and keeps what became of each.
type caller struct {
	program  string // boto3 or awscli
	in       io.Writer
	out      *bufio.Reader
	answered map[string]bool
	refused  map[string]bool
}

// startCaller runs calls.py against a server until the test ends. models is a folder with the service model that
// our own is made from: the clients that are released know a little less.
func startCaller(t *testing.T, client, endpoint, models string) *caller {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), program.Timeout) // the program ends after the test
	cmd := exec.CommandContext(ctx, program.Part(t, "python", "venv", "bin", "python"), "clients/calls.py", client, endpoint)
	cmd.Env = environment("AWS_DATA_PATH="+models, "AWS_MAX_ATTEMPTS=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		_ = in.Close() // ends the program; it may have ended before
		if err := cmd.Wait(); err != nil {
			t.Errorf("calls.py %s: %v\n%s", client, err, log.String())
		}
	})
	return &caller{program: client, in: in, out: bufio.NewReader(out), answered: map[string]bool{}, refused: map[string]bool{}}
}

// reply is what calls.py says of one call.
type reply struct {
	Answer  object
	Code    string
	Message string
}

func (c *caller) do(t *testing.T, operation string, in object) reply {
	t.Helper()
	line, err := json.Marshal(object{"operation": operation, "input": in})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	text, err := c.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("%s %s: %v", operation, line, err)
	}
	var r reply
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%s: %v in %s", operation, err, text)
	}
	return r
}

// call calls an operation that must succeed.
func (c *caller) call(t *testing.T, operation string, in object) object {
	t.Helper()
	r := c.do(t, operation, in)
	if r.Code != "" {
		t.Fatalf("%s %v: refused with %s: %s", operation, in, r.Code, r.Message)
	}
	c.answered[operation] = true
	return r.Answer
}

// refuse calls an operation that must be refused with a code and a text.
func (c *caller) refuse(t *testing.T, operation string, in object, code, message string) {
	t.Helper()
	if r := c.do(t, operation, in); r.Code != code || r.Message != message {
		t.Errorf("%s %v\n got %s: %s %v\nwant %s: %s", operation, in, r.Code, r.Message, r.Answer, code, message)
		return
	}
	c.refused[operation] = true
}

// models unpacks the pinned service model, which is a part, into a folder that botocore can search.
func models(t *testing.T) string {
	t.Helper()
	wheels, err := filepath.Glob(filepath.Join(program.Part(t, "botocore"), "*.whl"))
	if err != nil || len(wheels) != 1 {
		t.Fatalf("got wheels %v, %v, want one", wheels, err)
	}
	wheel, err := zip.OpenReader(wheels[0])
	if err != nil {
		t.Fatal(err)
	}
	defer wheel.Close()
	dir := t.TempDir()
	const version = "kinesis/2013-12-02/"
	if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(version)), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range wheel.File {
		if strings.HasPrefix(f.Name, "botocore/data/"+version) {
			unpack(t, f, filepath.Join(dir, filepath.FromSlash(version), path.Base(f.Name)))
		}
	}
	return dir
}

func unpack(t *testing.T, f *zip.File, to string) {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, 1<<20)) // a model has 43 KB
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
