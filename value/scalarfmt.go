package value

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"

	"github.com/kdive/kdive/ctype"
)

// isChar reports whether gdb treats u (without typedefs) as a character: every
// integer of one byte.
func isChar(u *ctype.Type) bool { return u.Kind() == ctype.Int && u.Size() == 1 }

func (p *printer) integer(v Value, u *ctype.Type) {
	if u.Size() == 16 && v.bit.size == 0 {
		p.wide(v)
		return
	}
	n, err := v.Uint()
	switch {
	case err != nil:
		p.fault(err)
	case p.hex:
		p.hexadecimal(extend(n, 8*u.Size(), false))
	case u.Kind() == ctype.Bool && n <= 1:
		p.out = strconv.AppendBool(p.out, n == 1)
	case isChar(u):
		p.decimal(n, u)
		p.text(" '")
		p.char(byte(n), '\'')
		p.text("'")
	default:
		p.decimal(n, u)
	}
}

func (p *printer) decimal(n uint64, u *ctype.Type) {
	if u.Signed() {
		p.out = strconv.AppendInt(p.out, int64(n), 10)
	} else {
		p.out = strconv.AppendUint(p.out, n, 10)
	}
}

func (p *printer) hexadecimal(n uint64) {
	p.text("0x")
	p.out = strconv.AppendUint(p.out, n, 16)
}

func (p *printer) wide(v Value) {
	w, err := v.Wide()
	if err != nil {
		p.fault(err)
		return
	}
	if p.hex {
		if w.Sign() < 0 {
			w.Add(w, new(big.Int).Lsh(big.NewInt(1), 128))
		}
		p.text("0x")
		p.out = w.Append(p.out, 16)
		return
	}
	p.out = w.Append(p.out, 10)
}

func (p *printer) float(v Value, u *ctype.Type) {
	if u.Size() == 16 && !v.immediate() {
		p.extended(v)
		return
	}
	f, err := v.Float()
	if err != nil {
		p.fault(err)
		return
	}
	switch {
	case math.IsInf(f, 0):
		if f < 0 {
			p.text("-")
		}
		p.text("inf")
	case math.IsNaN(f):
		p.nan(v, u)
	case u.Size() == 4:
		p.out = strconv.AppendFloat(p.out, f, 'g', 9, 64)
	default:
		p.out = strconv.AppendFloat(p.out, f, 'g', 17, 64)
	}
}

func (p *printer) extended(v Value) {
	b, err := v.raw(16)
	if err != nil {
		p.fault(err)
		return
	}
	x, ok := extended(b)
	if !ok {
		p.text("<invalid float value>")
		return
	}
	p.out = x.Append(p.out, 'g', 21)
}

// nan prints the sign and the mantissa of a value that is no number.
func (p *printer) nan(v Value, u *ctype.Type) {
	size, mantissa := u.Size(), 52
	if size == 4 {
		mantissa = 23
	}
	n := v.addr
	if !v.immediate() {
		b, err := v.raw(size)
		if err != nil {
			p.fault(err)
			return
		}
		n = Number(b)
	}
	if n>>(8*size-1)&1 != 0 {
		p.text("-")
	}
	p.text("nan(")
	p.hexadecimal(n & (1<<mantissa - 1))
	p.text(")")
}

// enum prints the name of the enumerator with the value; for enums whose
// enumerators are single bits, the names of the bits that are set.
func (p *printer) enum(v Value, u *ctype.Type) {
	n, err := v.Uint()
	if err != nil {
		p.fault(err)
		return
	}
	if name, ok := u.EnumName(int64(n)); ok {
		p.text(name)
		return
	}
	if !u.FlagEnum() {
		p.decimal(n, u)
		return
	}
	n = extend(n, 8*u.Size(), false)
	if n == 0 {
		p.text("0")
		return
	}
	sep := "("
	for _, e := range u.Enumerators() {
		if bits.OnesCount64(uint64(e.Value)) == 1 && n&uint64(e.Value) != 0 {
			n &^= uint64(e.Value)
			p.text(sep)
			p.text(e.Name)
			sep = " | "
		}
	}
	if n != 0 {
		p.text(sep)
		p.text("unknown: ")
		p.hexadecimal(n)
	}
	p.text(")")
}

func (p *printer) pointer(v Value, u *ctype.Type) {
	addr, err := v.Uint()
	if err != nil {
		p.fault(err)
		return
	}
	p.address(addr)
	if addr != 0 && isChar(u.Elem().Underlying()) {
		p.text(" ")
		p.stringAt(v.mem, addr)
	}
}

// address prints an address and the symbol that contains it.
func (p *printer) address(addr uint64) {
	p.hexadecimal(addr)
	if p.Names == nil {
		return
	}
	name, off, ok := p.Names.SymbolAt(addr)
	if !ok {
		p.object(addr)
		return
	}
	p.text(" <")
	p.text(name)
	if off != 0 {
		p.text("+")
		p.out = strconv.AppendUint(p.out, off, 10)
	}
	p.text(">")
}

// object prints the object that an address in no symbol is in, if Names knows
// objects.
func (p *printer) object(addr uint64) {
	names, ok := p.Names.(Objects)
	if !ok {
		return
	}
	o, ok := names.ObjectAt(addr)
	if !ok {
		return
	}
	p.text(" <[")
	p.text(o.Cache)
	p.text("]")
	if o.Type != "" {
		p.text(" ")
		p.text(o.Type)
	}
	if o.Offset != 0 {
		p.text("+")
		p.out = strconv.AppendInt(p.out, o.Offset, 10)
	}
	p.text(">")
}
