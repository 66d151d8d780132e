package scan

import (
	"debug/dwarf"
	"errors"

	"github.com/kdive/kdive/debuginfo/die"
)

// Fields that programs load.
const (
	fSize = iota
	fFile
	fLine
	fColumn
	fSibling
	fOrigin
	fEncoding
	fDeclared
	fName // holds a nameID
	numFields
	noField = 0xff
)

type fields [numFields]uint64

// Operations of a program.
const (
	opSkip  = iota // n bytes
	opLoad1        // into field
	opLoad2
	opLoad4
	opLoad8
	opLeb
	opSkipLeb
	opBlock // length and bytes
	opBlock1
	opBlock2
	opBlock4
	opString
	opNameStrp // into fName
	opNameLineStrp
	opNameString
	opOther // any form, decoded by package die; the name if field says so
)

type op struct {
	code  uint8
	field uint8
	n     uint16 // bytes for opSkip, form for opOther
}

// program is a compiled abbreviation.
type program struct {
	kind      Kind
	children  bool
	located   bool  // has a location, a value or code
	inline    bool  // an abstract function
	refAddr   bool  // fOrigin is an offset in .debug_info, not in the unit
	fixed     int32 // bytes of all attributes if nothing is to be loaded, else notFixed or notCompiled
	decl      int   // where the declaration stands in .debug_abbrev
	ops       []op
	constants []constant
}

const (
	notFixed    = -1
	notCompiled = -2
)

type constant struct {
	field uint8
	value uint64
}

func kindOf(t dwarf.Tag) Kind {
	switch t {
	case dwarf.TagStructType, dwarf.TagClassType:
		return Struct
	case dwarf.TagUnionType:
		return Union
	case dwarf.TagEnumerationType:
		return Enum
	case dwarf.TagTypedef:
		return Typedef
	case dwarf.TagBaseType:
		return Base
	case dwarf.TagEnumerator:
		return Enumerator
	case dwarf.TagVariable:
		return Variable
	case dwarf.TagSubprogram:
		return Function
	}
	return None
}

var (
	errCodes   = errors.New("abbreviation codes are not consecutive")
	errAbbrevs = errors.New("too many abbreviations")
)

// maxAbbrevs bounds one table; those of kernels have some 150.
const maxAbbrevs = 1 << 18

// fieldOf is the field that an attribute goes to. Entries that are not
// recorded need only their sibling.
func fieldOf(kind Kind, a dwarf.Attr) uint8 {
	if a == dwarf.AttrSibling {
		return fSibling
	}
	if kind == None {
		return noField
	}
	switch a {
	case dwarf.AttrName:
		return fName
	case dwarf.AttrByteSize:
		return fSize
	case dwarf.AttrDeclFile:
		return fFile
	case dwarf.AttrDeclLine:
		return fLine
	case dwarf.AttrDeclColumn:
		return fColumn
	case dwarf.AttrEncoding:
		return fEncoding
	case dwarf.AttrDeclaration:
		return fDeclared
	case dwarf.AttrAbstractOrigin, dwarf.AttrSpecification:
		return fOrigin
	}
	return noField
}

// compiler turns abbreviations into programs, each when it is first met: most
// of a table is for entries inside of functions and types, which are stepped
// over. Its slices are used again for every unit.
type compiler struct {
	progs     []program
	ops       []op
	constants []constant
	skip      int   // bytes to skip before the next operation
	last      shape // of the table that progs is
	reader    die.AbbrevReader
}

// shape is what a compiled table depends on.
type shape struct {
	off               uint64
	version, addrSize int
}

// table prepares the abbreviation table of a unit. Codes that are not 1, 2, 3
// ... are refused: no compiler makes them, and units with them can still be
// read entry by entry.
func (c *compiler) table(d *die.Data, h *die.Header) error {
	s := shape{h.AbbrevOff, h.Version, h.AddrSize}
	if s == c.last {
		return nil
	}
	c.last = shape{}
	c.progs, c.ops, c.constants = c.progs[:0], c.ops[:0], c.constants[:0]
	r, attrs := &c.reader, c.reader.Attrs
	*r = die.ReadAbbrevs(d.Abbrev, h.AbbrevOff)
	r.Attrs = attrs
	for decl := r.Pos(); r.Skip(); decl = r.Pos() {
		if r.Code != uint64(len(c.progs))+1 {
			return errCodes
		}
		if len(c.progs) >= maxAbbrevs {
			return errAbbrevs
		}
		c.progs = append(c.progs, program{kind: kindOf(r.Tag), children: r.Children, fixed: notCompiled, decl: decl})
	}
	if !d.Spend(r.Len()) {
		return errAbbrevs
	}
	if r.Err == nil {
		c.last = s
	}
	return r.Err
}

// program is that of an abbreviation code; nil if the table has none.
func (c *compiler) program(code uint64) *program {
	if code-1 >= uint64(len(c.progs)) {
		return nil
	}
	p := &c.progs[code-1]
	if p.fixed == notCompiled {
		c.compile(p)
	}
	return p
}

func (c *compiler) compile(p *program) {
	c.reader.Seek(p.decl)
	c.reader.Next()
	firstOp, firstConst := len(c.ops), len(c.constants)
	c.skip = 0
	for i := range c.reader.Attrs {
		s := &c.reader.Attrs[i]
		switch s.Attr {
		case dwarf.AttrLocation, dwarf.AttrConstValue, dwarf.AttrLowpc, dwarf.AttrRanges:
			p.located = true
		case dwarf.AttrInline:
			p.inline = true
		}
		field := fieldOf(p.kind, s.Attr)
		if field == fOrigin && s.Form == die.FormRefAddr {
			p.refAddr = true
		}
		c.attr(field, s)
	}
	p.fixed = notFixed
	if len(c.ops) == firstOp && len(c.constants) == firstConst {
		p.fixed = int32(c.skip)
	}
	c.flush()
	p.ops = c.ops[firstOp:len(c.ops):len(c.ops)]
	p.constants = c.constants[firstConst:len(c.constants):len(c.constants)]
}

func (c *compiler) flush() {
	for c.skip > 0 {
		n := min(c.skip, 0xffff)
		c.ops = append(c.ops, op{code: opSkip, n: uint16(n)})
		c.skip -= n
	}
}

func (c *compiler) emit(o op) {
	c.flush()
	c.ops = append(c.ops, o)
}

func (c *compiler) attr(field uint8, s *die.AttrSpec) {
	shape := die.FormShape(s.Form, c.last.version, c.last.addrSize)
	if field == fName {
		c.name(s.Form)
		return
	}
	if field != noField {
		switch {
		case shape == 0:
			v := uint64(s.Implicit)
			if s.Form == die.FormFlagPresent {
				v = 1
			}
			c.constants = append(c.constants, constant{field, v})
			return
		case shape == 1 || shape == 2 || shape == 4 || shape == 8:
			c.emit(op{code: [...]uint8{1: opLoad1, 2: opLoad2, 4: opLoad4, 8: opLoad8}[shape], field: field})
			return
		case shape == die.ShapeLeb:
			c.emit(op{code: opLeb, field: field})
			return
		}
	}
	switch shape {
	case die.ShapeLeb:
		c.emit(op{code: opSkipLeb})
	case die.ShapeBlock:
		c.emit(op{code: opBlock})
	case die.ShapeBlock1:
		c.emit(op{code: opBlock1})
	case die.ShapeBlock2:
		c.emit(op{code: opBlock2})
	case die.ShapeBlock4:
		c.emit(op{code: opBlock4})
	case die.ShapeString:
		c.emit(op{code: opString})
	case die.ShapeIndirect, die.ShapeUnknown:
		c.emit(op{code: opOther, field: field, n: uint16(s.Form)})
	default:
		c.skip += shape
	}
}

func (c *compiler) name(f die.Form) {
	switch f {
	case die.FormStrp:
		c.emit(op{code: opNameStrp})
	case die.FormLineStrp:
		c.emit(op{code: opNameLineStrp})
	case die.FormString:
		c.emit(op{code: opNameString})
	default:
		c.emit(op{code: opOther, field: fName, n: uint16(f)})
	}
}

// leb reads an unsigned LEB128 number at pos; pos is -1 after a bad one.
func leb(b []byte, pos int) (uint64, int) {
	var v uint64
	for shift := uint(0); pos < len(b); shift += 7 {
		c := b[pos]
		pos++
		v |= uint64(c&0x7f) << (shift & 63)
		if c < 0x80 {
			return v, pos
		}
		if shift > 63 {
			break
		}
	}
	return 0, -1
}
