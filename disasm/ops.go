package disasm

import (
	"strings"
	"sync"

	"golang.org/x/arch/x86/x86asm"
)

// An opInfo is what this package adds to an x86asm.Op: names, suffixes, what it does to its operands and to others.
type opInfo struct {
	att    string // mnemonic in AT&T syntax, less the suffix
	intel  string // mnemonic in Intel syntax
	suffix suffixRule
	access accessClass
	flow   Flow
	reads  RegSet // beyond the operands
	writes RegSet
}

// numOps is more than x86asm has; 0 is for whatever it adds.
const numOps = 1600

// ops is built when the first instruction is decoded: not every session disassembles.
var ops = sync.OnceValue(buildOps)

func infoOf(op x86asm.Op) *opInfo {
	if op >= numOps {
		op = 0
	}
	return &ops()[op]
}

func buildOps() *[numOps]opInfo {
	t := new([numOps]opInfo)
	for op := range x86asm.Op(numOps) {
		name := strings.ToLower(op.String())
		t[op].att, t[op].intel = name, name
	}
	for op, name := range attNames {
		t[op].att = name
	}
	for op, name := range intelNames {
		t[op].intel = name
	}
	for rule, list := range suffixRules {
		for _, op := range list {
			t[op].suffix = rule
		}
	}
	for class, list := range accessClasses {
		for _, op := range list {
			t[op].access = class
		}
	}
	for flow, list := range flows {
		for _, op := range list {
			t[op].flow = flow
		}
	}
	for op, words := range implicits {
		t[op].reads, t[op].writes = parseImplicit(words)
	}
	return t
}

// attNames are the mnemonics that differ in AT&T syntax from x86asm's, which are Intel's.
var attNames = map[x86asm.Op]string{
	x86asm.CBW: "cbtw", x86asm.CWDE: "cwtl", x86asm.CDQE: "cltq", x86asm.CWD: "cwtd", x86asm.CDQ: "cltd", x86asm.CQO: "cqto",
	x86asm.MOVSD: "movsl", x86asm.MOVSD_XMM: "movsd", x86asm.CMPSD: "cmpsl", x86asm.CMPSD_XMM: "cmpsd",
	x86asm.STOSB: "stos", x86asm.STOSW: "stos", x86asm.STOSD: "stos", x86asm.STOSQ: "stos",
	x86asm.LODSB: "lods", x86asm.LODSW: "lods", x86asm.LODSD: "lods", x86asm.LODSQ: "lods",
	x86asm.SCASB: "scas", x86asm.SCASW: "scas", x86asm.SCASD: "scas", x86asm.SCASQ: "scas",
	x86asm.INSD: "insl", x86asm.OUTSD: "outsl", x86asm.XLATB: "xlat", x86asm.ICEBP: "int1", x86asm.IRETD: "iret",
	x86asm.IRET: "iretw", x86asm.PUSHFQ: "pushf", x86asm.POPFQ: "popf", x86asm.PUSHF: "pushfw", x86asm.POPF: "popfw",
	x86asm.VPEXTRW_C5: "vpextrw", x86asm.MOVZX: "movz", x86asm.MOVSX: "movs",
}

// intelNames are the mnemonics that differ in Intel syntax from x86asm's.
var intelNames = map[x86asm.Op]string{
	x86asm.MOVSD: "movs", x86asm.MOVSB: "movs", x86asm.MOVSW: "movs", x86asm.MOVSQ: "movs", x86asm.MOVSD_XMM: "movsd",
	x86asm.CMPSD: "cmps", x86asm.CMPSB: "cmps", x86asm.CMPSW: "cmps", x86asm.CMPSQ: "cmps", x86asm.CMPSD_XMM: "cmpsd",
	x86asm.STOSB: "stos", x86asm.STOSW: "stos", x86asm.STOSD: "stos", x86asm.STOSQ: "stos",
	x86asm.LODSB: "lods", x86asm.LODSW: "lods", x86asm.LODSD: "lods", x86asm.LODSQ: "lods",
	x86asm.SCASB: "scas", x86asm.SCASW: "scas", x86asm.SCASD: "scas", x86asm.SCASQ: "scas",
	x86asm.INSB: "ins", x86asm.INSW: "ins", x86asm.INSD: "ins", x86asm.OUTSB: "outs", x86asm.OUTSW: "outs", x86asm.OUTSD: "outs",
	x86asm.XLATB: "xlat", x86asm.ICEBP: "int1", x86asm.IRETD: "iret", x86asm.IRET: "iretw",
	x86asm.PUSHFQ: "pushf", x86asm.POPFQ: "popf", x86asm.PUSHF: "pushfw", x86asm.POPF: "popfw",
	x86asm.LRET: "retf", x86asm.LCALL: "call", x86asm.LJMP: "jmp", x86asm.VPEXTRW_C5: "vpextrw",
}

// flows are the instructions that do not simply go on to the next.
var flows = map[Flow][]x86asm.Op{
	Call: {x86asm.CALL, x86asm.LCALL},
	Jump: {x86asm.JMP, x86asm.LJMP},
	CondJump: {x86asm.JA, x86asm.JAE, x86asm.JB, x86asm.JBE, x86asm.JCXZ, x86asm.JE, x86asm.JECXZ, x86asm.JG, x86asm.JGE,
		x86asm.JL, x86asm.JLE, x86asm.JNE, x86asm.JNO, x86asm.JNP, x86asm.JNS, x86asm.JO, x86asm.JP, x86asm.JRCXZ,
		x86asm.JS, x86asm.LOOP, x86asm.LOOPE, x86asm.LOOPNE, x86asm.XBEGIN},
	Return:  {x86asm.RET, x86asm.LRET, x86asm.IRET, x86asm.IRETD, x86asm.IRETQ, x86asm.SYSRET, x86asm.SYSEXIT, x86asm.RSM},
	Syscall: {x86asm.SYSCALL, x86asm.SYSENTER, x86asm.INT},
	Trap:    {x86asm.ICEBP, x86asm.UD0, x86asm.UD1, x86asm.UD2},
}
