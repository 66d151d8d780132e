package disasm

import (
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// name is the mnemonic, by REX.W or VEX.W.
func (row *sideRow) name(w bool) string {
	narrow, wide, two := strings.Cut(row.names, "|")
	if two && w {
		return wide
	}
	return narrow
}

// intelName is the mnemonic in Intel syntax.
func (row *sideRow) intelName(w bool) string {
	name := row.name(w)
	switch name {
	case "sysretl":
		return "sysretd"
	case "sysexitl":
		return "sysexitd"
	}
	return strings.TrimSuffix(name, "%")
}

// variant returns the mnemonic where it depends on more than the Op.
func (in *Inst) variant(name string, att bool) string {
	e := &in.enc
	switch in.Op {
	case x86asm.MOV:
		if e.kind == legacy && e.opmap == 0 && (e.opcode&0xfc == 0xa0 && e.addrAt < 0 || e.opcode&0xf8 == 0xb8 && e.immLen == 8) {
			return "movabs"
		}
	case x86asm.MOVSXD:
		if e.w && att {
			return "movslq"
		}
	case x86asm.INT:
		if e.opcode == 0xcc {
			return "int3"
		}
	case x86asm.FNSTCW, x86asm.FNSTSW, x86asm.FNSTENV, x86asm.FNSAVE, x86asm.FNCLEX, x86asm.FNINIT:
		if e.fwait {
			return waits[in.Op]
		}
	case x86asm.FSUB, x86asm.FSUBR, x86asm.FDIV, x86asm.FDIVR, x86asm.FSUBP, x86asm.FSUBRP, x86asm.FDIVP, x86asm.FDIVRP:
		if att && !e.isMem() && (e.opcode == 0xdc || e.opcode == 0xde) {
			return reversed[in.Op]
		}
	}
	return name
}

// hiddenOne reports whether the last operand is a count of one that is part of the opcode of a shift.
func (in *Inst) hiddenOne() bool {
	e := &in.enc
	return e.kind == legacy && e.opmap == 0 && e.opcode&0xfe == 0xd0 && in.NArg == 2
}

// pseudoOp returns the mnemonic that includes the last operand, a constant: cmpeqps for cmpps $0, pclmullqhqdq and so on.
func (in *Inst) pseudoOp() (string, bool) {
	if in.NArg == 0 || in.Args[in.NArg-1].Kind != ImmOperand {
		return "", false
	}
	imm := int(uint8(in.Args[in.NArg-1].Imm))
	switch in.Op {
	case x86asm.PCLMULQDQ, x86asm.VPCLMULQDQ:
		if imm == 0x10 || imm == 0x11 {
			imm -= 0xe
		}
		if imm < 4 { // so objdump; of the constant only bits 0 and 4 count
			prefix := strings.TrimSuffix(infoOf(in.Op).att, "qdq")
			return prefix + [4]string{"lql", "hql", "lqh", "hqh"}[imm] + "qdq", true
		}
	case x86asm.CMPPS, x86asm.CMPPD, x86asm.CMPSS, x86asm.CMPSD_XMM:
		if imm < 8 {
			return "cmp" + comparisons[imm] + infoOf(in.Op).att[3:], true
		}
	case x86asm.VCMPPS, x86asm.VCMPPD, x86asm.VCMPSS, x86asm.VCMPSD:
		if imm < len(comparisons) {
			return "vcmp" + comparisons[imm] + infoOf(in.Op).att[4:], true
		}
	case x86asm.VPCMPB, x86asm.VPCMPW, x86asm.VPCMPD, x86asm.VPCMPQ, x86asm.VPCMPUB, x86asm.VPCMPUW, x86asm.VPCMPUD,
		x86asm.VPCMPUQ:
		if imm < 8 && imm != 3 && imm != 7 {
			return "vpcmp" + comparisons[imm] + infoOf(in.Op).att[5:], true
		}
	}
	return "", false
}

// comparisons are the conditions of cmpps and vcmpps (Intel SDM volume 2, CMPPD).
var comparisons = [32]string{"eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord",
	"eq_uq", "nge", "ngt", "false", "neq_oq", "ge", "gt", "true",
	"eq_os", "lt_oq", "le_oq", "unord_s", "neq_us", "nlt_uq", "nle_uq", "ord_s",
	"eq_us", "nge_uq", "ngt_uq", "false_os", "neq_os", "ge_oq", "gt_oq", "true_us"}
