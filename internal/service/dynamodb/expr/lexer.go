package expr

import "unicode/utf8"

// tokenKind is what a token is; for punctuation it is the first byte of its text.
type tokenKind uint8

const (
	tokenEOF   tokenKind = iota
	tokenIdent           // a, attribute_exists, AND
	tokenDigits
	tokenName  // #name
	tokenValue // :value
	tokenLE    // <=
	tokenGE    // >=
	tokenNE    // <>
	tokenBad   // what no expression has
)

// token is a slice text[start:end] of the expression.
type token struct {
	kind       tokenKind
	start, end int
}

// scan is the token of text that begins at or after pos.
func scan(text string, pos int) token {
	for pos < len(text) && isSpace(text[pos]) {
		pos++
	}
	if pos == len(text) {
		return token{tokenEOF, pos, pos}
	}
	switch c := text[pos]; {
	case isLetter(c) && c != '_': // "_f" is refused at "_" (Alternator's tests)
		return token{tokenIdent, pos, skipWord(text, pos+1)}
	case isDigit(c):
		end := pos + 1
		for end < len(text) && isDigit(text[end]) {
			end++
		}
		return token{tokenDigits, pos, end}
	case c == '#' || c == ':':
		return scanReference(text, pos)
	case c == '<' || c == '>':
		return scanAngle(text, pos)
	case c == '(' || c == ')' || c == '[' || c == ']' || c == '.' || c == ',' || c == '=' || c == '+' || c == '-':
		return token{tokenKind(c), pos, pos + 1}
	default:
		_, size := utf8.DecodeRuneInString(text[pos:])
		return token{tokenBad, pos, pos + size}
	}
}

func scanReference(text string, pos int) token {
	kind := tokenName
	if text[pos] == ':' {
		kind = tokenValue
	}
	end := skipWord(text, pos+1)
	if end == pos+1 {
		kind = tokenBad
	}
	return token{kind, pos, end}
}

func scanAngle(text string, pos int) token {
	if pos+1 < len(text) {
		switch text[pos : pos+2] {
		case "<=":
			return token{tokenLE, pos, pos + 2}
		case ">=":
			return token{tokenGE, pos, pos + 2}
		case "<>":
			return token{tokenNE, pos, pos + 2}
		}
	}
	return token{tokenKind(text[pos]), pos, pos + 1}
}

// skipWord is where the letters, digits and underscores from pos on end.
func skipWord(text string, pos int) int {
	for pos < len(text) && (isLetter(text[pos]) || isDigit(text[pos])) {
		pos++
	}
	return pos
}

func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }

// isWord says that s, without its first byte, is a word that an expression can refer to: #s or :s.
func isReference(s string, first byte) bool {
	return len(s) > 1 && s[0] == first && skipWord(s, 1) == len(s)
}
