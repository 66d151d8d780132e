package expr

import (
	"strings"

	"github.com/kdive/kdive/ctype"
)

// Bounds on types that an expression makes.
const (
	maxElements = 1 << 40 // of an array
	maxDerived  = 32      // pointers, arrays and functions around one base type
)

// derive makes a type from the one inside of it: a pointer to it, an array of it.
type derive func(*ctype.Type) *ctype.Type

func pointer(t *ctype.Type) *ctype.Type { return ctype.PointerTo(t) }

// abstract reads an abstract declarator and applies it to base.
func (p *parser) abstract(base *ctype.Type) (*ctype.Type, error) {
	at := p.tok
	steps, err := p.declarator()
	if err != nil {
		return nil, err
	}
	if len(steps) > maxDerived {
		return nil, p.errorf(at, "a type of more than %d levels", maxDerived)
	}
	for _, d := range steps {
		base = d(base)
	}
	return base, nil
}

// declarator reads the stars, parentheses, bounds and parameter lists around the
// name that an abstract declarator does not have, in the order in which they
// apply to the base type: stars, then what stands on the right, then what stands
// in the parentheses.
func (p *parser) declarator() ([]derive, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var steps []derive
	for p.tok.is("*") {
		if err := p.next(); err != nil {
			return nil, err
		}
		steps = append(steps, pointer)
		for k, ok := p.qualifier(); ok; k, ok = p.qualifier() {
			steps = append(steps, func(t *ctype.Type) *ctype.Type { return ctype.New(k, "", ctype.Def{Elem: t}) })
			if err := p.next(); err != nil {
				return nil, err
			}
		}
	}
	// "(*" and "((" begin a nested declarator; any other "(" a parameter list.
	var inner []derive
	if p.tok.is("(") {
		rest := strings.TrimLeft(p.src[p.pos:], " \t\r\n")
		if strings.HasPrefix(rest, "*") || strings.HasPrefix(rest, "(") {
			var err error
			if err = p.next(); err != nil {
				return nil, err
			}
			if inner, err = p.declarator(); err != nil {
				return nil, err
			}
			if err = p.expect(")"); err != nil {
				return nil, err
			}
		}
	}
	right, err := p.suffixes()
	return append(append(steps, right...), inner...), err
}

// suffixes reads bounds and parameter lists.
func (p *parser) suffixes() ([]derive, error) {
	var steps []derive
	for p.tok.is("[") {
		n, err := p.bound()
		if err != nil {
			return nil, err
		}
		steps = append(steps, func(t *ctype.Type) *ctype.Type { return ctype.ArrayOf(t, n) })
	}
	// The innermost dimension stands last and applies first.
	for i, j := 0, len(steps)-1; i < j; i, j = i+1, j-1 {
		steps[i], steps[j] = steps[j], steps[i]
	}
	if len(steps) > 0 || !p.tok.is("(") {
		return steps, nil
	}
	def, err := p.params()
	return []derive{func(t *ctype.Type) *ctype.Type {
		def.Elem = t
		return ctype.New(ctype.Func, "", def)
	}}, err
}

func (p *parser) bound() (int64, error) {
	if err := p.next(); err != nil {
		return 0, err
	}
	n := int64(ctype.Flexible)
	if !p.tok.is("]") {
		at := p.tok
		v, err := p.conditional()
		if err != nil {
			return 0, err
		}
		if n, err = v.Int(); err != nil || n < 0 || n > maxElements {
			return 0, p.errorf(at, "not a number of elements")
		}
	}
	return n, p.expect("]")
}

func (p *parser) params() (ctype.Def, error) {
	var def ctype.Def
	if err := p.next(); err != nil {
		return def, err
	}
	for !p.tok.is(")") {
		if len(def.Params) > 0 {
			if err := p.expect(","); err != nil {
				return def, err
			}
		}
		if p.tok.is(".") { // ...
			for range 3 {
				if err := p.expect("."); err != nil {
					return def, err
				}
			}
			def.Variadic = true
			break
		}
		t, err := p.typeName()
		if err != nil {
			return def, err
		}
		def.Params = append(def.Params, ctype.Param{Type: t})
	}
	if len(def.Params) == 1 && def.Params[0].Type.Underlying().Kind() == ctype.Void {
		def.Params = nil
	}
	return def, p.expect(")")
}
