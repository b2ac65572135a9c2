package kinesis

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// unscripted are errors that a script cannot bring about, and where they are tested instead.
var unscripted = map[string]string{
	`LimitExceededException: Stream .* under account .* cannot have more than 10000 open shards\.`:           "TestLargestStreamIsScaledChangedAndDeleted",
	`LimitExceededException: Stream .* under account .* cannot have more than 100000 shards over its life\.`: "TestAStreamHasSoManyShardsOverItsLife",
}

// TestEveryErrorStandsInAScript looks for each error that the service makes, `code: text` with anything for what is
// filled in, among the answers in testdata.
func TestEveryErrorStandsInAScript(t *testing.T) {
	answers := scriptText(t)
	for at, pattern := range madeErrors(t) {
		found := regexp.MustCompile("(?m)^(?:[0-9]+ )?" + pattern + "(?: \\(.*\\))?$").MatchString(answers) // a script shows the cause
		_, excused := unscripted[pattern]
		switch {
		case !found && !excused:
			t.Errorf("%s: no script has %s", at, pattern)
		case found && excused:
			t.Errorf("%s: a script has %s, which cannot be", at, pattern)
		}
	}
}

func TestAStreamHasSoManyShardsOverItsLife(t *testing.T) {
	c := start(t)
	c.create("s", 2)
	for partitions, want := range map[int]string{
		catalog.MaxHistory - 2: "",
		catalog.MaxHistory - 1: "LimitExceededException: Stream s under account 000000000000 cannot have more than 100000 shards over its life.",
	} {
		c.update(func(tx store.Tx) error {
			st, err := c.svc.readStream(tx, place{c.account, c.region, "s"})
			if err != nil {
				return err
			}
			st.topic.Partitions = partitions
			got := ""
			if err := c.svc.reserve(tx, st, &reshard{kind: reshardSplit, key: hashKey{0, 7}}); err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("a split of a stream that has had %d shards: got %q, want %q", partitions, got, want)
			}
			return nil
		})
	}
}

func scriptText(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// madeErrors are the calls that make errors for clients, by place, as patterns.
func madeErrors(t *testing.T) map[string]string {
	t.Helper()
	set := gotoken.NewFileSet()
	var files []*ast.File
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	texts := constantTexts(files)
	made := map[string]string{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if pattern := texts.madeBy(call); pattern != "" {
					p := set.Position(call.Pos())
					made[p.Filename+":"+strconv.Itoa(p.Line)] = pattern
				}
			}
			return true
		})
	}
	return made
}

// constants are the texts of the package's constants.
type constants map[string]string

func constantTexts(files []*ast.File) constants {
	texts := constants{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == len(v.Names) {
				for i, name := range v.Names {
					if lit, ok := v.Values[i].(*ast.BasicLit); ok && lit.Kind == gotoken.STRING {
						texts[name.Name], _ = strconv.Unquote(lit.Value) // what was parsed is quoted well
					}
				}
			}
			return true
		})
	}
	return texts
}

// madeBy is the pattern of what a call makes: of an exception of the model, or of api.ServerError. Those without a
// text are made to be compared.
func (c constants) madeBy(call *ast.CallExpr) string {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	from, _ := f.X.(*ast.Ident)
	switch {
	case from == nil:
	case from.Name == "kinesisapi" && strings.HasSuffix(f.Sel.Name, "Exception"):
		if text := c.pattern(call.Args[0]); text != "" {
			return f.Sel.Name + ": " + text
		}
	case from.Name == "api" && f.Sel.Name == "ServerError":
		return c.pattern(call.Args[0]) + ": " + c.pattern(call.Args[1])
	}
	return ""
}

var verbs = regexp.MustCompile(`%[a-z]`)

func (c constants) pattern(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value) // what was parsed is quoted well
		return regexp.QuoteMeta(text)
	case *ast.BinaryExpr:
		return c.pattern(e.X) + c.pattern(e.Y)
	case *ast.ParenExpr:
		return c.pattern(e.X)
	case *ast.Ident:
		if text, ok := c[e.Name]; ok {
			return regexp.QuoteMeta(text)
		}
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Sprintf" {
			return verbs.ReplaceAllString(c.pattern(e.Args[0]), ".*")
		}
	}
	return ".*"
}
