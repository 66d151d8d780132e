package scan

import (
	"bytes"
	"encoding/binary"

	"github.com/kdive/kdive/debuginfo/die"
)

// A nameID is equal for equal names of a file whose .debug_str the linker
// merged, and cheap: the place in .debug_str, or, for names that stand in the
// entry (compilers put the shortest there), a digest of the bytes.
const inlineName = 0x80 << 56

// run executes a program on the entry whose attributes start at pos in b, and
// returns where they end; -1 if they reach beyond b.
func (w *worker) run(p *program, b []byte, pos int, f *fields) int {
	for _, c := range p.constants {
		f[c.field&15] = c.value
	}
	for _, o := range p.ops {
		switch o.code {
		case opSkip:
			pos += int(o.n)
		case opLoad1:
			if pos >= len(b) {
				return -1
			}
			f[o.field&15] = uint64(b[pos])
			pos++
		case opLoad2:
			if pos > len(b)-2 {
				return -1
			}
			f[o.field&15] = uint64(binary.LittleEndian.Uint16(b[pos:]))
			pos += 2
		case opLoad4:
			if pos > len(b)-4 {
				return -1
			}
			f[o.field&15] = uint64(binary.LittleEndian.Uint32(b[pos:]))
			pos += 4
		case opNameStrp:
			if pos > len(b)-4 {
				return -1
			}
			f[fName] = uint64(die.StrpRef(binary.LittleEndian.Uint32(b[pos:])))
			pos += 4
		default:
			if pos = w.runRare(o, b, pos, f); pos < 0 {
				return -1
			}
		}
	}
	if pos > len(b) {
		return -1
	}
	return pos
}

// runRare executes the operations that few entries need.
func (w *worker) runRare(o op, b []byte, pos int, f *fields) int {
	if pos > len(b) {
		return -1
	}
	buf := die.Buf{Data: b, Pos: pos}
	switch o.code {
	case opLoad8:
		f[o.field&15] = buf.U64()
	case opLeb:
		f[o.field&15] = buf.Uleb()
	case opSkipLeb:
		buf.Uleb()
	case opBlock:
		buf.Skip(buf.Uleb())
	case opBlock1:
		buf.Skip(uint64(buf.U8()))
	case opBlock2:
		buf.Skip(uint64(buf.U16()))
	case opBlock4:
		buf.Skip(uint64(buf.U32()))
	case opString:
		buf.CString()
	case opNameLineStrp:
		f[fName] = uint64(die.LineStrpRef(buf.U32()))
	case opNameString:
		n := bytes.IndexByte(b[pos:], 0)
		if n < 0 {
			return -1
		}
		f[fName] = inlineName | die.Hash(b[pos:pos+n])>>8
		w.nameOff = pos
		return pos + n + 1
	case opOther:
		v := buf.Value(die.Form(o.n), 0, w.root)
		switch {
		case buf.Bad:
		case o.field == fName:
			if ref, err := v.StrRef(); err == nil {
				f[fName] = uint64(ref)
			}
		case o.field != noField:
			f[o.field&15] = v.U
		}
	}
	if buf.Bad {
		return -1
	}
	return buf.Pos
}
