package jsonstring

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// unescape reads all of a text between quotes; false when an escape is none.
func unescape(in []byte) (string, bool) {
	var out []byte
	for len(in) > 0 {
		if in[0] != '\\' {
			out, in = append(out, in[0]), in[1:]
			continue
		}
		var n int
		if out, n = Unescape(out, in); n == 0 {
			return "", false
		}
		in = in[n:]
	}
	return string(out), true
}

func escape(s string) string {
	out := []byte{'"'}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == '"' || s[i] == '\\' {
			out = AppendEscape(out, s[i])
		} else {
			out = append(out, s[i])
		}
	}
	return string(append(out, '"'))
}

// FuzzEscapes: texts mean what encoding/json says, and what is escaped reads back.
func FuzzEscapes(f *testing.F) {
	for _, s := range []string{`a\n\"\\\/\b\f\r\tz`, `\u00e9\uD83D\ude00`, `\ud83d`, `\ud83d\u0041`, `\ud83d\ud83d\ude00`, `\x`, `\u12g4`, `\`, `\u12`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		var back string
		if err := json.Unmarshal([]byte(escape(s)), &back); err != nil || back != s {
			t.Fatalf("%q is escaped as %s, which is %q, %v", s, escape(s), back, err)
		}
		if strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 }) || strings.Contains(strings.NewReplacer(`\\`, ``, `\"`, ``).Replace(s), `"`) {
			return
		}
		var want string
		err := json.Unmarshal([]byte(`"`+s+`"`), &want)
		if got, ok := unescape([]byte(s)); ok != (err == nil) || ok && got != want {
			t.Fatalf("%q: got %q, %v, want %q, %v", s, got, ok, want, err)
		}
		rest := []byte(s)
		for len(rest) > 0 {
			n := 1
			if rest[0] == '\\' {
				if n = EscapeLen(rest); n == 0 {
					break
				}
			}
			rest = rest[n:]
		}
		if (len(rest) == 0) != (err == nil) {
			t.Fatalf("%q: lengths leave %q, want %v", s, rest, err)
		}
	})
}
