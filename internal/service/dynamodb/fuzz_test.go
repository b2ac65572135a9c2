package dynamodb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/internal/api"
)

// FuzzOperations sends any body to any operation: it is answered, and what is wrong is the client's fault.
func FuzzOperations(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if name, body, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "> "), " "); ok && strings.HasPrefix(line, "> ") {
				f.Add(name, []byte(body))
			}
		}
	}
	c := start(f)
	c.create("tab", "pk:S")
	c.create("sorted", "h:N", "r:B")
	operations := Bind(c.svc).Operations
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		op := operations[name]
		if op == nil {
			return
		}
		one := &caller{t: t, account: c.account, region: c.region, svc: c.svc}
		if _, err := call(one.ctx(), op, body); err != nil {
			if e := api.AsError(err); e.Status >= 500 {
				t.Errorf("%s %q: %v", name, body, err)
			}
		}
	})
}
