package value

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/fault"
)

// JSON is a value as a tree of typed nodes, for encoding/json.
//
//	struct, union      object, members in declaration order; the members of
//	                   anonymous ones stand in the enclosing object
//	array              array; after Style.Max elements {"omitted": N}
//	integer            number, as a decimal string beyond ±2^53
//	bool               true, false; a number if it is neither
//	enum               {"value": 2, "name": "B"}; flags as {"value": 3, "flags": ["A", "B"]}
//	char array         string up to the first zero byte; if more follows it or it
//	                   is no UTF-8: {"text": "...", "hex": "..."}
//	unsigned char [n]  {"hex": "..."}
//	pointer            {"addr": "0xffff888003ad2a00"}, with "symbol": "name+8" and
//	                   for char pointers "text" where there are such
//	flexible array     as a pointer
//	beyond Style.Deep  {"truncated": true}
//	float              number; "nan", "inf", "-inf" as strings
//	unreadable memory  {"type": "fault", "reason": "excluded", "space": "kernel virtual",
//	                   "addr": "0x...", "detail": "..."}, or with "message" alone
//	lost variables     {"type": "fault", "reason": "lost", "message": "..."}
type JSON struct {
	Value Value
	Style Style // Max, Deep and Names count
}

// AppendJSON appends the JSON text to dst.
func (j JSON) AppendJSON(dst []byte) []byte { return AppendJSON(dst, j.Value, j.Style) }

// MarshalJSON implements json.Marshaler.
func (j JSON) MarshalJSON() ([]byte, error) { return AppendJSON(nil, j.Value, j.Style), nil }

// AppendJSON appends the JSON text of v (see JSON) to dst.
func AppendJSON(dst []byte, v Value, s Style) []byte {
	p := jsonPrinter{newPrinter(dst, s)}
	p.value(v, 0)
	return p.out
}

type jsonPrinter struct{ *printer }

func (p jsonPrinter) key(name string, first bool) {
	if !first {
		p.text(",")
	}
	p.quote(name)
	p.text(":")
}

func (p jsonPrinter) quote(s string) {
	if plainASCII(s) {
		p.text(`"`)
		p.text(s)
		p.text(`"`)
		return
	}
	// encoding/json replaces what is not UTF-8 and cannot fail on a string.
	b, _ := json.Marshal(s)
	p.out = append(p.out, b...)
}

// plainASCII reports whether s stands for itself in a JSON string.
func plainASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

func (p jsonPrinter) value(v Value, level int) {
	u := v.typ.Underlying()
	kind := u.Kind()
	if (kind == ctype.Struct || kind == ctype.Union || kind == ctype.Array) && level >= p.Deep {
		p.text(`{"truncated":true}`)
		return
	}
	switch kind {
	case ctype.Struct, ctype.Union:
		v = p.load(v, u.Size())
		if err := v.absent(u.Size()); err != nil {
			p.fault(err)
			return
		}
		p.text("{")
		p.members(v, u, level, true)
		p.text("}")
	case ctype.Array:
		p.array(v, u, level)
	case ctype.Int:
		p.integer(v, u)
	case ctype.Bool:
		n, err := v.Uint()
		switch {
		case err != nil:
			p.fault(err)
		case n <= 1:
			p.out = strconv.AppendBool(p.out, n == 1)
		default:
			p.out = strconv.AppendUint(p.out, n, 10)
		}
	case ctype.Enum:
		p.enum(v, u)
	case ctype.Pointer:
		addr, err := v.Uint()
		if err != nil {
			p.fault(err)
			return
		}
		p.address(v.mem, addr, u.Elem())
	case ctype.Float:
		p.float(v)
	case ctype.Func:
		p.address(v.mem, v.addr, nil)
	default:
		p.text("null")
	}
}

// absent is why no byte of the object can be read, nil if one can.
func (v Value) absent(size int64) error {
	if v.blk == nil || size <= 0 {
		return nil
	}
	return v.blk.covered(v.off, size)
}

func (p jsonPrinter) members(v Value, u *ctype.Type, level int, first bool) bool {
	if v.immediate() {
		return first
	}
	for _, m := range u.Members() {
		if p.full() {
			break
		}
		if m.Name == "" {
			mu := m.Type.Underlying()
			if k := mu.Kind(); m.BitSize == 0 && (k == ctype.Struct || k == ctype.Union) && level < p.Deep {
				first = p.members(v.Field(m), mu, level+1, first)
			}
			continue
		}
		p.key(m.Name, first)
		first = false
		p.value(v.Field(m), level+1)
	}
	return first
}

func (p jsonPrinter) array(v Value, u *ctype.Type, level int) {
	elem := u.Elem()
	eu := elem.Underlying()
	size := elem.Size()
	if u.Size() <= 0 || size <= 0 || v.immediate() {
		p.address(v.mem, v.addr, elem)
		return
	}
	if isChar(eu) {
		p.chars(v, u.Size(), eu)
		return
	}
	n := u.Size() / size
	show := min(n, int64(p.Max))
	v = p.load(v, show*size)
	if err := v.absent(show * size); err != nil {
		p.fault(err)
		return
	}
	p.text("[")
	for i := range show {
		if p.full() {
			show = i
			break
		}
		if i > 0 {
			p.text(",")
		}
		p.value(v.elem(elem, i), level+1)
	}
	if show < n {
		if show > 0 {
			p.text(",")
		}
		p.text(`{"omitted":`)
		p.out = strconv.AppendInt(p.out, n-show, 10)
		p.text("}")
	}
	p.text("]")
}

// maxHex bounds how many bytes of a character array are given.
const maxHex = 64 << 10

func (p jsonPrinter) chars(v Value, n int64, u *ctype.Type) {
	b, err := p.load(v, min(n, maxHex)).raw(min(n, maxHex))
	if err != nil {
		p.fault(err)
		return
	}
	text := b
	for i, c := range b {
		if c == 0 {
			text = b[:i]
			break
		}
	}
	rest := b[len(text):]
	clean := utf8.Valid(text) && n <= maxHex
	for _, c := range rest {
		clean = clean && c == 0
	}
	plain := u.Name() == "char"
	if plain && clean {
		p.quote(string(text))
		return
	}
	p.text("{")
	if plain {
		p.key("text", true)
		p.quote(string(text))
	}
	p.key("hex", !plain)
	p.text(`"`)
	p.out = hex.AppendEncode(p.out, b)
	p.text(`"`)
	if n > maxHex {
		p.key("omitted", false)
		p.out = strconv.AppendInt(p.out, n-maxHex, 10)
	}
	p.text("}")
}

// maxExact is the largest integer up to which every JSON reader is exact.
const maxExact = 1 << 53

func (p jsonPrinter) integer(v Value, u *ctype.Type) {
	if u.Size() == 16 && v.bit.size == 0 {
		p.wideInteger(v)
		return
	}
	n, err := v.Uint()
	if err != nil {
		p.fault(err)
		return
	}
	exact := n <= maxExact || u.Signed() && int64(n) < 0 && int64(n) >= -maxExact
	if !exact {
		p.text(`"`)
	}
	p.decimal(n, u)
	if !exact {
		p.text(`"`)
	}
}

func (p jsonPrinter) wideInteger(v Value) {
	w, err := v.Wide()
	if err != nil {
		p.fault(err)
		return
	}
	exact := w.IsInt64() && w.Int64() <= maxExact && w.Int64() >= -maxExact
	if !exact {
		p.text(`"`)
	}
	p.out = w.Append(p.out, 10)
	if !exact {
		p.text(`"`)
	}
}

func (p jsonPrinter) enum(v Value, u *ctype.Type) {
	n, err := v.Uint()
	if err != nil {
		p.fault(err)
		return
	}
	p.text("{")
	p.key("value", true)
	p.integer(v, u)
	if name, ok := u.EnumName(int64(n)); ok {
		p.key("name", false)
		p.quote(name)
	} else if u.FlagEnum() {
		p.key("flags", false)
		p.text("[")
		first := true
		for _, e := range u.Enumerators() {
			if bits.OnesCount64(uint64(e.Value)) == 1 && n&uint64(e.Value) != 0 {
				n &^= uint64(e.Value)
				if !first {
					p.text(",")
				}
				first = false
				p.quote(e.Name)
			}
		}
		p.text("]")
	}
	p.text("}")
}

// address is a pointer to an object of type elem; nil for none.
func (p jsonPrinter) address(mem Memory, addr uint64, elem *ctype.Type) {
	p.text(`{"addr":"`)
	p.hexadecimal(addr)
	p.text(`"`)
	if p.Names != nil {
		if name, off, ok := p.Names.SymbolAt(addr); ok {
			if off != 0 {
				name += "+" + strconv.FormatUint(off, 10)
			}
			p.key("symbol", false)
			p.quote(name)
		} else if names, ok := p.Names.(Objects); ok {
			p.object(names, addr)
		}
	}
	if addr != 0 && elem != nil && isChar(elem.Underlying()) {
		if s, _, err := readString(mem, addr, p.Max); err == nil || len(s) > 0 {
			p.key("text", false)
			p.quote(string(s))
		}
	}
	p.text("}")
}

func (p jsonPrinter) float(v Value) {
	f, err := v.Float()
	switch {
	case err != nil:
		p.fault(err)
	case math.IsNaN(f):
		p.text(`"nan"`)
	case math.IsInf(f, 1):
		p.text(`"inf"`)
	case math.IsInf(f, -1):
		p.text(`"-inf"`)
	default:
		b, _ := json.Marshal(f)
		p.out = append(p.out, b...)
	}
}

func (p jsonPrinter) fault(err error) {
	p.text(`{"type":"fault"`)
	var e *fault.Error
	var lost *fault.Lost
	if errors.As(err, &lost) {
		p.text(`,"reason":"lost"`)
		p.key("message", false)
		p.quote(lost.Why)
		p.text("}")
		return
	}
	if !errors.As(err, &e) {
		p.key("message", false)
		p.quote(err.Error())
		p.text("}")
		return
	}
	p.key("reason", false)
	p.quote(e.Reason.String())
	p.key("space", false)
	p.quote(e.Space.String())
	p.key("addr", false)
	p.text(`"`)
	p.hexadecimal(e.Addr)
	p.text(`"`)
	if e.Detail != "" {
		p.key("detail", false)
		p.quote(e.Detail)
	}
	p.text("}")
}

// object is what a pointer to no symbol points to.
func (p jsonPrinter) object(names Objects, addr uint64) {
	o, ok := names.ObjectAt(addr)
	if !ok {
		return
	}
	p.key("object", false)
	p.text(`{"cache_name":`)
	p.quote(o.Cache)
	if o.Type != "" {
		p.key("ctype", false)
		p.quote(o.Type)
	}
	p.key("addr", false)
	p.text(`"`)
	p.hexadecimal(o.Addr)
	p.text(`"`)
	p.key("offset", false)
	p.text(strconv.FormatInt(o.Offset, 10))
	p.text("}")
}
