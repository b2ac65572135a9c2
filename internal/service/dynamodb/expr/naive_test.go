package expr

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"millrace/internal/service/dynamodb/value"
)

// The naive evaluator works on items as JSON writes them: a value is a map of one member, its type. Two values are
// equal when their JSON is, which is canonical because jsonOf makes it.
type naive = map[string]any

func naiveItem(tb testing.TB, item value.Item) naive {
	tb.Helper()
	return decoded[naive](tb, json.RawMessage(jsonOf(item)))
}

func naiveText(v naive) string {
	b, _ := json.Marshal(v) //nolint:errchkjson // came from JSON
	return string(b)
}

func kindAndContent(v naive) (kind string, content any) {
	for kind, content = range v {
		return kind, content
	}
	return "", nil
}

// naiveStep goes into v by a name or an index.
func naiveStep(v naive, step any) naive {
	kind, content := kindAndContent(v)
	switch s := step.(type) {
	case string:
		if kind == "M" {
			child, _ := content.(map[string]any)[s].(map[string]any)
			return child
		}
	case int:
		if list, _ := content.([]any); kind == "L" && s < len(list) {
			child, _ := list[s].(map[string]any)
			return child
		}
	}
	return nil
}

func naiveAt(item naive, path []any) naive {
	v := naive{"M": item}
	for _, s := range path {
		v = naiveStep(v, s)
	}
	return v
}

// naiveCompare orders two values; ok is false when they have no order.
func naiveCompare(a, b naive) (int, bool) {
	ka, ca := kindAndContent(a)
	kb, cb := kindAndContent(b)
	if a == nil || ka != kb {
		return 0, false
	}
	switch ka {
	case "S":
		return strings.Compare(ca.(string), cb.(string)), true
	case "B":
		return bytes.Compare(unbase64(ca), unbase64(cb)), true
	case "N":
		x, _ := new(big.Rat).SetString(ca.(string))
		y, _ := new(big.Rat).SetString(cb.(string))
		return x.Cmp(y), true
	}
	return 0, false
}

func unbase64(v any) []byte {
	b, _ := base64.StdEncoding.DecodeString(v.(string))
	return b
}

func naiveEqual(a, b naive) bool { return a != nil && b != nil && naiveText(a) == naiveText(b) }

func naiveContains(a, b naive) bool {
	ka, ca := kindAndContent(a)
	kb, cb := kindAndContent(b)
	switch {
	case ka == "S" && kb == "S":
		return strings.Contains(ca.(string), cb.(string))
	case ka == "B" && kb == "B":
		return bytes.Contains(unbase64(ca), unbase64(cb))
	case ka == kb+"S" && len(kb) == 1:
		return slices.Contains(ca.([]any), cb)
	case ka == "L":
		return slices.ContainsFunc(ca.([]any), func(e any) bool { return naiveEqual(e.(map[string]any), b) })
	}
	return false
}

func naiveSize(v naive) naive {
	kind, content := kindAndContent(v)
	var n int
	switch kind {
	case "S":
		n = len(utf16.Encode([]rune(content.(string))))
	case "B":
		n = len(unbase64(content))
	case "M":
		n = len(content.(map[string]any))
	case "L", "SS", "NS", "BS":
		n = len(content.([]any))
	default:
		return nil
	}
	return naive{"N": fmt.Sprint(n)}
}

// naiveChange is an action of an update with its value worked out.
type naiveChange struct {
	path  []any
	value naive // nil removes
}

// naiveApply puts changes into a copy of item one after the other, marks what is removed and sweeps it at the end.
func naiveApply(tb testing.TB, item naive, changes []naiveChange) (naive, bool) {
	tb.Helper()
	root := naive{"M": decoded[map[string]any](tb, json.RawMessage(naiveText(item)))}
	place := func(c naiveChange) int { // in its list; names go first
		if at, ok := c.path[len(c.path)-1].(int); ok {
			return at
		}
		return -1
	}
	changes = slices.SortedStableFunc(slices.Values(changes), func(a, b naiveChange) int { return place(a) - place(b) })
	length := make(map[string]int) // of lists as they were
	for _, c := range changes {
		parent := root
		for _, s := range c.path[:len(c.path)-1] {
			parent = naiveStep(parent, s)
		}
		kind, content := kindAndContent(parent)
		switch last := c.path[len(c.path)-1].(type) {
		case string:
			if kind != "M" {
				return nil, false
			}
			content.(map[string]any)[last] = c.value
		case int:
			if kind != "L" {
				return nil, false
			}
			list := content.([]any)
			at := fmt.Sprint(c.path[:len(c.path)-1])
			if _, ok := length[at]; !ok {
				length[at] = len(list)
			}
			if last < length[at] {
				list[last] = c.value
			} else {
				parent["L"] = append(list, c.value)
			}
		}
	}
	return naiveSweep(root["M"]).(map[string]any), true
}

// naiveSweep drops what was marked as removed.
func naiveSweep(v any) any {
	switch v := v.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(_ string, child any) bool { return isRemoved(child) })
		for k := range v {
			v[k] = naiveSweep(v[k])
		}
	case []any:
		v = slices.DeleteFunc(v, isRemoved)
		for i := range v {
			v[i] = naiveSweep(v[i])
		}
		return v
	}
	return v
}

func isRemoved(v any) bool {
	m, ok := v.(map[string]any)
	return ok && m == nil
}
