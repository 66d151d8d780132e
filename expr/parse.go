package expr

import (
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/value"
)

// comma = conditional { "," conditional }
func (p *parser) comma() (value.Value, error) {
	for {
		v, err := p.conditional()
		if err != nil {
			return v, err
		}
		if ok, err := p.accept(","); !ok || err != nil {
			return v, err
		}
	}
}

// conditional = binary [ "?" comma ":" conditional ]
func (p *parser) conditional() (value.Value, error) {
	if err := p.enter(); err != nil {
		return value.Value{}, err
	}
	defer p.leave()
	at := p.tok
	cond, err := p.binary(1)
	if err != nil {
		return cond, err
	}
	if !p.tok.is("?") {
		return cond, nil
	}
	yes, err := p.truth(at, cond)
	if err != nil {
		return cond, err
	}
	a, b, err := p.branches(yes)
	if err != nil {
		return cond, err
	}
	v, err := p.unify(yes, a, b)
	return v, p.fail(at, err)
}

// branches reads both branches of a conditional and evaluates one of them.
func (p *parser) branches(yes bool) (a, b value.Value, err error) {
	if err = p.next(); err != nil {
		return
	}
	p.ternary++
	if a, err = p.skipUnless(yes, p.comma); err != nil {
		return
	}
	p.ternary--
	if err = p.expect(":"); err != nil {
		return
	}
	b, err = p.skipUnless(!yes, p.conditional)
	return
}

// skipUnless runs parse; without evaluating if wanted is false.
func (p *parser) skipUnless(wanted bool, parse func() (value.Value, error)) (value.Value, error) {
	if !wanted {
		p.skip++
		defer func() { p.skip-- }()
	}
	return parse()
}

// unify gives the chosen branch of a conditional the type that both have.
func (p *parser) unify(yes bool, a, b value.Value) (value.Value, error) {
	a, b = decayed(a), decayed(b)
	t, err := branchType(a, b)
	if err != nil {
		return a, err
	}
	if !yes {
		a = b
	}
	if t == nil {
		return a, nil
	}
	return p.cast(a, t)
}

// decayed is decay where other operands than numbers and pointers are welcome.
func decayed(v value.Value) value.Value {
	if d, err := decay(v); err == nil {
		return d
	}
	return v
}

// branchType is the type that a conditional converts its result to; nil if both
// branches are the same kind of object.
func branchType(a, b value.Value) (*ctype.Type, error) {
	at, bt := a.Type(), b.Type()
	ak, bk := at.Underlying().Kind(), bt.Underlying().Kind()
	switch {
	case isArithmetic(at) && isArithmetic(bt):
		return common(promoted(a), promoted(b)), nil
	case ak == ctype.Void || bk == ctype.Void:
		return ctype.VoidType(), nil
	case ak == ctype.Pointer && bk == ctype.Pointer && bt.Underlying().Elem().Underlying().Kind() == ctype.Void:
		return bt, nil
	case ak == ctype.Pointer && (bk == ctype.Pointer || isArithmetic(bt) && bk != ctype.Float):
		return at, nil
	case bk == ctype.Pointer && isArithmetic(at) && ak != ctype.Float:
		return bt, nil
	case at.Underlying() == bt.Underlying():
		return nil, nil
	case ak == ctype.Array && bk == ctype.Array && at.Underlying().Elem().Underlying() == bt.Underlying().Elem().Underlying():
		return nil, nil // constant strings: they are in no memory that a pointer could lead to
	}
	return nil, fmt.Errorf("the branches are of types %s and %s", at, bt)
}

// precedence of the binary operators; a higher one binds tighter. @ is gdb's.
var precedence = map[string]int{
	"||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7, ">=": 7,
	"<<": 8, ">>": 8, "@": 9, "+": 10, "-": 10, "*": 11, "/": 11, "%": 11,
}

// binary reads operators of at least the given precedence, from left to right.
func (p *parser) binary(least int) (value.Value, error) {
	left, err := p.unary()
	if err != nil {
		return left, err
	}
	for p.tok.kind == tokPunct && precedence[p.tok.text] >= least {
		op := p.tok
		if err := p.next(); err != nil {
			return left, err
		}
		if op.text == "&&" || op.text == "||" {
			left, err = p.logical(op, left)
		} else {
			var right value.Value
			if right, err = p.binary(precedence[op.text] + 1); err != nil {
				return right, err
			}
			left, err = p.apply(op.text, left, right)
		}
		if err != nil {
			return left, p.fail(op, err)
		}
	}
	return left, nil
}

// logical evaluates && and ||: the right side only if it decides.
func (p *parser) logical(op token, left value.Value) (value.Value, error) {
	l, err := p.truth(op, left)
	if err != nil {
		return left, err
	}
	decided := l == (op.text == "||")
	right, err := p.skipUnless(!decided, func() (value.Value, error) { return p.binary(precedence[op.text] + 1) })
	if err != nil {
		return right, err
	}
	if decided {
		if _, err := decay(right); err != nil {
			return right, err
		}
		return boolean(l), nil
	}
	r, err := p.truth(op, right)
	return boolean(r), err
}

// truth is whether v counts as true.
func (p *parser) truth(at token, v value.Value) (bool, error) {
	d, err := decay(v)
	if err != nil || p.skip > 0 {
		return false, p.fail(at, err)
	}
	if d.Type().Underlying().Kind() == ctype.Void {
		return false, p.errorf(at, "void has no value")
	}
	b, err := d.Bool()
	return b, p.fail(at, err)
}

func boolean(b bool) value.Value {
	if b {
		return value.Const(typeInt, 1)
	}
	return value.Const(typeInt, 0)
}

// unary = ( "-" | "+" | "!" | "~" | "*" | "&" ) unary | sizeof | cast | postfix
func (p *parser) unary() (value.Value, error) {
	if err := p.enter(); err != nil {
		return value.Value{}, err
	}
	defer p.leave()
	op := p.tok
	switch op.kind {
	case tokName:
		switch op.text {
		case "sizeof", "_Alignof", "offsetof", "__builtin_offsetof":
			return p.builtin(op)
		}
	case tokPunct:
		switch op.text {
		case "-", "+", "!", "~", "*", "&":
			if err := p.next(); err != nil {
				return value.Value{}, err
			}
			v, err := p.unary()
			if err != nil {
				return v, err
			}
			v, err = p.prefix(op.text, v)
			return v, p.fail(op, err)
		case "&&":
			return value.Value{}, p.errorf(op, "an operand was expected")
		case "++", "--":
			return value.Value{}, p.errorf(op, "a dump cannot be written to")
		case "(":
			return p.parenthesis()
		}
	}
	return p.postfix()
}

// parenthesis reads a cast or an expression in parentheses.
func (p *parser) parenthesis() (value.Value, error) {
	open := p.tok
	if err := p.next(); err != nil {
		return value.Value{}, err
	}
	if p.startsType() {
		t, err := p.typeName()
		if err != nil {
			return value.Value{}, err
		}
		if err := p.expect(")"); err != nil {
			return value.Value{}, err
		}
		v, err := p.unary()
		if err != nil {
			return v, err
		}
		v, err = p.cast(v, t)
		return v, p.fail(open, err)
	}
	// A colon in parentheses belongs to a conditional within them only.
	outer := p.ternary
	p.ternary = 0
	v, err := p.comma()
	p.ternary = outer
	if err != nil {
		return v, err
	}
	if err := p.expect(")"); err != nil {
		return v, err
	}
	return p.suffix(v)
}

// typeOrExpr reads "( type )" or a unary expression, unevaluated. The type is
// nil if it was an expression.
func (p *parser) typeOrExpr() (value.Value, *ctype.Type, error) {
	p.skip++
	defer func() { p.skip-- }()
	if !p.tok.is("(") {
		v, err := p.unary()
		return v, nil, err
	}
	saved, savedTok := p.lexer, p.tok
	if err := p.next(); err != nil {
		return value.Value{}, nil, err
	}
	if p.startsType() {
		t, err := p.typeName()
		if err != nil {
			return value.Value{}, nil, err
		}
		return value.Value{}, t, p.expect(")")
	}
	p.lexer, p.tok = saved, savedTok
	v, err := p.unary()
	return v, nil, err
}

// builtin reads sizeof and offsetof.
func (p *parser) builtin(op token) (value.Value, error) {
	if err := p.next(); err != nil {
		return value.Value{}, err
	}
	if op.text != "sizeof" {
		return p.offsetof(op)
	}
	v, t, err := p.typeOrExpr()
	if err != nil {
		return v, err
	}
	if t == nil {
		t = v.Type()
		if _, ok := v.BitField(); ok {
			return v, p.errorf(op, "a bit-field has no size in bytes")
		}
	}
	size := t.Size()
	switch k := t.Underlying().Kind(); {
	case k == ctype.Void || k == ctype.Func:
		size = 1
	case (k == ctype.Struct || k == ctype.Union || k == ctype.Enum) && t.Underlying().Incomplete():
		return v, p.errorf(op, "the size of %s is not known", t)
	}
	return value.Const(typeUlong, uint64(size)), nil
}

// offsetof = "offsetof" "(" type "," member { "." member | "[" index "]" } ")"
func (p *parser) offsetof(op token) (value.Value, error) {
	if op.text == "_Alignof" {
		return value.Value{}, p.errorf(op, "not supported")
	}
	if err := p.expect("("); err != nil {
		return value.Value{}, err
	}
	t, err := p.typeName()
	if err != nil {
		return value.Value{}, err
	}
	if !p.tok.is(",") {
		return value.Value{}, p.errorf(p.tok, "\",\" was expected")
	}
	start := p.pos
	for !p.tok.is(")") && p.tok.kind != tokEnd {
		if err := p.next(); err != nil {
			return value.Value{}, err
		}
	}
	if p.tok.kind == tokEnd {
		return value.Value{}, p.errorf(p.tok, "\")\" was expected")
	}
	off, _, err := value.Offset(t, trim(p.src[start:p.tok.at]))
	if err != nil {
		return value.Value{}, p.fail(op, err)
	}
	if err := p.next(); err != nil {
		return value.Value{}, err
	}
	return value.Const(typeUlong, uint64(off)), nil
}

// prefix applies a unary operator.
func (p *parser) prefix(op string, v value.Value) (value.Value, error) {
	switch op {
	case "*":
		return p.deref(v)
	case "&":
		return addressOf(v)
	case "!":
		t, err := p.truth(p.tok, v)
		return boolean(!t), err
	}
	d, err := decay(v)
	if err != nil {
		return v, err
	}
	if op == "~" && d.Type().Underlying().Kind() == ctype.Float || !isArithmetic(d.Type()) {
		return v, fmt.Errorf("%s%s has no meaning", op, d.Type())
	}
	if op == "~" {
		return p.apply("^", d, value.Const(typeInt, ^uint64(0)))
	}
	if d.Type().Underlying().Kind() == ctype.Float && op == "-" {
		return p.apply("*", d, value.Const(typeInt, ^uint64(0)))
	}
	zero := value.Const(typeInt, 0)
	return p.apply(op, zero, d)
}

func (p *parser) deref(v value.Value) (value.Value, error) {
	u := v.Type().Underlying()
	if u.Kind() == ctype.Int { // as in gdb, an int at that address
		addr, err := v.Uint()
		if p.skip > 0 {
			err = nil
		}
		return value.New(p.scope.Memory(), typeInt, addr), err
	}
	if p.skip > 0 && (u.Kind() == ctype.Pointer || u.Kind() == ctype.Array) {
		// The place does not matter, its type does.
		v = value.ConstIn(p.scope.Memory(), ctype.PointerTo(u.Elem()), 0)
	}
	return v.Deref()
}

func addressOf(v value.Value) (value.Value, error) {
	addr, ok := v.Addr()
	if !ok {
		return v, fmt.Errorf("a computed value has no address")
	}
	if _, ok := v.BitField(); ok {
		return v, fmt.Errorf("a bit-field has no address")
	}
	return value.ConstIn(v.Memory(), ctype.PointerTo(v.Type()), addr), nil
}
