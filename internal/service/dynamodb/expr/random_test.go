package expr

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/internal/service/dynamodb/value"
)

// random makes expressions as text together with what the naive evaluator does for them.
type random struct {
	*rand.Rand
	values []value.Attr
}

// pick chooses one, with a higher chance of what stands often.
func pick[E any](r *random, of ...E) E { return of[r.IntN(len(of))] }

// value is one of a few values, so that equal ones meet.
func (r *random) value(depth int) value.Value {
	words := []string{"", "a", "ab", "abc", "é𝄞", "b"}
	numbers := []string{"0", "1", "2", "-1.5", "1E20", "0.0001"}
	number := func() value.Number {
		n, _ := value.ParseNumber(pick(r, numbers...))
		return n
	}
	switch kind := r.IntN(12); {
	case kind < 3:
		return value.String(pick(r, words...))
	case kind < 6:
		return value.Num(number())
	case kind == 6:
		return value.BinaryString(pick(r, words...))
	case kind == 7:
		return pick(r, value.Bool(true), value.Bool(false), value.Null())
	case kind == 8:
		v, _ := value.StringSet(slices.Compact([]string{pick(r, "a", "ab"), pick(r, "b", "c")}))
		return v
	case kind == 9:
		v, _ := value.NumberSet([]value.Number{value.NumberFromInt(int64(r.IntN(2))), value.NumberFromInt(2)})
		return v
	case kind == 10 && depth > 0:
		elems := make([]value.Value, r.IntN(4))
		for i := range elems {
			elems[i] = r.value(depth - 1)
		}
		return value.List(elems)
	case depth > 0:
		return value.Map(r.item(depth - 1))
	}
	return value.String("leaf")
}

func (r *random) item(depth int) value.Item {
	var attrs []value.Attr
	for _, name := range []string{"p", "q", "r", "s"} {
		if r.IntN(4) > 0 {
			attrs = append(attrs, value.Attr{Name: name, Value: r.value(depth)})
		}
	}
	return value.NewItem(attrs)
}

func (r *random) path() (text string, steps []any) {
	text = pick(r, "p", "q", "#r", "s")
	steps = []any{strings.TrimPrefix(text, "#")}
	for r.IntN(5) < 2 {
		if r.IntN(2) == 0 {
			i := r.IntN(4)
			text, steps = fmt.Sprintf("%s[%d]", text, i), append(steps, i)
		} else {
			name := pick(r, "p", "q", "r", "s")
			text, steps = text+"."+name, append(steps, name)
		}
	}
	return text, steps
}

// literal adds a value to the request.
func (r *random) literal(v value.Value) string {
	name := fmt.Sprintf(":v%03d", len(r.values))
	r.values = append(r.values, value.Attr{Name: name, Value: v})
	return name
}

// operand is the text of one and what it is of an item.
func (r *random) operand(tb testing.TB) (string, func(naive) naive) {
	tb.Helper()
	if r.IntN(5) < 2 {
		v := r.value(2)
		fixed := naiveItem(tb, value.Item{{Name: "v", Value: v}})["v"].(map[string]any)
		return r.literal(v), func(naive) naive { return fixed }
	}
	text, steps := r.path()
	if r.IntN(6) == 0 {
		return "size(" + text + ")", func(item naive) naive { return naiveSize(naiveAt(item, steps)) }
	}
	return text, func(item naive) naive { return naiveAt(item, steps) }
}

func (r *random) comparison(tb testing.TB) (string, func(naive) bool) {
	tb.Helper()
	a, evalA := r.operand(tb)
	b, evalB := r.operand(tb)
	c, evalC := r.operand(tb)
	order := func(item naive, want func(int) bool) bool {
		n, ok := naiveCompare(evalA(item), evalB(item))
		return ok && want(n)
	}
	switch r.IntN(10) {
	case 0:
		return a + " = " + b, func(item naive) bool { return naiveEqual(evalA(item), evalB(item)) }
	case 1:
		return a + "<>" + b, func(item naive) bool { return !naiveEqual(evalA(item), evalB(item)) }
	case 2:
		return a + " < " + b, func(item naive) bool { return order(item, func(n int) bool { return n < 0 }) }
	case 3:
		return a + " >= " + b, func(item naive) bool { return order(item, func(n int) bool { return n >= 0 }) }
	case 4:
		return a + " betWEEN " + b + " And " + c, func(item naive) bool {
			low, ok1 := naiveCompare(evalA(item), evalB(item))
			high, ok2 := naiveCompare(evalA(item), evalC(item))
			return ok1 && ok2 && low >= 0 && high <= 0
		}
	case 5:
		return a + " IN (" + b + ", " + c + ")", func(item naive) bool {
			return naiveEqual(evalA(item), evalB(item)) || naiveEqual(evalA(item), evalC(item))
		}
	case 6:
		return "contains(" + a + ", " + b + ")", func(item naive) bool {
			return evalA(item) != nil && evalB(item) != nil && naiveContains(evalA(item), evalB(item))
		}
	case 7:
		text, steps := r.path()
		return "attribute_exists (" + text + ")", func(item naive) bool { return naiveAt(item, steps) != nil }
	case 8:
		text, steps := r.path()
		kind := pick(r, "S", "N", "M", "L", "SS", "BOOL")
		return "attribute_type(" + text + "," + r.literal(value.String(kind)) + ")", func(item naive) bool {
			got, _ := kindAndContent(naiveAt(item, steps))
			return got == kind
		}
	default:
		prefix := pick(r, "", "a", "ab")
		text, steps := r.path()
		return "begins_with(" + text + "," + r.literal(value.String(prefix)) + ")", func(item naive) bool {
			s, ok := naiveAt(item, steps)["S"].(string)
			return ok && strings.HasPrefix(s, prefix)
		}
	}
}

func (r *random) condition(tb testing.TB, depth int) (string, func(naive) bool) {
	tb.Helper()
	if depth == 0 || r.IntN(3) == 0 {
		return r.comparison(tb)
	}
	a, evalA := r.condition(tb, depth-1)
	if r.IntN(4) == 0 {
		return "NOT (" + a + ")", func(item naive) bool { return !evalA(item) }
	}
	b, evalB := r.condition(tb, depth-1)
	if r.IntN(2) == 0 {
		return "(" + a + ") AND (" + b + ")", func(item naive) bool { return evalA(item) && evalB(item) }
	}
	return "(" + a + ") or (" + b + ")", func(item naive) bool { return evalA(item) || evalB(item) }
}

func TestRandomConditionsHoldAsNaively(t *testing.T) {
	seed := rand.Uint64()
	r := &random{Rand: rand.New(rand.NewPCG(seed, 1))}
	cache := NewCache(64)
	held, compiled := 0, 0
	for range 4000 {
		r.values = nil
		text, eval := r.condition(t, 3)
		request := requestFor(text, r)
		request.Op, request.Filter = OpScan, &text
		plan, err := cache.Compile(request)
		if err != nil {
			continue // two types in a BETWEEN, a path compared with itself
		}
		compiled++
		for range 4 {
			item := r.item(3)
			got, want := plan.Filter.Holds(item), eval(naiveItem(t, item))
			if got != want {
				t.Fatalf("seed %d: %s\nvalues %s\nitem %s\ngot %v, want %v", seed, text, jsonOf(request.Values), jsonOf(item), got, want)
			}
			if got {
				held++
			}
		}
	}
	if compiled < 1000 || held < 500 || held > 4*compiled-500 {
		t.Errorf("seed %d: %d conditions, held %d times: the test looks at too little", seed, compiled, held)
	}
}

// requestFor has the names and values that text uses.
func requestFor(text string, r *random) *Request {
	request := &Request{}
	if strings.Contains(text, "#r") {
		request.Names = Names{{"#r", "r"}}
	}
	if len(r.values) > 0 {
		used := slices.DeleteFunc(slices.Clone(r.values), func(a value.Attr) bool { return !strings.Contains(text, a.Name) })
		if len(used) > 0 {
			request.Values = value.NewItem(used)
		}
	}
	return request
}

func TestRandomUpdatesChangeAsNaively(t *testing.T) {
	seed := rand.Uint64()
	r := &random{Rand: rand.New(rand.NewPCG(seed, 2))}
	cache := NewCache(64)
	applied, refused := 0, 0
	for range 6000 {
		r.values = nil
		item := r.item(3)
		before := naiveItem(t, item)
		var sets, removes []string
		var changes []naiveChange
		for range 1 + r.IntN(4) {
			text, steps := r.path()
			if r.IntN(3) == 0 {
				removes = append(removes, text)
				changes = append(changes, naiveChange{steps, nil})
				continue
			}
			v := r.value(2)
			sets = append(sets, text+" = "+r.literal(v))
			changes = append(changes, naiveChange{steps, naiveItem(t, value.Item{{Name: "v", Value: v}})["v"].(map[string]any)})
		}
		text := section("SET ", sets) + section(" REMOVE ", removes)
		request := requestFor(text, r)
		request.Op, request.Update = OpUpdate, &text
		plan, err := cache.Compile(request)
		if err != nil {
			continue // paths that overlap or conflict
		}
		got, err := plan.Update.Apply(item)
		want, ok := naiveApply(t, before, changes)
		switch {
		case err == nil && ok:
			applied++
			if naiveText(naiveItem(t, got)) != naiveText(want) {
				t.Fatalf("seed %d: %s\nvalues %s\nitem %s\ngot %s, want %s", seed, text, jsonOf(request.Values), jsonOf(item), jsonOf(got), naiveText(want))
			}
		case err == nil || ok:
			t.Fatalf("seed %d: %s\nitem %s\ngot %s, %v, want %s", seed, text, jsonOf(item), jsonOf(got), err, naiveText(want))
		default:
			refused++
		}
		if naiveText(naiveItem(t, item)) != naiveText(before) {
			t.Fatalf("seed %d: %s changed the item it was given", seed, text)
		}
	}
	if applied < 500 || refused < 100 {
		t.Errorf("seed %d: %d applied, %d refused: the test looks at too little", seed, applied, refused)
	}
}

func section(keyword string, clauses []string) string {
	if len(clauses) == 0 {
		return ""
	}
	return keyword + strings.Join(clauses, ", ")
}
