package unwind

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/kdive/kdive/kernel"
)

// orcNeeds is the layout of struct orc_entry (arch/x86/include/asm/orc_types.h),
// which changed several times; what its members are tells which it is.
type orcNeeds struct {
	SPOffset kernel.Field `need:"orc_entry.sp_offset"`
	BPOffset kernel.Field `need:"orc_entry.bp_offset"`
	SPReg    kernel.Field `need:"orc_entry.sp_reg"`
	BPReg    kernel.Field `need:"orc_entry.bp_reg"`
	Type     kernel.Field `need:"orc_entry.type"`
	Signal   kernel.Field `need:"?orc_entry.signal"`
	End      kernel.Field `need:"?orc_entry.end"`
	Size     kernel.Size  `need:"orc_entry"`
}

// Bases that an ORC entry counts from.
type orcBase uint8

const (
	baseNone orcBase = iota
	basePrevSP
	baseReg        // reg + offset
	baseRegBare    // reg, the offset is ignored
	baseBPIndirect // what is saved at rbp + offset
	baseSPIndirect // what is saved at rsp, + offset
)

type orcReg struct {
	base orcBase
	reg  Reg
}

// The numbers of the bases (ORC_REG_*) are macros, of which the debug info says
// nothing; there are two sets of them.
var orcNumberings = []map[uint64]orcReg{
	{0: {}, 1: {basePrevSP, 0}, 2: {baseRegBare, RDX}, 3: {baseRegBare, RDI}, 4: {baseReg, RBP}, 5: {baseReg, RSP},
		6: {baseRegBare, R10}, 7: {baseRegBare, R13}, 8: {baseBPIndirect, RBP}, 9: {baseSPIndirect, RSP}},
	{0: {}, 8: {basePrevSP, 0}, 2: {baseRegBare, RDX}, 5: {baseRegBare, RDI}, 4: {baseReg, RBP}, 3: {baseReg, RSP},
		6: {baseRegBare, R10}, 7: {baseRegBare, R13}, 10: {baseBPIndirect, RBP}, 9: {baseSPIndirect, RSP}},
}

// orcFormat decodes entries of one kernel.
type orcFormat struct {
	orcNeeds
	regs  [16]orcReg
	valid [16]bool
}

// orcKinds are the meanings of orc_entry.type: in its first form two bits wide
// with a flag for the end (or nothing, which sp_reg tells), then three bits.
var (
	orcKinds2 = []Kind{KindCall, KindRegs, KindIret}
	orcKinds3 = map[uint64]Kind{1: KindEnd, 2: KindCall, 3: KindRegs, 4: KindIret}
)

// wide reports whether the type says it all (UNDEFINED, END_OF_STACK, CALL, ...).
func (f *orcFormat) wide() bool { return f.typeBits() > 2 }

// typeBits is the width of the type member, measured on all ones.
func (f *orcFormat) typeBits() int {
	ones := make([]byte, f.Size)
	for i := range ones {
		ones[i] = 0xff
	}
	n := 0
	for v := f.Type.In(ones) & 0xffff; v != 0; v >>= 1 {
		n++
	}
	return n
}

// probe finds out which numbers the entries use. A function begins with its
// return address on top of the stack, so that entries which add 8 are by far
// most often based on RSP.
func (f *orcFormat) probe(entries []byte) error {
	const sample = 8192
	var count [16]int
	for n := 0; n < sample && len(entries) >= int(f.Size); n++ {
		e := entries[:f.Size]
		if int16(f.SPOffset.In(e)) == 8 && f.BPReg.In(e) == 0 {
			count[f.SPReg.In(e)&15]++
		}
		entries = entries[f.Size:]
	}
	best := 1
	for i := range count {
		if i != 0 && count[i] > count[best] {
			best = i
		}
	}
	for _, set := range orcNumberings {
		if set[uint64(best)] != (orcReg{baseReg, RSP}) || count[best] == 0 {
			continue
		}
		for n, r := range set {
			f.regs[n], f.valid[n] = r, true
		}
		return nil
	}
	return fmt.Errorf("the numbers of registers in ORC entries are unknown: most function entries have %d", best)
}

// row translates an entry; nil if it says that nothing is known.
func (f *orcFormat) row(e []byte) (*Row, error) {
	r := &Row{Source: FromORC}
	typ := f.Type.In(e)
	spn, bpn := f.SPReg.In(e)&15, f.BPReg.In(e)&15
	if f.wide() {
		if typ == 0 {
			return nil, nil
		}
		k, ok := orcKinds3[typ]
		if !ok {
			return nil, fmt.Errorf("ORC entry of unknown type %d", typ)
		}
		r.Kind = k
	} else {
		if typ >= uint64(len(orcKinds2)) {
			return nil, fmt.Errorf("ORC entry of unknown type %d", typ)
		}
		r.Kind = orcKinds2[typ]
		if spn == 0 { // no base: the end, or nothing known
			if f.End.Present() && f.End.In(e) == 0 {
				return nil, nil
			}
			r.Kind = KindEnd
		}
	}
	if r.Kind == KindEnd {
		return r, nil
	}
	if !f.valid[spn] || !f.valid[bpn] {
		return nil, fmt.Errorf("ORC entry with unknown bases %d, %d", spn, bpn)
	}
	r.Exact = r.Kind != KindCall
	if f.Signal.Present() {
		r.Exact = f.Signal.In(e) != 0
	}
	var err error
	if r.cfa, err = cfaRule(f.regs[spn], int64(int16(f.SPOffset.In(e)))); err != nil {
		return nil, err
	}
	if r.Kind == KindCall {
		r.call()
	}
	switch b, off := f.regs[bpn], int64(int16(f.BPOffset.In(e))); {
	case b.base == baseNone:
		r.regs[RBP] = rule{op: opSame}
	case b.base == basePrevSP:
		r.regs[RBP] = rule{op: opAtCFA, off: off}
	case b.base == baseReg && b.reg == RBP:
		r.regs[RBP] = rule{op: opAtReg, reg: RBP, off: off}
	default:
		return nil, fmt.Errorf("ORC entry with base %d for rbp", bpn)
	}
	return r, nil
}

// call sets what holds for every caller.
func (r *Row) call() {
	r.regs[RIP] = rule{op: opAtCFA, off: -8}
	r.regs[RSP] = rule{op: opCFA}
}

func cfaRule(b orcReg, off int64) (rule, error) {
	switch b.base {
	case baseReg:
		return rule{op: opReg, reg: b.reg, off: off}, nil
	case baseRegBare:
		return rule{op: opReg, reg: b.reg}, nil
	case baseBPIndirect:
		return rule{op: opAtReg, reg: RBP, off: off}, nil
	case baseSPIndirect:
		return rule{op: opAtRegPlus, reg: RSP, off: off}, nil
	}
	return rule{}, errors.New("ORC entry without a base")
}

// orcTable is one table: of the kernel image, or of a module.
type orcTable struct {
	base    uint64 // run-time address of the first offset
	offsets []byte // int32 each: an instruction's address less that of the offset itself
	entries []byte
	size    int // of an entry
}

// maxORC bounds the entries of a table: distribution kernels have 400,000.
const maxORC = 1 << 23

func (t *orcTable) len() int { return len(t.offsets) / 4 }

func (t *orcTable) ip(i int) uint64 {
	return kernel.Relative(t.base+uint64(i)*4, t.offsets[i*4:])
}

// find is the entry that covers pc, nil if pc is below the first.
func (t *orcTable) find(pc uint64) []byte {
	i := sort.Search(t.len(), func(i int) bool { return t.ip(i) > pc }) - 1
	if i < 0 {
		return nil
	}
	return t.entries[i*t.size : (i+1)*t.size]
}

// orcReach bounds how far from the table the code is that a valid entry is for: the
// image, modules and their tables lie within 2 GiB.
const orcReach = 1<<31 - 4*maxORC

// order sorts a table that is not: early kernels sort theirs while they boot. Entries for
// code beyond the reach are dropped, as an offset from another place may not express them.
func (t *orcTable) order() {
	sorted := true
	for i := 1; i < t.len() && sorted; i++ {
		sorted = t.ip(i-1) <= t.ip(i)
	}
	if sorted {
		return
	}
	type row struct {
		ip uint64
		i  int
	}
	rows := make([]row, 0, t.len())
	for i := range t.len() {
		if d := int64(t.ip(i) - t.base); d > -orcReach && d < orcReach {
			rows = append(rows, row{t.ip(i), i})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.ip, b.ip), cmp.Compare(a.i, b.i)) })
	entries := make([]byte, len(rows)*t.size)
	for i, r := range rows {
		binary.LittleEndian.PutUint32(t.offsets[i*4:], uint32(r.ip-t.base-uint64(i)*4))
		copy(entries[i*t.size:(i+1)*t.size], t.entries[r.i*t.size:])
	}
	t.entries, t.offsets = entries, t.offsets[:4*len(rows)]
}
