package cloudwatch

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Metric math. An expression is numbers, ids of other queries, + - * / ^, unary minus, comparisons (1 or 0), parentheses and
// the functions below. A value is a number or one series.
//
//	expr    = sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum ]
//	sum     = product { ("+" | "-") product }
//	product = power { ("*" | "/") power }
//	power   = [ "-" ] atom [ "^" power ]
//	atom    = number | id | NAME "(" expr { "," expr } ")" | "(" expr ")"

// expr is a parsed expression: one of the types below.
type expr any

type (
	numberExpr float64
	idExpr     string
	opExpr     struct {
		op   string
		a, b expr
	}
	callExpr struct {
		f    function
		args []expr
	}
)

// maxDepth bounds how deep an expression nests; it has at most 2,048 characters.
const maxDepth = 100

// awsError is what is wrong with an expression, in AWS's words.
type awsError string

func (e awsError) Error() string { return string(e) }

const errSyntax awsError = "Unsupported expression or syntax error"

type parser struct {
	rest  string
	depth int
}

// parse reads an expression.
func parse(text string) (expr, error) {
	if len(text) > 2048 {
		return nil, errSyntax
	}
	p := &parser{rest: text}
	e, err := p.comparison()
	if err != nil {
		return nil, err
	}
	if p.space(); p.rest != "" {
		return nil, errSyntax
	}
	return e, nil
}

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// take takes the first of ops that stands next; empty when none does.
func (p *parser) take(ops ...string) string {
	p.space()
	for _, op := range ops {
		if strings.HasPrefix(p.rest, op) {
			p.rest = p.rest[len(op):]
			return op
		}
	}
	return ""
}

func (p *parser) comparison() (expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errSyntax
	}
	defer func() { p.depth-- }()
	a, err := p.sum()
	if err != nil {
		return nil, err
	}
	if op := p.take("<=", ">=", "==", "!=", "<", ">"); op != "" {
		b, err := p.sum()
		return opExpr{op, a, b}, err
	}
	return a, nil
}

// chain reads operands that are joined by operators of one rank, from the left.
func (p *parser) chain(operand func() (expr, error), ops ...string) (expr, error) {
	a, err := operand()
	for err == nil {
		op := p.take(ops...)
		if op == "" {
			break
		}
		var b expr
		b, err = operand()
		a = opExpr{op, a, b}
	}
	return a, err
}

func (p *parser) sum() (expr, error)     { return p.chain(p.product, "+", "-") }
func (p *parser) product() (expr, error) { return p.chain(p.power, "*", "/") }

func (p *parser) power() (expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errSyntax
	}
	defer func() { p.depth-- }()
	if p.take("-") != "" {
		e, err := p.power()
		return opExpr{"-", numberExpr(0), e}, err
	}
	a, err := p.atom()
	if err == nil && p.take("^") != "" {
		b, err := p.power()
		return opExpr{"^", a, b}, err
	}
	return a, err
}

func (p *parser) atom() (expr, error) {
	if p.take("(") != "" {
		e, err := p.comparison()
		if err == nil && p.take(")") == "" {
			err = errSyntax
		}
		return e, err
	}
	p.space()
	n := 0
	for n < len(p.rest) && (p.rest[n] == '.' || p.rest[n] == '_' || p.rest[n] >= '0' && p.rest[n] <= '9' || letter(p.rest[n])) {
		n++
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	if word == "" {
		return nil, errSyntax
	}
	if !letter(word[0]) {
		f, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, errSyntax
		}
		return numberExpr(f), nil
	}
	if p.take("(") == "" {
		return idExpr(word), nil
	}
	return p.call(word)
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func (p *parser) call(name string) (expr, error) {
	f := functions[name]
	if f == nil {
		return nil, awsError("Unsupported function " + name)
	}
	c := callExpr{f: f}
	for {
		e, err := p.comparison()
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, e)
		if p.take(",") == "" {
			break
		}
	}
	if p.take(")") == "" || len(c.args) != functionArgs[name] {
		return nil, errSyntax
	}
	return c, nil
}

// value is what an expression is worth: a series, or a number when times is nil.
type value struct {
	line
	number float64
	series bool
}

// times are all times at which any metric of the call has a value. They are gathered once: each FILL asks for them.
func (q *queries) times() []int64 {
	if q.gathered {
		return q.anyTimes
	}
	q.gathered = true
	for _, one := range q.all {
		if one.math == nil && q.work <= maxWork {
			q.anyTimes = union(q.anyTimes, q.series(one).times)
		}
	}
	return q.anyTimes
}

// union merges rising numbers.
func union(a, b []int64) []int64 {
	if slices.Equal(a, b) { // what most metrics of a call have
		return a
	}
	out := make([]int64, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		least := min(a[0], b[0])
		out = append(out, least)
		if a[0] == least {
			a = a[1:]
		}
		if b[0] == least {
			b = b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// resolve checks that the ids of expressions are there and do not lead back to themselves.
func (q *queries) resolve() error {
	const open, closed = 1, 2
	state := map[*query]int{}
	var visit func(one *query) error
	visit = func(one *query) error {
		switch state[one] {
		case open:
			return errValidation("Error in expression '%s': Circular reference", one.in.Id)
		case closed:
			return nil
		}
		state[one] = open
		for _, id := range ids(one.math, nil) {
			other := q.byID[id]
			if other == nil {
				return errValidation("Error in expression '%s': Undefined variable '%s'", one.in.Id, id)
			}
			if err := visit(other); err != nil {
				return err
			}
		}
		state[one] = closed
		return nil
	}
	for _, one := range q.all {
		if err := visit(one); err != nil {
			return err
		}
	}
	return nil
}

// ids are the queries that an expression names.
func ids(e expr, into []string) []string {
	switch e := e.(type) {
	case idExpr:
		return append(into, string(e))
	case opExpr:
		return ids(e.b, ids(e.a, into))
	case callExpr:
		for _, a := range e.args {
			into = ids(a, into)
		}
	}
	return into
}

// evaluate gives the line of an expression. A number stands at each time that the call has values for.
func (q *queries) evaluate(one *query) line {
	v := q.value(one.math)
	if !v.series {
		v.times = q.times()
		v.values = slices.Repeat([]float64{v.number}, len(v.times))
		q.work += len(v.times)
	}
	out := line{label: one.in.Id}
	for i, x := range v.values {
		if !math.IsNaN(x) && !math.IsInf(x, 0) { // CloudWatch leaves out what cannot be computed
			out.times, out.values = append(out.times, v.times[i]), append(out.values, x)
		}
	}
	return out
}

// value computes an expression, unless the call has computed too much.
func (q *queries) value(e expr) value {
	if q.work > maxWork {
		return value{}
	}
	v := q.worth(e)
	q.work += 1 + len(v.values)
	return v
}

// maxWork bounds the values that one call reads and computes, intermediate ones too: forty times what it may answer, 64 MB when all
// of them are held.
const maxWork = 40 * maxData1

func (q *queries) worth(e expr) value {
	switch e := e.(type) {
	case numberExpr:
		return value{number: float64(e)}
	case idExpr:
		return value{line: q.series(q.byID[string(e)]), series: true}
	case opExpr:
		return combine(operators[e.op], q.value(e.a), q.value(e.b))
	case callExpr:
		args := make([]value, len(e.args))
		for i := range args {
			args[i] = q.value(e.args[i])
		}
		return e.f(q, args)
	}
	panic(fmt.Sprintf("cloudwatch: expression %T", e))
}

var operators = map[string]func(a, b float64) float64{
	"+": func(a, b float64) float64 { return a + b }, "-": func(a, b float64) float64 { return a - b },
	"*": func(a, b float64) float64 { return a * b }, "/": func(a, b float64) float64 { return a / b },
	"^": math.Pow,
	"<": truth(func(a, b float64) bool { return a < b }), "<=": truth(func(a, b float64) bool { return a <= b }),
	">": truth(func(a, b float64) bool { return a > b }), ">=": truth(func(a, b float64) bool { return a >= b }),
	"==": truth(func(a, b float64) bool { return a == b }), "!=": truth(func(a, b float64) bool { return a != b }),
}

func truth(f func(a, b float64) bool) func(a, b float64) float64 {
	return func(a, b float64) float64 {
		if f(a, b) {
			return 1
		}
		return 0
	}
}

// combine computes value by value; two series at the times that both have.
func combine(f func(a, b float64) float64, a, b value) value {
	if !a.series && !b.series {
		return value{number: f(a.number, b.number)}
	}
	out := value{series: true}
	add := func(at int64, v float64) { out.times, out.values = append(out.times, at), append(out.values, v) }
	switch {
	case !a.series:
		for i, at := range b.times {
			add(at, f(a.number, b.values[i]))
		}
	case !b.series:
		for i, at := range a.times {
			add(at, f(a.values[i], b.number))
		}
	default:
		for i, at := range a.times {
			if j, found := slices.BinarySearch(b.times, at); found {
				add(at, f(a.values[i], b.values[j]))
			}
		}
	}
	return out
}
