package expr

// update is its sections, each at most once, in any order.
func (p *parser) update() {
	var seen [len(verbNames)]bool
	for p.syntax == nil {
		v, ok := p.section()
		if !ok {
			p.unexpected()
			return
		}
		if seen[v] {
			p.fault(faultSection, textSection, v)
		}
		seen[v] = true
		p.actionsOf(v)
		if p.tok.kind == tokenEOF {
			return
		}
	}
}

// section takes the keyword that opens a section.
func (p *parser) section() (verb, bool) {
	for v, word := range verbNames {
		if p.acceptKeyword(word) {
			return verb(v), true
		}
	}
	return 0, false
}

// actionsOf reads the clauses of a section.
func (p *parser) actionsOf(v verb) {
	for p.syntax == nil {
		target := p.path()
		a := action{verb: v, path: target.path, missing: target.missing}
		switch v {
		case verbSet:
			p.expect('=')
			a.operand = p.setValue()
		case verbAdd, verbDelete:
			if p.syntax == nil && p.tok.kind != tokenValue {
				p.unexpected()
				return
			}
			a.operand = p.value()
		case verbRemove:
		}
		p.actions = append(p.actions, a)
		if !p.accept(',') {
			return
		}
	}
}

// setValue is operand [("+" | "−") operand], where no operand is a sum itself.
func (p *parser) setValue() *operand {
	left := p.setOperand()
	if p.tok.kind != '+' && p.tok.kind != '-' || left.sum() {
		return left
	}
	o := opPlus
	if p.tok.kind == '-' {
		o = opMinus
	}
	p.next()
	p.operator()
	right := p.setOperand()
	if right.sum() {
		p.unexpected()
	}
	for _, side := range [...]*operand{left, right} {
		p.notAppend(side)
	}
	return &operand{kind: operandCall, op: o, args: []*operand{left, right}}
}

func (o *operand) sum() bool { return o.op == opPlus || o.op == opMinus }

// notAppend refuses list_append where it is not all of the value.
func (p *parser) notAppend(o *operand) {
	if o.op == opListAppend {
		p.fault(faultMisuse, textMisused, o.op)
	}
}

// setOperand is a path, a value, a function, or a value in parentheses.
func (p *parser) setOperand() *operand {
	switch {
	case p.syntax != nil:
		return &operand{}
	case p.tok.kind == '(':
		return p.setParentheses()
	case p.tok.kind == tokenValue:
		return p.value()
	case p.startsCall():
		o := p.call()
		for _, arg := range o.args {
			p.notAppend(arg)
		}
		return o
	}
	return p.path()
}

func (p *parser) setParentheses() *operand {
	p.next()
	if !p.enter() {
		return &operand{}
	}
	defer p.leave()
	o := p.setValue()
	p.expect(')')
	if o.parens {
		p.fault(faultParens, textParens)
	}
	o.parens = true
	return o
}
