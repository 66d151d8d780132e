package expr

import (
	"fmt"
	"math/big"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/value"
)

// apply evaluates a binary operator.
func (p *parser) apply(op string, a, b value.Value) (value.Value, error) {
	if op == "@" {
		return p.repeat(a, b)
	}
	a, err := decay(a)
	if err != nil {
		return a, err
	}
	if b, err = decay(b); err != nil {
		return b, err
	}
	ak, bk := a.Type().Underlying().Kind(), b.Type().Underlying().Kind()
	if ak == ctype.Void || bk == ctype.Void {
		return a, fmt.Errorf("void has no value")
	}
	if ak == ctype.Pointer || bk == ctype.Pointer {
		return p.pointers(op, a, b)
	}
	return p.arithmetic(op, a, b)
}

// repeat makes the array of n objects that begins with v.
func (p *parser) repeat(v, n value.Value) (value.Value, error) {
	addr, ok := v.Addr()
	if _, bits := v.BitField(); !ok || bits {
		return v, fmt.Errorf("only objects in memory can be repeated with @")
	}
	if k := n.Type().Underlying().Kind(); k != ctype.Int && k != ctype.Enum {
		return v, fmt.Errorf("the count behind @ is not an integer")
	}
	count, err := n.Int()
	if err != nil && p.skip == 0 {
		return v, err
	}
	if p.skip > 0 && count <= 0 {
		count = 1 // not known here
	}
	if count <= 0 || count > maxElements {
		return v, fmt.Errorf("the count behind @ is %d", count)
	}
	return value.New(v.Memory(), ctype.ArrayOf(v.Type(), count), addr), nil
}

// stride is how far a pointer moves for one element; void and functions count
// as one byte, as in GNU C.
func stride(pointer *ctype.Type) (uint64, error) {
	e := pointer.Underlying().Elem()
	size := e.Size()
	switch k := e.Underlying().Kind(); {
	case k == ctype.Void || k == ctype.Func:
		return 1, nil
	case size <= 0:
		return 0, fmt.Errorf("the size of %s is not known", e)
	}
	return uint64(size), nil
}

// pointers evaluates an operator with a pointer on at least one side. Bit
// operations take its address as unsigned long.
func (p *parser) pointers(op string, a, b value.Value) (value.Value, error) {
	ap, bp := a.Type().Underlying().Kind() == ctype.Pointer, b.Type().Underlying().Kind() == ctype.Pointer
	for _, v := range []value.Value{a, b} {
		if v.Type().Underlying().Kind() == ctype.Float {
			return a, fmt.Errorf("%s %s %s has no meaning", a.Type(), op, b.Type())
		}
	}
	switch {
	case op == "-" && ap && bp:
		return p.difference(a, b)
	case op == "+" && bp && !ap:
		a, b = b, a
		fallthrough
	case (op == "+" || op == "-") && ap && !bp:
		return p.move(op, a, b)
	case op == "+" || op == "-":
		return a, fmt.Errorf("%s %s %s has no meaning", a.Type(), op, b.Type())
	}
	var err error
	if ap {
		if a, err = p.cast(a, typeUlong); err != nil {
			return a, err
		}
	}
	if bp {
		if b, err = p.cast(b, typeUlong); err != nil {
			return b, err
		}
	}
	return p.arithmetic(op, a, b)
}

func (p *parser) difference(a, b value.Value) (value.Value, error) {
	as, err := stride(a.Type())
	if err != nil {
		return a, err
	}
	bs, err := stride(b.Type())
	if err != nil {
		return b, err
	}
	if as != bs {
		return a, fmt.Errorf("%s - %s: objects of different size", a.Type(), b.Type())
	}
	if p.skip > 0 {
		return value.Const(typeLong, 0), nil
	}
	x, err := a.Uint()
	if err != nil {
		return a, err
	}
	y, err := b.Uint()
	return value.Const(typeLong, uint64(int64(x-y)/int64(as))), err
}

func (p *parser) move(op string, a, n value.Value) (value.Value, error) {
	step, err := stride(a.Type())
	if err != nil || p.skip > 0 {
		return value.Const(a.Type(), 0), err
	}
	addr, err := a.Uint()
	if err != nil {
		return a, err
	}
	by, err := n.Uint()
	if op == "-" {
		by = -by
	}
	return value.ConstIn(a.Memory(), a.Type(), addr+by*step), err
}

func isComparison(op string) bool { return precedence[op] == 6 || precedence[op] == 7 }

// arithmetic evaluates an operator on two numbers.
func (p *parser) arithmetic(op string, a, b value.Value) (value.Value, error) {
	at, bt := promoted(a), promoted(b)
	t := common(at, bt)
	if op == "<<" || op == ">>" {
		t = at
	}
	result := t
	if isComparison(op) {
		result = typeInt
	}
	if t.Kind() == ctype.Float && precedence[op] < 10 && !isComparison(op) || (op == "<<" || op == ">>") && bt.Kind() == ctype.Float || op == "%" && t.Kind() == ctype.Float {
		return a, fmt.Errorf("%s %s %s has no meaning", a.Type(), op, b.Type())
	}
	if p.skip > 0 && !(isConstant(a) && isConstant(b)) {
		return value.Const(result, 0), nil
	}
	v, err := p.calculate(op, a, b, t, result)
	if err != nil && p.skip > 0 {
		return value.Const(result, 0), nil
	}
	return v, err
}

// isConstant reports whether v is known without reading memory.
func isConstant(v value.Value) bool { return !isObject(v) }

// calculate evaluates op in type t.
func (p *parser) calculate(op string, a, b value.Value, t, result *ctype.Type) (value.Value, error) {
	switch {
	case t.Kind() == ctype.Float:
		return floats(op, a, b, t)
	case t.Size() > 8:
		return p.wides(op, a, b, t)
	}
	x, err := a.Uint()
	if err != nil {
		return a, err
	}
	y, err := b.Uint()
	if err != nil {
		return b, err
	}
	if op != "<<" && op != ">>" {
		y = convertBits(y, t)
	}
	n, err := integers(op, convertBits(x, t), y, t)
	return value.Const(result, n), err
}

// convertBits converts to an int, unsigned, long or unsigned long kept in 64 bits.
func convertBits(n uint64, t *ctype.Type) uint64 {
	switch {
	case t.Size() > 4:
		return n
	case t.Signed():
		return uint64(int64(int32(n)))
	}
	return uint64(uint32(n))
}

func integers(op string, x, y uint64, t *ctype.Type) (uint64, error) {
	signed := t.Signed()
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "/", "%":
		return divide(op, x, y, signed)
	case "&":
		return x & y, nil
	case "|":
		return x | y, nil
	case "^":
		return x ^ y, nil
	case "<<", ">>":
		if y >= uint64(8*t.Size()) {
			return 0, fmt.Errorf("shift of %s by %d bits", t, int64(y))
		}
		switch {
		case op == "<<":
			return x << y, nil
		case signed:
			return uint64(int64(x) >> y), nil
		}
		return x >> y, nil
	}
	order := 0
	switch {
	case x == y:
	case signed && int64(x) < int64(y) || !signed && x < y:
		order = -1
	default:
		order = 1
	}
	return compare(op, order)
}

func divide(op string, x, y uint64, signed bool) (uint64, error) {
	switch {
	case y == 0:
		return 0, errZero
	case op == "/" && signed:
		return uint64(int64(x) / int64(y)), nil
	case op == "/":
		return x / y, nil
	case signed:
		return uint64(int64(x) % int64(y)), nil
	}
	return x % y, nil
}

var errZero = fmt.Errorf("division by zero")

// compare turns an order (-1, 0, 1) into the result of a comparison.
func compare(op string, order int) (uint64, error) {
	var yes bool
	switch op {
	case "==":
		yes = order == 0
	case "!=":
		yes = order != 0
	case "<":
		yes = order < 0
	case ">":
		yes = order > 0
	case "<=":
		yes = order <= 0
	case ">=":
		yes = order >= 0
	default:
		return 0, fmt.Errorf("unknown operator %s", op)
	}
	if yes {
		return 1, nil
	}
	return 0, nil
}

func floats(op string, a, b value.Value, t *ctype.Type) (value.Value, error) {
	x, err := a.Float()
	if err != nil {
		return a, err
	}
	y, err := b.Float()
	if err != nil {
		return b, err
	}
	switch op {
	case "+":
		return floatConst(x+y, t), nil
	case "-":
		return floatConst(x-y, t), nil
	case "*":
		return floatConst(x*y, t), nil
	case "/":
		return floatConst(x/y, t), nil
	}
	order := 0
	switch {
	case x < y:
		order = -1
	case x > y:
		order = 1
	case x != y: // not a number
		return boolean(op == "!="), nil
	}
	n, err := compare(op, order)
	return value.Const(typeInt, n), err
}

// wides evaluates operators on 128-bit integers.
func (p *parser) wides(op string, a, b value.Value, t *ctype.Type) (value.Value, error) {
	x, err := a.Wide()
	if err != nil {
		return a, err
	}
	y, err := b.Wide()
	if err != nil {
		return b, err
	}
	if !t.Signed() {
		mod := new(big.Int).Lsh(big.NewInt(1), 128)
		x, y = new(big.Int).Mod(x, mod), new(big.Int).Mod(y, mod)
	}
	r := new(big.Int)
	switch op {
	case "+":
		r.Add(x, y)
	case "-":
		r.Sub(x, y)
	case "*":
		r.Mul(x, y)
	case "/", "%":
		if y.Sign() == 0 {
			return a, errZero
		}
		if op == "/" {
			r.Quo(x, y)
		} else {
			r.Rem(x, y)
		}
	case "&":
		r.And(x, y)
	case "|":
		r.Or(x, y)
	case "^":
		r.Xor(x, y)
	case "<<", ">>":
		if !y.IsUint64() || y.Uint64() >= 128 {
			return a, fmt.Errorf("shift of %s by %s bits", t, y)
		}
		if op == "<<" {
			r.Lsh(x, uint(y.Uint64()))
		} else {
			r.Rsh(x, uint(y.Uint64()))
		}
	default:
		n, err := compare(op, x.Cmp(y))
		return value.Const(typeInt, n), err
	}
	return wideConst(p.scope.Memory(), t, r), nil
}
