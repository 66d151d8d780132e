package expr

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/value"
)

func trim(s string) string { return strings.TrimSpace(s) }

// postfix = primary { "[" comma "]" | "." name | "->" name }
func (p *parser) postfix() (value.Value, error) {
	v, err := p.primary()
	if err != nil {
		return v, err
	}
	return p.suffix(v)
}

func (p *parser) suffix(v value.Value) (value.Value, error) {
	for {
		op := p.tok
		var err error
		switch {
		case op.is("["):
			v, err = p.index(v)
		case op.is("."), op.is("->"):
			if err = p.next(); err != nil {
				return v, err
			}
			name := p.tok
			if name.kind != tokName {
				return v, p.errorf(name, "the name of a member was expected")
			}
			if v, err = p.member(v, name.text); err != nil {
				return v, p.fail(name, err)
			}
			err = p.next()
		case op.is("("):
			return v, p.errorf(op, "functions of a dump cannot be called")
		case op.is("++"), op.is("--"):
			return v, p.errorf(op, "a dump cannot be written to")
		default:
			return v, nil
		}
		if err != nil {
			return v, p.fail(op, err)
		}
	}
}

func (p *parser) member(v value.Value, name string) (value.Value, error) {
	if p.skip > 0 && v.Type().Underlying().Kind() == ctype.Pointer {
		v = value.New(nil, v.Type().Underlying().Elem(), 0)
	}
	return v.Member(name)
}

func (p *parser) index(v value.Value) (value.Value, error) {
	if err := p.next(); err != nil {
		return v, err
	}
	at := p.tok
	outer := p.ternary
	p.ternary = 0
	i, err := p.comma()
	p.ternary = outer
	if err != nil {
		return v, err
	}
	if err := p.expect("]"); err != nil {
		return v, err
	}
	k := v.Type().Underlying().Kind()
	if k == ctype.Unknown {
		return v, errUntyped
	}
	if k != ctype.Pointer && k != ctype.Array {
		v, i = i, v // 3[array]
	}
	if k := i.Type().Underlying().Kind(); k != ctype.Int && k != ctype.Enum && k != ctype.Bool {
		return v, p.errorf(at, "%s cannot be an index", i.Type())
	}
	if p.skip > 0 {
		if u := v.Type().Underlying(); u.Kind() == ctype.Array {
			return value.New(nil, u.Elem(), 0), nil
		}
		return p.deref(v)
	}
	n, err := i.Int()
	if err != nil {
		return v, p.fail(at, err)
	}
	return v.Index(n)
}

func (p *parser) primary() (value.Value, error) {
	t := p.tok
	// A file name can look like many things: go by the :: behind it.
	if t.kind == tokName || t.kind == tokInt {
		if n := fileLen(p.src[t.at:], ""); n > 0 && strings.HasPrefix(p.src[t.at+n:], "::") {
			p.pos = t.at + n
			if err := p.next(); err != nil {
				return value.Value{}, err
			}
			return p.inFile(p.src[t.at : t.at+n])
		}
	}
	if t.kind != tokEnd && t.kind != tokPunct {
		if err := p.next(); err != nil {
			return value.Value{}, err
		}
	}
	switch t.kind {
	case tokInt:
		return value.Const(t.typ, t.num), nil
	case tokFloat:
		return floatConst(t.flt, t.typ), nil
	case tokChar:
		return value.Const(typeChar, t.num), nil
	case tokString:
		if p.tok.is("::") {
			return p.inFile(t.str)
		}
		return p.stringLiteral(t.str)
	case tokDollar:
		v, err := p.dollar(t.text)
		return v, p.fail(t, err)
	case tokName:
		v, err := p.name(t, "")
		return v, p.fail(t, err)
	case tokPunct:
		if t.is("{") {
			return p.typedAddress()
		}
	}
	return value.Value{}, p.errorf(t, "an operand was expected")
}

func floatConst(f float64, t *ctype.Type) value.Value {
	if t.Size() == 4 {
		return value.Const(t, uint64(math.Float32bits(float32(f))))
	}
	return value.Const(t, math.Float64bits(f))
}

// stringLiteral joins adjacent literals to an array of char.
func (p *parser) stringLiteral(s string) (value.Value, error) {
	b := []byte(s)
	for p.tok.kind == tokString {
		b = append(b, p.tok.str...)
		if err := p.next(); err != nil {
			return value.Value{}, err
		}
	}
	b = append(b, 0)
	return value.FromBytes(p.scope.Memory(), ctype.ArrayOf(typeChar, int64(len(b))), b), nil
}

// inFile reads the name after "file::".
func (p *parser) inFile(file string) (value.Value, error) {
	if err := p.expect("::"); err != nil {
		return value.Value{}, err
	}
	t := p.tok
	if t.kind != tokName {
		return value.Value{}, p.errorf(t, "the name of a variable was expected")
	}
	if err := p.next(); err != nil {
		return value.Value{}, err
	}
	v, err := p.name(t, file)
	return v, p.fail(t, err)
}

// name finds a variable, function or enumerator. A colon right behind the name
// of a per-CPU variable selects CPUs.
func (p *parser) name(t token, file string) (value.Value, error) {
	if p.ternary == 0 && p.tok.is(":") && p.tok.at == t.at+len(t.text) {
		n := 0
		for rest := p.src[p.pos:]; n < len(rest) && (isDigit(rest[n]) || isName(rest[n]) || rest[n] == ',' || rest[n] == '-'); {
			n++
		}
		copies, err := p.scope.PerCPU(t.text, file, p.src[p.pos:p.pos+n])
		if err == nil || !errors.Is(err, ErrUnknown) {
			return p.perCPU(n, copies, err)
		}
	}
	v, err := p.scope.Variable(t.text, file)
	if err == nil || !errors.Is(err, ErrUnknown) {
		return v, err
	}
	if n, enum, ok := p.scope.Enumerator(t.text); ok && file == "" {
		return value.Const(enum, uint64(n)), nil
	}
	if w := fmt.Sprint(err); w != ErrUnknown.Error() {
		return v, err
	}
	return v, unknownError("no variable, function or enumerator of this name")
}

// perCPU takes the copy whose turn it is; the specification has n bytes.
func (p *parser) perCPU(n int, copies []PerCPU, err error) (value.Value, error) {
	if err != nil {
		return value.Value{}, err
	}
	if len(copies) == 0 {
		return value.Value{}, fmt.Errorf("names no CPU")
	}
	if p.cpus == nil {
		for _, c := range copies {
			p.cpus = append(p.cpus, c.CPU)
		}
	}
	p.pos += n
	if err := p.next(); err != nil {
		return value.Value{}, err
	}
	// A second per-CPU variable goes along with the first one's CPU.
	if p.nth < len(p.cpus) {
		for _, c := range copies {
			if c.CPU == p.cpus[p.nth] {
				return c.Value, nil
			}
		}
	}
	return copies[min(p.nth, len(copies)-1)].Value, nil
}

// dollar is $, $$, $n, $$n of the history, or a register.
func (p *parser) dollar(text string) (value.Value, error) {
	name := strings.TrimLeft(text, "$")
	dollars := len(text) - len(name)
	if dollars > 2 {
		return value.Value{}, fmt.Errorf("neither history nor register")
	}
	n, err := strconv.Atoi(name)
	switch {
	case name == "":
		n = 1 - dollars
	case err == nil && dollars == 2:
		n = -n
	case err == nil && n > 0:
	case dollars == 1 && err != nil:
		if v, ok := p.scope.Register(name); ok {
			return v, nil
		}
		return value.Value{}, fmt.Errorf("no register of this name is known")
	}
	if v, ok := p.scope.History(n); ok {
		return v, nil
	}
	return value.Value{}, fmt.Errorf("not in the history")
}

// typedAddress = "{" type "}" unary: the object of that type at an address.
func (p *parser) typedAddress() (value.Value, error) {
	open := p.tok
	if err := p.next(); err != nil {
		return value.Value{}, err
	}
	t, err := p.typeName()
	if err != nil {
		return value.Value{}, err
	}
	if err := p.expect("}"); err != nil {
		return value.Value{}, err
	}
	v, err := p.unary()
	if err != nil {
		return v, err
	}
	if v, err = p.cast(v, ctype.PointerTo(t)); err == nil {
		v, err = p.deref(v)
	}
	return v, p.fail(open, err)
}
