package disasm

// The shape of an opcode is what follows it in the encoding.
const (
	hasModRM byte = 1 << 7
	invalid  byte = 1 << 6 // no instruction in 64-bit mode

	immMask   byte = 15
	imm8      byte = 1
	imm16     byte = 2
	imm24     byte = 3 // enter: 16 bits and 8 bits
	immZ      byte = 4 // 16 bits with prefix 66, else 32
	immV      byte = 5 // as immZ, 64 with REX.W
	immAddr   byte = 6 // an address of 64 bits, 32 with prefix 67
	immGroup3 byte = 7 // test of opcode F6 and F7: only if ModRM says so
	immSSE4a  byte = 8 // extrq and insertq: two bytes if a prefix says it is those
)

// shapeOf returns the shape of e's opcode (Intel SDM volume 2, appendix A, opcode maps).
func shapeOf(e *encoding) byte {
	switch e.kind {
	case vex:
		return vexShape(e)
	case evex:
		return evexShape(e)
	case xop:
		switch e.opmap {
		case 8:
			return hasModRM | imm8
		case 9:
			return hasModRM
		case 10:
			return hasModRM | immZ
		}
		return invalid
	}
	switch e.opmap {
	case 0:
		return shapes0[e.opcode]
	case 1:
		return shapes1[e.opcode]
	case 2:
		return hasModRM
	}
	return hasModRM | imm8
}

func vexShape(e *encoding) byte {
	if e.rexAt >= 0 || e.sizeAt >= 0 || e.repAt >= 0 || e.lockAt >= 0 {
		return invalid
	}
	switch e.opmap {
	case 1:
		if e.opcode == 0x77 { // vzeroupper, vzeroall
			return 0
		}
		return hasModRM | shapes1[e.opcode]&immMask&imm8
	case 2:
		return hasModRM
	case 3:
		return hasModRM | imm8
	}
	return invalid
}

func evexShape(e *encoding) byte {
	if e.rexAt >= 0 || e.sizeAt >= 0 || e.repAt >= 0 || e.lockAt >= 0 {
		return invalid
	}
	switch e.opmap {
	case 1:
		return hasModRM | shapes1[e.opcode]&immMask&imm8
	case 2, 5, 6:
		return hasModRM
	case 3:
		return hasModRM | imm8
	}
	return invalid
}

// shapes0 and shapes1 are the shapes of the one-byte opcodes and of those behind 0F.
var shapes0, shapes1 = buildShapes()

// A span gives the opcodes from first to last one shape.
type span struct {
	first, last int
	shape       byte
}

func buildShapes() (one, two [256]byte) {
	fill := func(table *[256]byte, spans []span) {
		for _, s := range spans {
			for op := s.first; op <= s.last; op++ {
				table[op] = s.shape
			}
		}
	}
	for op := 0; op < 0x40; op += 8 { // add, or, adc, sbb, and, sub, xor, cmp
		fill(&one, []span{{op, op + 3, hasModRM}, {op + 4, op + 4, imm8}, {op + 5, op + 5, immZ}, {op + 6, op + 7, invalid}})
	}
	fill(&one, []span{
		{0x60, 0x62, invalid}, {0x63, 0x63, hasModRM}, {0x68, 0x68, immZ}, {0x69, 0x69, hasModRM | immZ},
		{0x6a, 0x6a, imm8}, {0x6b, 0x6b, hasModRM | imm8}, {0x70, 0x7f, imm8}, {0x80, 0x80, hasModRM | imm8},
		{0x81, 0x81, hasModRM | immZ}, {0x82, 0x82, invalid}, {0x83, 0x83, hasModRM | imm8}, {0x84, 0x8f, hasModRM},
		{0x9a, 0x9a, invalid}, {0xa0, 0xa3, immAddr}, {0xa8, 0xa8, imm8}, {0xa9, 0xa9, immZ}, {0xb0, 0xb7, imm8},
		{0xb8, 0xbf, immV}, {0xc0, 0xc1, hasModRM | imm8}, {0xc2, 0xc2, imm16}, {0xc4, 0xc5, invalid},
		{0xc6, 0xc6, hasModRM | imm8}, {0xc7, 0xc7, hasModRM | immZ}, {0xc8, 0xc8, imm24}, {0xca, 0xca, imm16},
		{0xcd, 0xcd, imm8}, {0xce, 0xce, invalid}, {0xd0, 0xd3, hasModRM}, {0xd4, 0xd6, invalid}, {0xd8, 0xdf, hasModRM},
		{0xe0, 0xe7, imm8}, {0xe8, 0xe9, immZ}, {0xea, 0xea, invalid}, {0xeb, 0xeb, imm8},
		{0xf6, 0xf7, hasModRM | immGroup3}, {0xfe, 0xff, hasModRM},
	})
	fill(&two, []span{
		{0x00, 0xff, hasModRM}, {0x04, 0x04, invalid}, {0x05, 0x09, 0}, {0x0a, 0x0a, invalid}, {0x0b, 0x0b, 0},
		{0x0c, 0x0c, invalid}, {0x0e, 0x0e, 0}, {0x0f, 0x0f, hasModRM | imm8}, {0x24, 0x27, invalid}, {0x30, 0x35, 0},
		{0x36, 0x36, invalid}, {0x37, 0x37, 0}, {0x39, 0x39, invalid}, {0x3b, 0x3f, invalid},
		{0x70, 0x73, hasModRM | imm8}, {0x77, 0x77, 0}, {0x78, 0x78, hasModRM | immSSE4a}, {0x7a, 0x7b, invalid}, {0x80, 0x8f, immZ}, {0xa0, 0xa2, 0},
		{0xa4, 0xa4, hasModRM | imm8}, {0xa8, 0xaa, 0}, {0xac, 0xac, hasModRM | imm8}, {0xba, 0xba, hasModRM | imm8},
		{0xc2, 0xc2, hasModRM | imm8}, {0xc4, 0xc6, hasModRM | imm8}, {0xc8, 0xcf, 0},
	})
	return one, two
}
