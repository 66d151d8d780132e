package disasm

import op "golang.org/x/arch/x86/x86asm"

// accessClasses has the instructions that do not simply modify the first operand and read the others.
var accessClasses = map[accessClass][]op.Op{
	overwrite: {op.MOV, op.MOVZX, op.MOVSX, op.MOVSXD, op.MOVBE, op.MOVNTI, op.POP, op.IN, op.POPCNT, op.TZCNT, op.LZCNT, op.RDFSBASE, op.RDGSBASE,
		op.MOVMSKPD, op.MOVMSKPS, op.PMOVMSKB, op.PEXTRB, op.PEXTRW, op.PEXTRD, op.PEXTRQ, op.EXTRACTPS, op.CVTSD2SI, op.CVTSS2SI, op.CVTTSD2SI, op.CVTTSS2SI,
		op.RORX, op.SARX, op.SHLX, op.SHRX, op.ANDN, op.BEXTR, op.BZHI, op.BLSI, op.BLSR, op.BLSMSK, op.PDEP, op.PEXT, op.SLDT, op.STR, op.SMSW, op.SGDT, op.SIDT,
		op.SETA, op.SETAE, op.SETB, op.SETBE, op.SETE, op.SETG, op.SETGE, op.SETL, op.SETLE, op.SETNE, op.SETNO, op.SETNP, op.SETNS, op.SETO, op.SETP, op.SETS,
		op.MOVAPD, op.MOVAPS, op.MOVUPD, op.MOVUPS, op.MOVDQA, op.MOVDQU, op.MOVD, op.MOVQ, op.MOVNTDQ, op.MOVNTPD, op.MOVNTPS, op.MOVNTQ, op.LDDQU,
		op.STMXCSR, op.FXSAVE, op.FXSAVE64, op.FNSTCW, op.FNSTSW, op.FNSTENV, op.FNSAVE, op.FST, op.FSTP, op.FIST, op.FISTP, op.FISTTP, op.FBSTP,
		op.MOVSB, op.MOVSW, op.MOVSD, op.MOVSQ, op.STOSB, op.STOSW, op.STOSD, op.STOSQ, op.LODSB, op.LODSW, op.LODSD, op.LODSQ, op.INSB, op.INSW, op.INSD,
		op.VMOVD, op.VMOVQ, op.VPEXTRB, op.VPEXTRW, op.VPEXTRW_C5, op.VPEXTRD, op.VPEXTRQ, op.VEXTRACTPS, op.VPMOVMSKB, op.VMOVMSKPD, op.VMOVMSKPS,
		op.VCVTSD2SI, op.VCVTSS2SI, op.VCVTTSD2SI, op.VCVTTSS2SI, op.KMOVB, op.KMOVW, op.KMOVD, op.KMOVQ, op.VMOVDQA, op.VMOVDQU, op.VMOVAPD, op.VMOVAPS,
		op.VMOVUPD, op.VMOVUPS, op.VMOVNTDQ, op.VMOVNTPD, op.VMOVNTPS, op.VSTMXCSR},
	readsAll: {op.CMP, op.TEST, op.BT, op.PUSH, op.CALL, op.JMP, op.LCALL, op.LJMP, op.RET, op.LRET, op.OUT, op.DIV, op.IDIV, op.MUL, op.CMPSB, op.CMPSW, op.CMPSD, op.CMPSQ,
		op.SCASB, op.SCASW, op.SCASD, op.SCASQ, op.OUTSB, op.OUTSW, op.OUTSD, op.INT, op.LGDT, op.LIDT, op.LLDT, op.LTR, op.LMSW, op.VERR, op.VERW, op.WRFSBASE,
		op.WRGSBASE, op.COMISD, op.COMISS, op.UCOMISD, op.UCOMISS, op.PTEST, op.VPTEST, op.VCOMISD, op.VCOMISS, op.VUCOMISD, op.VUCOMISS, op.LDMXCSR,
		op.VLDMXCSR, op.FXRSTOR, op.FXRSTOR64, op.XRSTOR, op.XRSTOR64, op.XRSTORS, op.XRSTORS64, op.FLD, op.FILD, op.FLDCW, op.FLDENV, op.FRSTOR, op.FBLD, op.FADD,
		op.FSUB, op.FMUL, op.FDIV, op.FCOM, op.FCOMP, op.FICOM, op.FICOMP, op.INVPCID, op.PCMPESTRI, op.PCMPISTRI, op.PCMPESTRM, op.PCMPISTRM, op.UD0, op.UD1, op.ENTER,
		op.XABORT, op.XBEGIN, op.JA, op.JAE, op.JB, op.JBE, op.JCXZ, op.JE, op.JECXZ, op.JG, op.JGE, op.JL, op.JLE, op.JNE, op.JNO, op.JNP, op.JNS, op.JO, op.JP, op.JRCXZ, op.JS, op.LOOP,
		op.LOOPE, op.LOOPNE, op.XLATB},
	exchanges: {op.XCHG, op.XADD},
	addresses: {op.LEA},
	touches:   {op.NOP, op.INVLPG, op.CLFLUSH, op.PREFETCHNTA, op.PREFETCHT0, op.PREFETCHT1, op.PREFETCHT2, op.PREFETCHW},
	twoResult: {op.MULX},
}

// implicits are the general registers and flags that instructions read (r) and write (w) beyond their operands, from the
// Intel SDM, volume 2. A vector instruction has none.
var implicits = func() map[op.Op]string {
	table := map[op.Op]string{
		op.CBW: "r:rax w:rax", op.CWDE: "r:rax w:rax", op.CDQE: "r:rax w:rax", op.CWD: "r:rax w:rdx", op.CDQ: "r:rax w:rdx", op.CQO: "r:rax w:rdx",
		op.MUL: "r:rax w:rax,rdx,flags", op.DIV: "r:rax,rdx w:rax,rdx,flags", op.IDIV: "r:rax,rdx w:rax,rdx,flags", op.MULX: "r:rdx",
		op.CPUID: "r:rax,rcx w:rax,rbx,rcx,rdx", op.RDTSC: "w:rax,rdx", op.RDTSCP: "w:rax,rcx,rdx", op.RDPMC: "r:rcx w:rax,rdx",
		op.RDMSR: "r:rcx w:rax,rdx", op.WRMSR: "r:rax,rcx,rdx", op.XGETBV: "r:rcx w:rax,rdx", op.XSETBV: "r:rax,rcx,rdx",
		op.CMPXCHG: "r:rax w:rax,flags", op.CMPXCHG8B: "r:rax,rbx,rcx,rdx w:rax,rdx,flags",
		op.CMPXCHG16B: "r:rax,rbx,rcx,rdx w:rax,rdx,flags", op.LAHF: "r:flags w:rax", op.SAHF: "r:rax w:flags", op.XLATB: "r:rax,rbx w:rax",
		op.PUSH: "r:rsp w:rsp", op.POP: "r:rsp w:rsp", op.PUSHF: "r:rsp,flags w:rsp", op.PUSHFQ: "r:rsp,flags w:rsp",
		op.POPF: "r:rsp w:rsp,flags", op.POPFQ: "r:rsp w:rsp,flags", op.CALL: "r:rsp w:rsp", op.LCALL: "r:rsp w:rsp", op.RET: "r:rsp w:rsp",
		op.LRET: "r:rsp w:rsp", op.IRET: "r:rsp w:rsp,flags", op.IRETD: "r:rsp w:rsp,flags", op.IRETQ: "r:rsp w:rsp,flags",
		op.ENTER: "r:rsp,rbp w:rsp,rbp", op.LEAVE: "r:rbp w:rsp,rbp", op.INT: "r:all w:all", op.SYSCALL: "r:all w:rcx,r11,flags",
		op.SYSENTER: "r:all w:rsp,flags", op.RSM: "r:all w:all", op.LOOP: "r:rcx w:rcx", op.LOOPE: "r:rcx,flags w:rcx",
		op.LOOPNE: "r:rcx,flags w:rcx", op.JCXZ: "r:rcx", op.JECXZ: "r:rcx", op.JRCXZ: "r:rcx", op.XBEGIN: "w:rax", op.XTEST: "w:flags",
		op.PCMPESTRI: "r:rax,rdx w:rcx,flags", op.PCMPESTRM: "r:rax,rdx w:flags", op.PCMPISTRI: "w:rcx,flags", op.PCMPISTRM: "w:flags",
		op.VPCMPESTRI: "r:rax,rdx w:rcx,flags", op.VPCMPESTRM: "r:rax,rdx w:flags", op.VPCMPISTRI: "w:rcx,flags",
		op.VPCMPESTRI64: "r:rax,rdx w:rcx,flags", op.VPCMPESTRM64: "r:rax,rdx w:flags", op.VPCMPISTRI64: "w:rcx,flags",
		op.VPCMPISTRM: "w:flags", op.CMC: "r:flags w:flags", op.CLC: "w:flags", op.STC: "w:flags", op.CLD: "w:flags", op.STD: "w:flags",
		op.CLI: "w:flags", op.STI: "w:flags", op.ADC: "r:flags w:flags", op.SBB: "r:flags w:flags", op.RCL: "r:flags w:flags",
		op.RCR: "r:flags w:flags", op.MASKMOVDQU: "r:rdi", op.MASKMOVQ: "r:rdi", op.VMASKMOVDQU: "r:rdi",
	}
	add := func(words string, ops ...op.Op) {
		for _, o := range ops {
			table[o] = words
		}
	}
	add("r:rsi,rdi,flags w:rsi,rdi", op.MOVSB, op.MOVSW, op.MOVSD, op.MOVSQ)
	add("r:rsi,rdi,flags w:rsi,rdi,flags", op.CMPSB, op.CMPSW, op.CMPSD, op.CMPSQ)
	add("r:rdi,flags w:rdi", op.STOSB, op.STOSW, op.STOSD, op.STOSQ, op.INSB, op.INSW, op.INSD)
	add("r:rdi,flags w:rdi,flags", op.SCASB, op.SCASW, op.SCASD, op.SCASQ)
	add("r:rsi,flags w:rsi", op.LODSB, op.LODSW, op.LODSD, op.LODSQ, op.OUTSB, op.OUTSW, op.OUTSD)
	add("r:rax,rdx", op.XSAVE, op.XSAVE64, op.XSAVEC, op.XSAVEC64, op.XSAVES, op.XSAVES64, op.XSAVEOPT, op.XSAVEOPT64, op.XRSTOR, op.XRSTOR64, op.XRSTORS,
		op.XRSTORS64)
	add("w:flags", op.ADD, op.SUB, op.CMP, op.AND, op.OR, op.XOR, op.TEST, op.INC, op.DEC, op.NEG, op.IMUL, op.SHL, op.SHR, op.SAR, op.ROL, op.ROR, op.SHLD, op.SHRD, op.BT, op.BTC, op.BTR,
		op.BTS, op.BSF, op.BSR, op.TZCNT, op.LZCNT, op.POPCNT, op.XADD, op.ANDN, op.BEXTR, op.BZHI, op.BLSI, op.BLSR, op.BLSMSK, op.LAR, op.LSL, op.VERR, op.VERW, op.RDRAND,
		op.COMISD, op.COMISS, op.UCOMISD, op.UCOMISS, op.PTEST, op.VPTEST, op.VTESTPD, op.VTESTPS, op.VCOMISD, op.VCOMISS, op.VUCOMISD, op.VUCOMISS,
		op.FCOMI, op.FCOMIP, op.FUCOMI, op.FUCOMIP, op.KTESTB, op.KTESTW, op.KTESTD, op.KTESTQ, op.KORTESTB, op.KORTESTW, op.KORTESTD, op.KORTESTQ)
	add("r:flags", op.JA, op.JAE, op.JB, op.JBE, op.JE, op.JG, op.JGE, op.JL, op.JLE, op.JNE, op.JNO, op.JNP, op.JNS, op.JO, op.JP, op.JS, op.SETA, op.SETAE, op.SETB, op.SETBE, op.SETE, op.SETG,
		op.SETGE, op.SETL, op.SETLE, op.SETNE, op.SETNO, op.SETNP, op.SETNS, op.SETO, op.SETP, op.SETS, op.CMOVA, op.CMOVAE, op.CMOVB, op.CMOVBE, op.CMOVE, op.CMOVG,
		op.CMOVGE, op.CMOVL, op.CMOVLE, op.CMOVNE, op.CMOVNO, op.CMOVNP, op.CMOVNS, op.CMOVO, op.CMOVP, op.CMOVS, op.FCMOVB, op.FCMOVBE, op.FCMOVE, op.FCMOVNB,
		op.FCMOVNBE, op.FCMOVNE, op.FCMOVNU, op.FCMOVU)
	return table
}()
