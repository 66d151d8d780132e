package die

import "fmt"

// Form is how an attribute's value is encoded (DW_FORM_...).
type Form uint16

// The forms of DWARF 2 to 5 and of GNU's extensions (DWARF 5, 7.5.6).
const (
	FormAddr          Form = 0x01
	FormBlock2        Form = 0x03
	FormBlock4        Form = 0x04
	FormData2         Form = 0x05
	FormData4         Form = 0x06
	FormData8         Form = 0x07
	FormString        Form = 0x08
	FormBlock         Form = 0x09
	FormBlock1        Form = 0x0a
	FormData1         Form = 0x0b
	FormFlag          Form = 0x0c
	FormSdata         Form = 0x0d
	FormStrp          Form = 0x0e
	FormUdata         Form = 0x0f
	FormRefAddr       Form = 0x10
	FormRef1          Form = 0x11
	FormRef2          Form = 0x12
	FormRef4          Form = 0x13
	FormRef8          Form = 0x14
	FormRefUdata      Form = 0x15
	FormIndirect      Form = 0x16
	FormSecOffset     Form = 0x17
	FormExprloc       Form = 0x18
	FormFlagPresent   Form = 0x19
	FormStrx          Form = 0x1a
	FormAddrx         Form = 0x1b
	FormRefSup4       Form = 0x1c
	FormStrpSup       Form = 0x1d
	FormData16        Form = 0x1e
	FormLineStrp      Form = 0x1f
	FormRefSig8       Form = 0x20
	FormImplicitConst Form = 0x21
	FormLoclistx      Form = 0x22
	FormRnglistx      Form = 0x23
	FormRefSup8       Form = 0x24
	FormStrx1         Form = 0x25
	FormStrx2         Form = 0x26
	FormStrx3         Form = 0x27
	FormStrx4         Form = 0x28
	FormAddrx1        Form = 0x29
	FormAddrx2        Form = 0x2a
	FormAddrx3        Form = 0x2b
	FormAddrx4        Form = 0x2c
	FormGNUAddrIndex  Form = 0x1f01
	FormGNUStrIndex   Form = 0x1f02
	FormGNURefAlt     Form = 0x1f20
	FormGNUStrpAlt    Form = 0x1f21
)

func (f Form) String() string { return fmt.Sprintf("DW_FORM %#x", uint16(f)) }

// Shapes of forms in the entry, as FormShape gives them.
const (
	ShapeUnknown = -1 - iota // a form this package does not know
	ShapeLeb                 // one LEB128 number
	ShapeBlock               // LEB128 length and that many bytes
	ShapeBlock1              // 1-byte length and that many bytes
	ShapeBlock2
	ShapeBlock4
	ShapeString   // NUL-terminated
	ShapeIndirect // LEB128 form, then a value in that form
)

// FormShape is the number of bytes that a value takes in an entry of a unit of
// that DWARF version and address size, or one of the Shape constants.
func FormShape(f Form, version, addrSize int) int {
	switch f {
	case FormFlagPresent, FormImplicitConst:
		return 0
	case FormData1, FormFlag, FormRef1, FormStrx1, FormAddrx1:
		return 1
	case FormData2, FormRef2, FormStrx2, FormAddrx2:
		return 2
	case FormStrx3, FormAddrx3:
		return 3
	case FormData4, FormRef4, FormStrp, FormSecOffset, FormLineStrp, FormStrx4, FormAddrx4,
		FormRefSup4, FormStrpSup, FormGNURefAlt, FormGNUStrpAlt:
		return 4
	case FormData8, FormRef8, FormRefSig8, FormRefSup8:
		return 8
	case FormData16:
		return 16
	case FormAddr:
		return addrSize
	case FormRefAddr:
		if version <= 2 {
			return addrSize
		}
		return 4
	case FormUdata, FormSdata, FormRefUdata, FormStrx, FormAddrx, FormLoclistx, FormRnglistx, FormGNUAddrIndex, FormGNUStrIndex:
		return ShapeLeb
	case FormBlock, FormExprloc:
		return ShapeBlock
	case FormBlock1:
		return ShapeBlock1
	case FormBlock2:
		return ShapeBlock2
	case FormBlock4:
		return ShapeBlock4
	case FormString:
		return ShapeString
	case FormIndirect:
		return ShapeIndirect
	}
	return ShapeUnknown
}

// maxIndirect bounds DW_FORM_indirect naming DW_FORM_indirect.
const maxIndirect = 4

// skip passes over one value.
func (b *Buf) skip(f Form, version, addrSize int) {
	for range maxIndirect {
		n := FormShape(f, version, addrSize)
		switch n {
		case ShapeLeb:
			b.Uleb()
		case ShapeBlock:
			b.Skip(b.Uleb())
		case ShapeBlock1:
			b.Skip(uint64(b.U8()))
		case ShapeBlock2:
			b.Skip(uint64(b.U16()))
		case ShapeBlock4:
			b.Skip(uint64(b.U32()))
		case ShapeString:
			b.CString()
		case ShapeIndirect:
			f = Form(b.Uleb())
			continue
		case ShapeUnknown:
			b.fail()
		default:
			b.Skip(uint64(n))
		}
		return
	}
	b.fail()
}
