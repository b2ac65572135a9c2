package expr

import "slices"

// term is what stands between operators: a condition or an operand, since behind "(" both can come.
type term struct {
	cond    *node
	operand *operand
	parens  bool // came out of parentheses
}

func (p *parser) or() term {
	t := p.and()
	if !p.isKeyword("OR") {
		return t
	}
	n := &node{op: opOr, kids: []*node{p.condition(t)}}
	for p.acceptKeyword("OR") {
		p.operator()
		n.kids = append(n.kids, p.condition(p.and()))
	}
	return term{cond: n}
}

func (p *parser) and() term {
	t := p.not()
	if !p.isKeyword("AND") {
		return t
	}
	n := &node{op: opAnd, kids: []*node{p.condition(t)}}
	for p.acceptKeyword("AND") {
		p.operator()
		n.kids = append(n.kids, p.condition(p.not()))
	}
	return term{cond: n}
}

func (p *parser) not() term {
	if !p.acceptKeyword("NOT") {
		return p.comparison()
	}
	p.operator()
	if !p.enter() {
		return term{cond: &node{}}
	}
	defer p.leave()
	return term{cond: &node{op: opNot, kids: []*node{p.condition(p.not())}}}
}

// comparison is an operand with what compares it, or what stands alone.
func (p *parser) comparison() term {
	t := p.primary()
	if p.syntax != nil {
		return t
	}
	if o := comparator(p.tok.kind); o != opNone {
		left := p.asOperand(t)
		p.next()
		p.operator()
		return term{cond: &node{op: o, args: []*operand{left, p.operandHere()}}}
	}
	switch {
	case p.isKeyword("BETWEEN"):
		return p.between(p.asOperand(t))
	case p.isKeyword("IN"):
		return p.in(p.asOperand(t))
	}
	return t
}

func comparator(k tokenKind) op {
	switch k {
	case '=':
		return opEQ
	case '<':
		return opLT
	case '>':
		return opGT
	case tokenNE:
		return opNE
	case tokenLE:
		return opLE
	case tokenGE:
		return opGE
	default:
		return opNone
	}
}

func (p *parser) between(o *operand) term {
	p.next()
	p.operator()
	low := p.operandHere()
	if !p.acceptKeyword("AND") {
		p.unexpected()
	}
	return term{cond: &node{op: opBetween, args: []*operand{o, low, p.operandHere()}}}
}

func (p *parser) in(o *operand) term {
	p.next()
	p.operator()
	n := &node{op: opIn, args: []*operand{o}}
	p.expect('(')
	for p.syntax == nil {
		n.args = append(n.args, p.operandHere())
		if !p.accept(',') {
			break
		}
	}
	p.expect(')')
	return term{cond: n}
}

// primary is a path, a value, a call, or anything in parentheses.
func (p *parser) primary() term {
	switch {
	case p.syntax != nil:
		return term{operand: &operand{}}
	case p.tok.kind == '(':
		return p.parentheses()
	case p.tok.kind == tokenValue:
		return term{operand: p.value()}
	case p.startsCall():
		return term{operand: p.call()}
	}
	return term{operand: p.path()}
}

func (p *parser) parentheses() term {
	p.next()
	if !p.enter() {
		return term{operand: &operand{}}
	}
	defer p.leave()
	t := p.or()
	p.expect(')')
	if t.parens {
		p.fault(faultParens, textParens)
	}
	t.parens = true
	if t.operand != nil && t.operand.kind == operandPath && (p.tok.kind == '.' || p.tok.kind == '[') {
		p.dereference(t.operand)
		t.parens = false
	}
	return t
}

// startsCall says that a name and "(" follow.
func (p *parser) startsCall() bool {
	return p.tok.kind == tokenIdent && !p.anyKeyword() && scan(p.text, p.tok.end).kind == '('
}

// call reads a function with its operands.
func (p *parser) call() *operand {
	p.operator()
	o := &operand{kind: operandCall, op: functionNamed(p.word())}
	switch update := p.kind == UpdateExpression; {
	case o.op == opNone:
		p.fault(faultFunction, textUnknownFunction, p.word())
	case update && o.op < opIfNotExists:
		p.fault(faultMisuse, textNotUpdate, p.word())
	case !update && o.op >= opIfNotExists:
		p.fault(faultMisuse, textNotCondition, p.word())
	}
	p.next()
	p.expect('(')
	if !p.enter() {
		return o
	}
	defer p.leave()
	for p.syntax == nil {
		o.args = append(o.args, p.operandHere())
		if !p.accept(',') {
			break
		}
	}
	p.expect(')')
	return o
}

// operandHere reads an operand.
func (p *parser) operandHere() *operand { return p.asOperand(p.primary()) }

// asOperand takes a term as an operand.
func (p *parser) asOperand(t term) *operand {
	if t.operand == nil {
		p.unexpected()
		return &operand{}
	}
	if t.operand.kind == operandCall && t.operand.op.predicate() && p.kind != UpdateExpression {
		p.fault(faultMisuse, textMisused, t.operand.op)
	}
	return t.operand
}

// condition takes a term as a condition: only functions can be both.
func (p *parser) condition(t term) *node {
	if t.cond != nil {
		return t.cond
	}
	o := t.operand
	if o.kind != operandCall {
		p.unexpected()
		return &node{}
	}
	if o.op == opSize {
		p.fault(faultMisuse, textMisused, o.op)
	}
	return &node{op: o.op, args: slices.Clip(o.args)}
}
