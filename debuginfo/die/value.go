package die

import (
	"bytes"
	"errors"
	"fmt"
)

// Value is the value of one attribute.
type Value struct {
	Form  Form
	U     uint64 // numbers, offsets, indexes; for strings in the entry their offset in .debug_info
	Block []byte // blocks, expressions, 16-byte data
	unit  *Unit
}

// Value decodes one value of a unit's entry.
func (b *Buf) Value(f Form, implicit int64, u *Unit) Value {
	for range maxIndirect {
		v := Value{Form: f, unit: u}
		n := FormShape(f, u.Version, u.AddrSize)
		switch n {
		case ShapeLeb:
			if f == FormSdata {
				v.U = uint64(b.Sleb())
			} else {
				v.U = b.Uleb()
			}
		case ShapeBlock:
			v.Block = b.Block(b.Uleb())
		case ShapeBlock1:
			v.Block = b.Block(uint64(b.U8()))
		case ShapeBlock2:
			v.Block = b.Block(uint64(b.U16()))
		case ShapeBlock4:
			v.Block = b.Block(uint64(b.U32()))
		case ShapeString:
			v.U = uint64(b.Pos)
			v.Block = b.CString()
		case ShapeIndirect:
			f = Form(b.Uleb())
			continue
		case ShapeUnknown:
			b.fail()
		case 0:
			v.U = 1
			if f == FormImplicitConst {
				v.U = uint64(implicit)
			}
		case 3:
			v.U = uint64(b.U24())
		case 16:
			v.Block = b.Bytes(16)
		default:
			v.U = b.Uint(n)
		}
		return v
	}
	b.fail()
	return Value{}
}

// IsConst reports whether the value is a number (class constant or flag).
func (v Value) IsConst() bool {
	switch v.Form {
	case FormData1, FormData2, FormData4, FormData8, FormUdata, FormSdata, FormImplicitConst, FormFlag, FormFlagPresent:
		return true
	}
	return false
}

// IsBlock reports whether the value is a block or an expression.
func (v Value) IsBlock() bool {
	switch v.Form {
	case FormBlock, FormBlock1, FormBlock2, FormBlock4, FormExprloc:
		return true
	}
	return false
}

// Int is a constant whose sign the form does not always tell: fixed-size forms
// are sign-extended from their size.
func (v Value) Int() int64 {
	switch v.Form {
	case FormData1:
		return int64(int8(v.U))
	case FormData2:
		return int64(int16(v.U))
	case FormData4:
		return int64(int32(v.U))
	}
	return int64(v.U)
}

var errSup = errors.New("reference into a supplementary (dwz) file, which is not supported")

// Ref is the offset in .debug_info that a reference names.
func (v Value) Ref() (int, error) {
	switch v.Form {
	case FormRef1, FormRef2, FormRef4, FormRef8, FormRefUdata:
		if v.U > uint64(v.unit.End-v.unit.Off) {
			return 0, fmt.Errorf("reference to %#x+%#x: outside its unit", v.unit.Off, v.U)
		}
		return v.unit.Off + int(v.U), nil
	case FormRefAddr:
		if v.U >= uint64(len(v.unit.d.Info)) {
			return 0, fmt.Errorf("reference to %#x: outside .debug_info", v.U)
		}
		return int(v.U), nil
	case FormRefSup4, FormRefSup8, FormGNURefAlt:
		return 0, errSup
	case FormRefSig8:
		return 0, fmt.Errorf("reference to type unit %#x: type units are not supported", v.U)
	}
	return 0, fmt.Errorf("%v is no reference", v.Form)
}

// Addr is the address that a value of class address holds.
func (v Value) Addr() (uint64, error) {
	switch v.Form {
	case FormAddr:
		return v.U, nil
	case FormAddrx, FormAddrx1, FormAddrx2, FormAddrx3, FormAddrx4, FormGNUAddrIndex:
		return v.unit.AddrX(v.U)
	}
	return 0, fmt.Errorf("%v is no address", v.Form)
}

// AddrX is entry i of the unit's part of .debug_addr.
func (u *Unit) AddrX(i uint64) (uint64, error) {
	n := uint64(len(u.d.Addr))
	if i > n || u.addrBase > n {
		return 0, fmt.Errorf("address index %d: outside .debug_addr", i)
	}
	b := At(u.d.Addr, int(min(u.addrBase+i*uint64(u.AddrSize), n)))
	a := b.Uint(u.AddrSize)
	if b.Bad {
		return 0, fmt.Errorf("address index %d: outside .debug_addr", i)
	}
	return a, nil
}

// StrRef says where a string stands: the section in the top byte, the offset
// in the rest. The zero StrRef is no string.
type StrRef uint64

// The sections that strings stand in.
const (
	inStr StrRef = (1 + iota) << 56
	inLineStr
	inInfo
	inLine
)

// LineRef is the StrRef of a string in .debug_line, where line tables before
// DWARF 5 keep their file names.
func LineRef(off int) StrRef { return inLine | StrRef(off) }

// InfoRef is the StrRef of a string in .debug_info.
func InfoRef(off int) StrRef { return inInfo | StrRef(off) }

// StrpRef is the StrRef of a string in .debug_str.
func StrpRef(off uint32) StrRef { return inStr | StrRef(off) }

// LineStrpRef is the StrRef of a string in .debug_line_str.
func LineStrpRef(off uint32) StrRef { return inLineStr | StrRef(off) }

// StrRef is where the string of a value stands.
func (v Value) StrRef() (StrRef, error) {
	switch v.Form {
	case FormString:
		return inInfo | StrRef(v.U), nil
	case FormStrp:
		return inStr | StrRef(v.U), nil
	case FormLineStrp:
		return inLineStr | StrRef(v.U), nil
	case FormStrx, FormStrx1, FormStrx2, FormStrx3, FormStrx4, FormGNUStrIndex:
		return v.unit.strX(v.U)
	case FormStrpSup, FormGNUStrpAlt:
		return 0, errSup
	}
	return 0, fmt.Errorf("%v is no string", v.Form)
}

func (u *Unit) strX(i uint64) (StrRef, error) {
	n := uint64(len(u.d.StrOffsets))
	if i > n || u.strOffBase > n {
		return 0, fmt.Errorf("string index %d: outside .debug_str_offsets", i)
	}
	b := At(u.d.StrOffsets, int(min(u.strOffBase+i*4, n)))
	off := b.U32()
	if b.Bad {
		return 0, fmt.Errorf("string index %d: outside .debug_str_offsets", i)
	}
	return inStr | StrRef(off), nil
}

// String is the bytes of the string at r, without its NUL; nil if r is outside
// its section.
func (s *Sections) String(r StrRef) []byte {
	var data []byte
	switch r &^ (1<<56 - 1) {
	case inStr:
		data = s.Str
	case inLineStr:
		data = s.LineStr
	case inInfo:
		data = s.Info
	case inLine:
		data = s.Line
	}
	off := uint64(r & (1<<56 - 1))
	if off >= uint64(len(data)) {
		return nil
	}
	data = data[off:]
	if n := bytes.IndexByte(data, 0); n >= 0 {
		return data[:n:n]
	}
	return nil
}

// Str is a copy of the string of a value, empty if it has none.
func (v Value) Str() string {
	if v.Form == FormString {
		return string(v.Block)
	}
	if v.unit == nil {
		return ""
	}
	r, err := v.StrRef()
	if err != nil {
		return ""
	}
	return string(v.unit.d.String(r))
}
