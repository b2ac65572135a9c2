package codec

import (
	"cmp"
	"slices"
	"strings"
)

// param is one parameter of a form: "MetricData.member.1.Value" and its value.
type param struct{ name, value string }

// paramSize is what a parameter takes beside its text: param, and its ends while the form is read.
const paramSize = 32 + 16

// countParams says how many parameters a form can have: one for each "&" that does not follow another.
func countParams(body []byte) int {
	n := 0
	for i, c := range body {
		if c != '&' && (i == 0 || body[i-1] == '&') {
			n++
		}
	}
	return n
}

// parseForm reads application/x-www-form-urlencoded of at most n parameters. Only what is not well-formed at all fails: half an
// escape.
func parseForm(body []byte, n int) ([]param, error) {
	text, err := unescapeForm(body, n)
	if err != nil {
		return nil, err
	}
	params := make([]param, 0, len(text.ends))
	start := 0
	for _, e := range text.ends {
		name, value := text.all[start:e.name], text.all[e.name:e.value]
		if name != "" {
			params = append(params, param{name, value})
		}
		start = e.value
	}
	return params, nil
}

// formText is a form without its escapes: the names and values one after the other.
type formText struct {
	all  string
	ends []formEnds
}

type formEnds struct{ name, value int } // ends of a name and of the value behind it

func unescapeForm(body []byte, n int) (formText, error) {
	var out strings.Builder
	out.Grow(len(body))
	ends := make([]formEnds, 0, n)
	start, name := 0, -1 // of the current one: where its name begins, and ends; -1 before its "="
	finish := func() {
		if name < 0 {
			name = out.Len()
		}
		if out.Len() > start {
			ends = append(ends, formEnds{name, out.Len()})
		}
		start, name = out.Len(), -1
	}
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '&':
			finish()
		case c == '=' && name < 0:
			name = out.Len()
		case c == '+':
			out.WriteByte(' ')
		case c == '%':
			if i+2 >= len(body) || unhex(body[i+1]) < 0 || unhex(body[i+2]) < 0 {
				return formText{}, errSyntax
			}
			out.WriteByte(byte(unhex(body[i+1])<<4 | unhex(body[i+2])))
			i += 2
		default:
			out.WriteByte(c)
		}
	}
	finish()
	return formText{out.String(), ends}, nil
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// sortParams orders parameters by their paths, numbers by their value, so that what belongs together stands together
// and lists are in their order. Of parameters with the same name the first of the form stays first.
func sortParams(params []param) {
	slices.SortStableFunc(params, func(a, b param) int { return comparePaths(a.name, b.name) })
}

func comparePaths(a, b string) int {
	for a != "" && b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if c := compareSegments(x, y); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b)) // the one that has ended comes first
}

func compareSegments(x, y string) int {
	nx, ny := isNumber(x), isNumber(y)
	switch {
	case nx && ny:
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
	case nx:
		return -1
	case ny:
		return 1
	}
	return strings.Compare(x, y)
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// group cuts from params, which agree up to at, those that also agree in the next part of their path, and gives that
// part and where the one after it begins. Those that end there are passed over.
func group(params []param, at int) (same, rest []param, part string, next int) {
	for len(params) > 0 && len(params[0].name) < at {
		params = params[1:]
	}
	if len(params) == 0 {
		return nil, nil, "", 0
	}
	part, _, _ = strings.Cut(params[0].name[at:], ".")
	n := 1
	for n < len(params) {
		other, _, _ := strings.Cut(params[n].name[min(at, len(params[n].name)):], ".")
		if other != part {
			break
		}
		n++
	}
	return params[:n], params[n:], part, at + len(part) + 1
}
