package livetext

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/kdive/kdive/disasm"
	"github.com/kdive/kdive/kernel"
)

// tableNeeds are the boundaries of the tables (arch/x86/kernel/vmlinux.lds.S,
// include/asm-generic/vmlinux.lds.h) and the layouts of their entries.
type tableNeeds struct {
	Mcount     kernel.Sym `need:"?__start_mcount_loc"`
	McountEnd  kernel.Sym `need:"?__stop_mcount_loc"`
	Jump       kernel.Sym `need:"?__start___jump_table"`
	JumpEnd    kernel.Sym `need:"?__stop___jump_table"`
	Static     kernel.Sym `need:"?__start_static_call_sites"`
	StaticEnd  kernel.Sym `need:"?__stop_static_call_sites"`
	Returns    kernel.Sym `need:"?__return_sites"`
	ReturnsEnd kernel.Sym `need:"?__return_sites_end"`
	Retp       kernel.Sym `need:"?__retpoline_sites"`
	RetpEnd    kernel.Sym `need:"?__retpoline_sites_end"`
	Locks      kernel.Sym `need:"?__smp_locks"`
	LocksEnd   kernel.Sym `need:"?__smp_locks_end"`
	Endbr      kernel.Sym `need:"?__ibt_endbr_seal"`
	EndbrEnd   kernel.Sym `need:"?__ibt_endbr_seal_end"`
	Para       kernel.Sym `need:"?__parainstructions"`
	ParaEnd    kernel.Sym `need:"?__parainstructions_end"`
	Alts       kernel.Sym `need:"?__alt_instructions"`
	AltsEnd    kernel.Sym `need:"?__alt_instructions_end"`
	PvPatches  kernel.Sym `need:"?patch_data_xxl"`
	PvLocks    kernel.Sym `need:"?patch_data_lock"`
	RetThunk   kernel.Sym `need:"?x86_return_thunk"`
	ReturnZero kernel.Sym `need:"?__static_call_return0"`

	AltSize   kernel.Size  `need:"?alt_instr"`
	AltAt     kernel.Field `need:"?alt_instr.instr_offset"`
	AltWith   kernel.Field `need:"?alt_instr.repl_offset"`
	AltLen    kernel.Field `need:"?alt_instr.instrlen"`
	AltNewLen kernel.Field `need:"?alt_instr.replacementlen"`
	ParaSize  kernel.Size  `need:"?paravirt_patch_site"`
	ParaAt    kernel.Field `need:"?paravirt_patch_site.instr"`
	ParaLen   kernel.Field `need:"?paravirt_patch_site.len"`
	Enabled   kernel.Field `need:"?static_key.enabled"`
	Func      kernel.Field `need:"?static_call_key.func"`
	PvSize    kernel.Size  `need:"?patch_xxl"`
	LockSize  kernel.Size  `need:"?patch_lock"`
}

// maxEntries bounds a table.
const maxEntries = 1 << 21

// tables collects the sites of all tables, as far as it gets until ctx is done.
func (m *Model) tables(ctx context.Context) {
	n := &m.needs
	m.words(ctx, n.Mcount, n.McountEnd, 8, func(at uint64, b []byte) {
		m.add(site{addr: binary.LittleEndian.Uint64(b), size: 5, kind: Ftrace})
	})
	m.words(ctx, n.Jump, n.JumpEnd, 16, func(at uint64, b []byte) { m.branch(kernel.Relative(at, b), JumpLabel, at) })
	m.words(ctx, n.Static, n.StaticEnd, 8, func(at uint64, b []byte) { m.branch(kernel.Relative(at, b), StaticCall, at) })
	m.words(ctx, n.Returns, n.ReturnsEnd, 4, func(at uint64, b []byte) { m.branch(kernel.Relative(at, b), Return, at) })
	m.words(ctx, n.Retp, n.RetpEnd, 4, func(at uint64, b []byte) { m.branch(kernel.Relative(at, b), Retpoline, at) })
	m.words(ctx, n.Locks, n.LocksEnd, 4, func(at uint64, b []byte) { m.add(site{addr: kernel.Relative(at, b), size: 1, kind: LockPrefix}) })
	m.words(ctx, n.Endbr, n.EndbrEnd, 4, func(at uint64, b []byte) { m.add(site{addr: kernel.Relative(at, b), size: 4, kind: Endbr}) })
	if n.ParaAt.Present() && n.ParaLen.Present() {
		m.words(ctx, n.Para, n.ParaEnd, uint64(n.ParaSize), func(at uint64, b []byte) {
			m.add(site{addr: n.ParaAt.In(b), size: n.ParaLen.In(b), kind: Paravirt, entry: at})
		})
	}
	if n.AltAt.Present() && n.AltWith.Present() && n.AltLen.Present() && n.AltNewLen.Present() {
		m.words(ctx, n.Alts, n.AltsEnd, uint64(n.AltSize), func(at uint64, b []byte) {
			m.add(site{addr: fieldRelative(&n.AltAt, at, b), size: n.AltLen.In(b), kind: Alternative, entry: at})
		})
	}
	for s := range m.k.ImageSymbols() {
		if name, ok := strings.CutPrefix(s.Name, "__SCT__"); ok {
			if key, ok := m.k.ImageSymbol("__SCK__" + name); ok {
				m.add(site{addr: s.Addr - m.slide, size: 5, kind: StaticCall, entry: key})
			}
		}
		if name, ok := strings.CutPrefix(s.Name, "__start_runtime_"); ok {
			m.constants(ctx, name, s)
		}
	}
}

// constants adds the places of a variable that is written into the code as a
// constant once it has its value (arch/x86/include/asm/runtime-const.h): "ptr_"
// or "shift_" and the variable's name.
func (m *Model) constants(ctx context.Context, name string, start kernel.Symbol) {
	end, ok := m.k.ImageSymbol("__stop_runtime_" + name)
	form, variable, ok2 := strings.Cut(name, "_")
	size := map[string]uint64{"ptr": 8, "shift": 1}[form]
	if !ok || !ok2 || size == 0 {
		return
	}
	value, _ := m.k.ImageSymbol(variable)
	m.words(ctx, kernel.Sym(start.Addr), kernel.Sym(end), 4, func(at uint64, b []byte) {
		place := kernel.Relative(at, b)
		if value == 0 { // the variable was optimized away: all places have one value
			value = place + m.slide
		}
		m.add(site{addr: place, size: size, kind: Constant, entry: value})
	})
}

func fieldRelative(f *kernel.Field, at uint64, b []byte) uint64 {
	return f.At(at) + uint64(int64(int32(f.In(b))))
}

func (m *Model) add(s site) {
	if s.addr >= m.low && s.addr < m.high && s.size > 0 && s.size < 256 {
		m.sites = append(m.sites, s)
	}
}

// branch adds a site that is one instruction.
func (m *Model) branch(addr uint64, kind Kind, entry uint64) {
	if addr < m.low || addr >= m.high {
		return // in code of the start, which is gone
	}
	b, err := m.file(addr, min(uint64(disasm.AMD64.MaxLen()), m.high-addr))
	if err != nil {
		return
	}
	in, _ := disasm.AMD64.Decode(b, addr)
	m.add(site{addr: addr, size: uint64(in.Len), kind: kind, entry: entry})
}

// words calls f for each entry of a table in the vmlinux, with its link-time
// address.
func (m *Model) words(ctx context.Context, low, high kernel.Sym, size uint64, f func(at uint64, b []byte)) {
	if low == 0 || high <= low || size == 0 {
		return
	}
	at := uint64(low) - m.slide
	bytes := uint64(high - low)
	if bytes/size > maxEntries {
		m.errs = append(m.errs, fmt.Errorf("a table of %d bytes at %#x", bytes, uint64(low)))
		return
	}
	b, err := m.file(at, bytes)
	if err != nil {
		m.errs = append(m.errs, err)
		return
	}
	for i := uint64(0); i < bytes && ctx.Err() == nil; i += size {
		entry := make([]byte, size)
		copy(entry, b[i:]) // the last entry may lack the padding at its end
		f(at+i, entry)
	}
}
