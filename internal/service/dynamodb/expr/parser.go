package expr

import (
	"slices"
	"strconv"
	"strings"
)

// Limits of an expression (developer guide, "Constraints", read 2026-11).
const (
	maxText      = 4096 // bytes of the text as it is sent
	maxOperators = 300
	maxIn        = 100
	maxDepth     = 32        // steps of a document path
	maxIndex     = 1<<32 - 2 // the service took it and refused the next (I, 2026-09)
)

// maxNesting bounds the recursion of the parser. An expression that goes deeper has more than 300 operators or
// redundant parentheses, since each level needs a NOT, a function or a neighbour behind AND, OR.
const maxNesting = 2 * maxOperators

// fault is a class of errors that do not stop the parser. AWS answers the first of the first class, wherever
// in the text it is.
type fault uint8

const (
	faultOperators fault = iota
	faultParens
	faultFunction
	faultMisuse
	faultReserved
	faultIndex
	faultDepth
	faultSection
	faultClasses
)

type parser struct {
	program
	text   string
	names  Names
	prev   token
	tok    token
	ops    int
	depth  int
	syntax error // ends the parse
	faults [faultClasses]error
}

// parse reads one expression. names are those of the request; an alias that is not among them is left to the
// check, since it is an error of later order. complete says that there was none such: the program can be used
// for all requests with these names.
func parse(k Kind, text string, names Names) (p *program, complete bool, err error) {
	switch {
	case text == "":
		return nil, false, invalidf(k, textEmpty)
	case len(text) > maxText:
		return nil, false, invalidf(k, textSize)
	}
	ps := &parser{program: program{kind: k}, text: text, names: names}
	ps.tok = scan(text, 0)
	switch k {
	case ProjectionExpression:
		ps.projection()
	case UpdateExpression:
		ps.update()
	default:
		ps.root = ps.condition(ps.or())
	}
	if ps.syntax == nil && ps.tok.kind != tokenEOF {
		ps.unexpected()
	}
	if ps.syntax != nil {
		return nil, false, ps.syntax
	}
	for _, err := range ps.faults {
		if err != nil {
			return nil, false, err
		}
	}
	made := ps.program
	made.tree, made.clash = mergePaths(k, made.targets())
	return &made, made.complete(names), nil
}

// targets are the paths that a projection shows or an update changes, in the order of the text.
func (p *program) targets() []Path {
	paths := make([]Path, 0, len(p.paths)+len(p.actions))
	for _, o := range p.paths {
		paths = append(paths, o.path)
	}
	for _, a := range p.actions {
		paths = append(paths, a.path)
	}
	return paths
}

// complete says that names has every alias of the program.
func (p *program) complete(names Names) bool {
	return !slices.ContainsFunc(p.aliases, func(alias string) bool {
		_, ok := names.find(alias)
		return !ok
	})
}

func (p *parser) word() string { return p.text[p.tok.start:p.tok.end] }

func (p *parser) next() {
	p.prev = p.tok
	p.tok = scan(p.text, p.tok.end)
}

// accept takes the token if it is of kind.
func (p *parser) accept(kind tokenKind) bool {
	if p.syntax != nil || p.tok.kind != kind {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(kind tokenKind) {
	if !p.accept(kind) {
		p.unexpected()
	}
}

// unexpected ends the parse with the token where the text stopped making sense, and what is around it.
func (p *parser) unexpected() {
	if p.syntax != nil {
		return
	}
	start, end := p.tok.start, scan(p.text, p.tok.end).end
	if p.prev.end > 0 {
		start = p.prev.start
	}
	word := p.word()
	if p.tok.kind == tokenEOF {
		word, end = "<EOF>", p.prev.end
		start = min(start, end)
	} else if scan(p.text, p.tok.end).kind == tokenEOF {
		end = p.tok.end
	}
	p.syntax = invalidf(p.kind, textSyntax, word, p.text[start:end])
	p.tok = token{tokenEOF, len(p.text), len(p.text)}
}

// fault notes an error of a class if it is the first.
func (p *parser) fault(class fault, format string, args ...any) {
	if p.faults[class] == nil {
		p.faults[class] = invalidf(p.kind, format, args...)
	}
}

// operator counts an operator or function.
func (p *parser) operator() {
	p.ops++
	if p.ops > maxOperators {
		p.faults[faultOperators] = invalidf(p.kind, textOperators, p.ops)
	}
}

// enter goes one level deeper; it is false, and the parse at its end, where that is too deep.
func (p *parser) enter() bool {
	p.depth++
	if p.depth <= maxNesting {
		return p.syntax == nil
	}
	if p.syntax == nil {
		p.syntax = invalidf(p.kind, textOperators, max(p.ops, maxOperators+1))
		if p.faults[faultParens] != nil || p.prev.kind == '(' && p.tok.kind == '(' {
			p.syntax = invalidf(p.kind, textParens)
		}
		p.tok = token{tokenEOF, len(p.text), len(p.text)}
	}
	return false
}

func (p *parser) leave() { p.depth-- }

// isKeyword says that the token is the keyword, in whatever case.
func (p *parser) isKeyword(word string) bool {
	return p.tok.kind == tokenIdent && len(word) == p.tok.end-p.tok.start && strings.EqualFold(p.word(), word)
}

func (p *parser) acceptKeyword(word string) bool {
	if p.syntax != nil || !p.isKeyword(word) {
		return false
	}
	p.next()
	return true
}

// anyKeyword says that the token is a keyword of the grammar, which no name can be.
func (p *parser) anyKeyword() bool {
	words := conditionWords[:]
	switch p.kind {
	case ProjectionExpression:
		return false
	case UpdateExpression:
		words = verbNames[:]
	case ConditionExpression, FilterExpression, KeyConditionExpression:
	}
	return slices.ContainsFunc(words, p.isKeyword)
}

var conditionWords = [...]string{"AND", "OR", "NOT", "BETWEEN", "IN"}

// startsPath says that a document path begins here.
func (p *parser) startsPath() bool {
	return p.tok.kind == tokenName || p.tok.kind == tokenIdent && !p.anyKeyword()
}

// path reads a document path.
func (p *parser) path() *operand {
	o := &operand{kind: operandPath}
	if !p.startsPath() {
		p.unexpected()
		return o
	}
	p.element(o)
	p.dereference(o)
	return o
}

// dereference reads the .names and [indexes] that follow.
func (p *parser) dereference(o *operand) {
	for p.syntax == nil {
		switch {
		case p.accept('.'):
			if !p.startsPath() {
				p.unexpected()
				return
			}
			p.element(o)
		case p.accept('['):
			if p.tok.kind != tokenDigits {
				p.unexpected()
				return
			}
			p.index(o)
			p.expect(']')
		default:
			if len(o.path) > maxDepth {
				p.fault(faultDepth, textDepth, len(o.path))
			}
			return
		}
	}
}

// element adds the name or alias at the token to the path.
func (p *parser) element(o *operand) {
	word := p.word()
	if p.tok.kind == tokenName {
		if !slices.Contains(p.aliases, word) {
			p.aliases = append(p.aliases, word)
		}
		name, ok := p.names.find(word)
		if !ok && o.missing == "" {
			o.missing = word
		}
		word = name
	} else if isReserved(word) {
		p.fault(faultReserved, textReserved, word)
	}
	o.path = append(o.path, byName(word))
	p.next()
}

// index adds the list index at the token to the path.
func (p *parser) index(o *operand) {
	n, err := strconv.ParseInt(p.word(), 10, 64)
	if err != nil || n > maxIndex {
		p.fault(faultIndex, textListIndex, p.word())
	}
	o.path = append(o.path, Step{Index: int(n)})
	p.next()
}

// value reads a :value.
func (p *parser) value() *operand {
	word := p.word()
	slot := slices.Index(p.values, word)
	if slot < 0 {
		slot = len(p.values)
		p.values = append(p.values, word)
	}
	p.next()
	return &operand{kind: operandValue, slot: slot}
}

// projection is path {"," path}.
func (p *parser) projection() {
	for {
		p.paths = append(p.paths, *p.path())
		if !p.accept(',') {
			return
		}
	}
}
