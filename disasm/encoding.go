package disasm

// maxLen is the length of the longest x86 instruction in bytes (Intel SDM volume 2, section 2.3.11).
const maxLen = 15

// encKind is how an instruction announces itself behind the legacy prefixes.
type encKind uint8

const (
	legacy encKind = iota // optional REX, then an opcode of map 0 to 3
	vex                   // C4 or C5
	evex                  // 62
	xop                   // 8F, AMD's
)

// An encoding is an instruction taken apart as far as that needs no name for it: prefixes, opcode, ModRM, SIB,
// displacement and immediate (Intel SDM volume 2, chapter 2). It is what makes lengths and memory operands sure.
type encoding struct {
	raw    [maxLen]byte
	n      uint8 // bytes in raw; those that exist if the instruction is truncated
	length uint8 // of the instruction
	isCut  bool  // the code ended too early

	nPrefix uint8  // legacy prefixes and REX in front of the rest
	fwait   bool   // the first is 9B, and an x87 instruction follows
	used    uint16 // bit i: the instruction has a use for prefix i, so that it does not print by itself
	repAt   int8   // where in raw the last F2 or F3 is; -1 if there is none. Likewise the following.
	sizeAt  int8   // 66
	addrAt  int8   // 67
	lockAt  int8   // F0
	segAt   int8   // the last 64 or 65 (fs, gs); the other overrides mean nothing in 64-bit mode
	hintAt  int8   // the last 2E or 3E (cs, ds): a hint to some branches
	anyAt   int8   // the last of all six overrides
	rexAt   int8   // REX, if it counts: it stands last

	kind   encKind
	opmap  uint8 // 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A; VEX, EVEX and XOP have more
	opAt   uint8 // where in raw the opcode byte is
	opcode byte

	// Of REX, VEX or EVEX, not inverted.
	w, r, x, b bool
	pp         byte // VEX, EVEX: implied prefix, 0, 66, F3, F2
	vlen       byte // VEX, EVEX: 0 128, 1 256, 2 512 bits
	vvvv       byte // VEX, EVEX: second source register, EVEX.V' included
	hiR        bool // EVEX.R'
	p2         byte // EVEX: its last byte: z, L'L, b, V', aaa

	modAt   uint8 // where ModRM is, 0 if there is none
	hasSIB  bool
	dispLen uint8
	dispAt  uint8
	immLen  uint8
	immAt   uint8
}

// Outcomes of parse that are not an instruction.
type parseResult uint8

const (
	parsed       parseResult = iota
	cut                      // the code ends too early
	lonePrefixes             // a REX that does not count because a prefix follows: stands alone with those before it
	notAnOpcode              // length says how much to step over
)

// parse takes the start of code apart. Of e it sets everything but used.
func (e *encoding) parse(code []byte) parseResult {
	*e = encoding{repAt: -1, sizeAt: -1, addrAt: -1, lockAt: -1, segAt: -1, hintAt: -1, anyAt: -1, rexAt: -1}
	e.n = uint8(copy(e.raw[:], code))
	pos, lone := e.prefixes()
	if e.fwait && (pos >= e.n || e.raw[pos]&0xf8 != 0xd8) { // it is an instruction of its own
		*e = encoding{raw: e.raw, n: e.n, repAt: -1, sizeAt: -1, addrAt: -1, lockAt: -1, segAt: -1, hintAt: -1, anyAt: -1, rexAt: -1}
		pos, lone = 0, false
	}
	if lone {
		e.length = e.nPrefix
		return lonePrefixes
	}
	pos = e.escape(pos)
	if int(pos) >= int(e.n) {
		return e.tooShort()
	}
	e.opAt, e.opcode = pos, e.raw[pos]
	pos++
	shape := shapeOf(e)
	if shape&invalid != 0 {
		e.length = pos
		if e.kind != legacy {
			e.length = e.nPrefix + 1
		}
		return notAnOpcode
	}
	if shape&hasModRM != 0 {
		e.modAt = pos
		pos = e.operandBytes(pos)
	}
	e.immAt, e.immLen = pos, e.immediateLen(shape)
	pos += e.immLen
	if pos > e.n {
		return e.tooShort()
	}
	e.length = pos
	return parsed
}

// tooShort tells the end of the code from the limit of 15 bytes.
func (e *encoding) tooShort() parseResult {
	if int(e.n) == len(e.raw) {
		e.length = min(e.nPrefix+1, maxLen)
		return notAnOpcode
	}
	e.length, e.isCut = 1, true
	return cut
}

// prefixes reads the legacy prefixes and REX. lone is set if REX is followed by another prefix.
func (e *encoding) prefixes() (pos uint8, lone bool) {
	for ; pos < e.n; pos++ {
		i := int8(pos)
		switch b := e.raw[pos]; b {
		case 0x9b:
			if pos > 0 && !e.fwait {
				e.nPrefix = pos
				return pos, e.rexAt >= 0
			}
			e.fwait = true
		case 0xf2, 0xf3:
			e.repAt = i
		case 0xf0:
			e.lockAt = i
		case 0x66:
			e.sizeAt = i
		case 0x67:
			e.addrAt = i
		case 0x64, 0x65:
			e.segAt, e.anyAt = i, i
		case 0x2e, 0x3e:
			e.hintAt, e.anyAt = i, i
		case 0x26, 0x36:
			e.anyAt = i
		default:
			if b&0xf0 == 0x40 && e.rexAt < 0 {
				e.rexAt = i
				e.w, e.r, e.x, e.b = b&8 != 0, b&4 != 0, b&2 != 0, b&1 != 0
				continue
			}
			e.nPrefix = pos
			return pos, e.rexAt >= 0 && b&0xf0 == 0x40
		}
		if e.rexAt >= 0 {
			e.nPrefix = pos
			return pos, true
		}
	}
	e.nPrefix = pos
	return pos, false
}

// escape reads what stands between the prefixes and the opcode: 0F, 0F 38, 0F 3A, or a VEX, EVEX or XOP prefix.
func (e *encoding) escape(pos uint8) uint8 {
	at := func(i uint8) byte { // a byte that is not there ends the parse later
		if i < e.n {
			return e.raw[i]
		}
		return 0
	}
	b1, b2 := at(pos+1), at(pos+2)
	switch at(pos) {
	case 0x0f:
		switch b1 {
		case 0x38:
			e.opmap = 2
			return pos + 2
		case 0x3a:
			e.opmap = 3
			return pos + 2
		}
		e.opmap = 1
		return pos + 1
	case 0xc5:
		e.kind, e.opmap = vex, 1
		e.r = b1&0x80 == 0
		e.vexLast(b1 &^ 0x80)
		return pos + 2
	case 0xc4:
		e.kind, e.opmap = vex, b1&0x1f
		e.r, e.x, e.b = b1&0x80 == 0, b1&0x40 == 0, b1&0x20 == 0
		e.vexLast(b2)
		return pos + 3
	case 0x8f:
		if b1&0x1f >= 8 && b1&0x1f <= 10 {
			e.kind, e.opmap = xop, b1&0x1f
			e.r, e.x, e.b = b1&0x80 == 0, b1&0x40 == 0, b1&0x20 == 0
			e.vexLast(b2)
			return pos + 3
		}
	case 0x62:
		e.kind, e.opmap = evex, b1&7
		e.r, e.x, e.b, e.hiR = b1&0x80 == 0, b1&0x40 == 0, b1&0x20 == 0, b1&0x10 == 0
		e.vexLast(b2)
		e.p2 = at(pos + 3)
		e.vlen = e.p2 >> 5 & 3
		if e.p2&8 == 0 {
			e.vvvv |= 16
		}
		return pos + 4
	}
	return pos
}

// vexLast reads the fields W, vvvv, L and pp, which VEX, EVEX and XOP have in the same places.
func (e *encoding) vexLast(b byte) {
	e.w = b&0x80 != 0
	e.vvvv = ^b >> 3 & 15
	e.vlen = b >> 2 & 1
	e.pp = [4]byte{0, 0x66, 0xf3, 0xf2}[b&3]
}

// operandBytes reads ModRM, SIB and the displacement's place, and returns the position behind them.
func (e *encoding) operandBytes(pos uint8) uint8 {
	if pos >= e.n {
		return maxLen + 1
	}
	mod, rm := e.raw[pos]>>6, e.raw[pos]&7
	pos++
	if mod == 3 || e.isCRMove() {
		return pos
	}
	base := rm
	if rm == 4 {
		if pos >= e.n {
			return maxLen + 1
		}
		e.hasSIB = true
		base = e.raw[pos] & 7
		pos++
	}
	switch {
	case mod == 1:
		e.dispLen = 1
	case mod == 2, base == 5:
		e.dispLen = 4
	}
	e.dispAt = pos
	return pos + e.dispLen
}

// immediateLen returns the number of bytes of constants behind the operand bytes.
func (e *encoding) immediateLen(shape byte) uint8 {
	switch shape & immMask {
	case imm8:
		return 1
	case imm16:
		return 2
	case imm24:
		return 3
	case immZ:
		if e.sizeAt >= 0 && !e.w {
			return 2
		}
		return 4
	case immV:
		if e.w {
			return 8
		}
		if e.sizeAt >= 0 {
			return 2
		}
		return 4
	case immAddr:
		if e.addrAt >= 0 {
			return 4
		}
		return 8
	case immSSE4a:
		if m := e.mandatory(); m == 0x66 || m == 0xf2 {
			return 2
		}
	case immGroup3:
		if e.digit() > 1 {
			return 0
		}
		if e.opcode == 0xf6 {
			return 1
		}
		return e.immediateLen(immZ)
	}
	return 0
}

// modrm returns the ModRM byte, 0 if there is none.
func (e *encoding) modrm() byte {
	if e.modAt == 0 || e.modAt >= e.n {
		return 0
	}
	return e.raw[e.modAt]
}

// digit is the opcode extension in ModRM.
func (e *encoding) digit() byte { return e.modrm() >> 3 & 7 }

// isMem reports whether ModRM stands for memory.
func (e *encoding) isMem() bool { return e.modAt != 0 && e.modrm() < 0xc0 && !e.isCRMove() }

// isCRMove reports whether the instruction moves a control or debug register; the field mod of ModRM is ignored then.
func (e *encoding) isCRMove() bool { return e.kind == legacy && e.opmap == 1 && e.opcode&^3 == 0x20 }

// regField and rmField are the register numbers of ModRM with REX, VEX and EVEX.
func (e *encoding) regField() byte { return e.digit() | bit(e.r, 8) | bit(e.hiR, 16) }
func (e *encoding) rmField() byte  { return e.modrm()&7 | bit(e.b, 8) }

// addr32 reports whether addresses are 32 bits wide.
func (e *encoding) addr32() bool { return e.addrAt >= 0 }

// use marks the prefix at the given place, if there is one, as part of the instruction.
func (e *encoding) use(at int8) {
	if at >= 0 {
		e.used |= 1 << at
	}
}

// signed reads a little-endian signed integer of size bytes.
func (e *encoding) signed(at, size uint8) int64 {
	var v uint64
	for i := range size {
		v |= uint64(e.raw[at+i]) << (8 * i)
	}
	shift := 64 - 8*uint(size)
	if size == 0 {
		return 0
	}
	return int64(v<<shift) >> shift
}

func bit(set bool, value byte) byte {
	if set {
		return value
	}
	return 0
}
