package expr

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"millrace/internal/service/dynamodb/value"
)

// A script is blocks between empty lines; # begins a comment line. A block is a request, one parameter in a line, and
// what comes of it:
//
//	op: update           get, put, update, transact, query or scan; else the one that has the expression
//	condition: a = :a    also filter, key, projection, update
//	names: {"#a":"a"}
//	values: {":a":{"S":"x"}}
//	item: {…}            for the rest
//
//	error: text          of Compile or, with an item, of Apply; … at its end stands for anything
//	holds: true          of the condition or filter
//	shows: {…}           of the projection
//	becomes: {…}         of the update
//	old: {…}             UPDATED_OLD
//	new: {…}             UPDATED_NEW
//	schema: h:S / r:N    key attributes, for the rest
//	plan: [{…}] [{…}] at least {…}   of the key: partition, sort prefix, range and its bounds
//	ok:                  no error
//
// Lines of one parameter can be repeated: each stands for a block of its own with the other lines.
func TestScriptsGiveWhatTheySay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("scripts: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			line := 1
			for block := range strings.SplitSeq(string(text), "\n\n") {
				for _, lines := range expand(block) {
					runBlock(t, fmt.Sprintf("%s:%d", file, line), lines)
				}
				line += strings.Count(block, "\n") + 2
			}
		})
	}
}

// expand makes a block with repeated expressions into several.
func expand(block string) (blocks [][][2]string) {
	var common, repeated [][2]string
	count := make(map[string]int)
	var lines [][2]string
	for line := range strings.SplitSeq(block, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		key, rest, _ := strings.Cut(line, ":")
		lines = append(lines, [2]string{key, strings.TrimSpace(rest)})
		count[key]++
	}
	for _, l := range lines {
		if count[l[0]] > 1 {
			repeated = append(repeated, l)
		} else {
			common = append(common, l)
		}
	}
	for _, l := range repeated {
		blocks = append(blocks, append(slices.Clip(common), l))
	}
	if len(repeated) == 0 && len(common) > 0 {
		blocks = append(blocks, common)
	}
	return blocks
}

var opNamesInScripts = map[string]Op{
	"get": OpGet, "put": OpPut, "update": OpUpdate, "transact": OpTransactUpdate, "query": OpQuery, "scan": OpScan,
}

func runBlock(t *testing.T, where string, lines [][2]string) {
	t.Helper()
	var r Request
	var item value.Item
	var schema KeySchema
	named := false
	set := func(text string, field **string, op Op) {
		*field = &text
		if !named && op >= r.Op {
			r.Op = op
		}
	}
	for _, l := range lines {
		switch l[0] {
		case "op":
			r.Op, named = opNamesInScripts[l[1]], true
		case "condition":
			set(l[1], &r.Condition, OpPut)
		case "update":
			set(l[1], &r.Update, OpUpdate)
		case "filter":
			set(l[1], &r.Filter, OpScan)
		case "key":
			set(l[1], &r.KeyCondition, OpQuery)
		case "projection":
			set(l[1], &r.Projection, OpGet)
		case "names":
			r.Names = namesOf(t, l[1])
		case "values":
			r.Values = itemOf(t, l[1])
		case "item":
			item = itemOf(t, l[1])
		case "schema":
			schema = schemaOf(l[1])
		}
	}
	if r.KeyCondition != nil && !named {
		r.Op = OpQuery
	}
	plan, err := NewCache(0).Compile(&r)
	for _, l := range lines {
		expectLine(t, where, lines, l, plan, item, schema, &err)
	}
	if err != nil {
		t.Errorf("%s: got error %q of %q", where, err, lines)
	}
}

// expectLine looks at a line that says what comes of the request. An error that was expected is taken away.
func expectLine(t *testing.T, where string, lines [][2]string, l [2]string, plan Plan, item value.Item, schema KeySchema, err *error) {
	t.Helper()
	got := ""
	switch l[0] {
	case "error":
		if *err == nil && item != nil {
			_, *err = plan.Update.Apply(item)
		}
		if *err == nil && schema.Partition != nil {
			_, *err = plan.Key.Plan(schema)
		}
		if *err != nil {
			got = (*err).Error()
		}
		*err = nil
		if prefix, ok := strings.CutSuffix(l[1], "…"); ok && strings.HasPrefix(got, prefix) {
			return
		}
	case "holds":
		got = fmt.Sprint(plan.Condition.Holds(item) && plan.Filter.Holds(item))
	case "shows":
		got = jsonOf(plan.Projection.Of(item))
	case "becomes", "new":
		after, e := plan.Update.Apply(item)
		if e != nil {
			*err = e
			return
		}
		got = jsonOf(after)
		if l[0] == "new" {
			got = jsonOf(plan.Update.New(after))
		}
	case "plan":
		got, *err = planned(plan, schema)
		if *err != nil {
			return
		}
	case "old":
		got = jsonOf(plan.Update.Old(item))
	default:
		return
	}
	want := l[1]
	if strings.HasPrefix(want, "{") {
		want = jsonOf(itemOf(t, want))
	}
	if got != want {
		t.Errorf("%s: got %q, want %q of %q", where, got, want, lines)
	}
}

// schemaOf reads "a:S b:N / c:S".
func schemaOf(text string) (s KeySchema) {
	side := &s.Partition
	for word := range strings.FieldsSeq(text) {
		if word == "/" {
			side = &s.Sort
			continue
		}
		name, kind, _ := strings.Cut(word, ":")
		*side = append(*side, KeyAttribute{name, value.ParseKind(kind)})
	}
	return s
}

var rangeNames = [...]string{"all", "less", "at most", "greater", "at least", "between", "begins with"}

func planned(plan Plan, schema KeySchema) (string, error) {
	k, err := plan.Key.Plan(schema)
	if err != nil {
		return "", err
	}
	text := jsonList(k.Partition, jsonOfValue) + " " + jsonList(k.Prefix, jsonOfValue) + " " + rangeNames[k.Op]
	for _, v := range [...]value.Value{k.Low, k.High} {
		if !v.IsNone() {
			text += " " + jsonOfValue(v)
		}
	}
	return text, nil
}
