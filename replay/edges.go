package replay

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/kdive/kdive/frame"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/replay/symbolic"
)

// edges are ways through the code that its bytes do not show: the exception table
// (include/asm-generic/extable.h) says where to go on after a fault, the jump table
// (include/linux/jump_label.h) where a patched branch may lead at other times.
type edges struct {
	need    edgeNeeds
	image   []way
	err     error
	modules map[*kernel.Module]moduleEdges
}

type moduleEdges struct {
	ways []way
	err  error
}

// way is one such edge.
type way struct {
	from, to uint64
	fault    bool
	data     uint32 // of an exception: what its handler is told, or which it is
}

type edgeNeeds struct {
	Faults    kernel.Sym   `need:"__start___ex_table"`
	FaultsEnd kernel.Sym   `need:"__stop___ex_table"`
	FaultSize kernel.Size  `need:"exception_table_entry"`
	Jumps     kernel.Sym   `need:"?__start___jump_table"`
	JumpsEnd  kernel.Sym   `need:"?__stop___jump_table"`
	JumpSize  kernel.Size  `need:"?jump_entry"`
	JumpCode  kernel.Field `need:"?jump_entry.code"`
	ModFaults kernel.Field `need:"?module.extable"`
	ModNum    kernel.Field `need:"?module.num_exentries"`
	ModJumps  kernel.Field `need:"?module.jump_entries"`
	ModJumpN  kernel.Field `need:"?module.num_jump_entries"`
}

// maxEdges bounds one table.
const maxEdges = 1 << 17

var errTables = errors.New("exception and jump tables of a layout that is not known")

func (e *edges) load(v frame.View) {
	e.modules = map[*kernel.Module]moduleEdges{}
	if e.err = v.Bind(&e.need); e.err != nil {
		return
	}
	n := &e.need
	if n.FaultSize != 12 || n.JumpSize != 0 && (n.JumpSize != 16 || n.JumpCode.Size() != 4) {
		e.err = errTables
		return
	}
	e.image, e.err = e.tables(v, uint64(n.Faults), uint64(n.FaultsEnd-n.Faults)/12, uint64(n.Jumps), uint64(n.JumpsEnd-n.Jumps)/16)
}

// tables reads an exception and a jump table.
func (e *edges) tables(v frame.View, faults, nFaults, jumps, nJumps uint64) ([]way, error) {
	if nFaults > maxEdges || nJumps > maxEdges {
		return nil, fmt.Errorf("tables of %d exceptions and %d jumps are too large to be true", nFaults, nJumps)
	}
	list := make([]way, 0, nFaults+nJumps)
	read := func(at, n, size uint64, fault bool) error {
		b := make([]byte, n*size)
		if len(b) == 0 {
			return nil
		}
		if err := v.Read(b, at); err != nil {
			return err
		}
		for i := uint64(0); i < n*size; i += size {
			entry := b[i : i+size]
			list = append(list, way{from: kernel.Relative(at+i, entry), to: kernel.Relative(at+i+4, entry[4:]), fault: fault, data: binary.LittleEndian.Uint32(entry[8:])})
		}
		return nil
	}
	err := errors.Join(read(faults, nFaults, 12, true), read(jumps, nJumps, 16, false))
	slices.SortFunc(list, func(a, b way) int { return cmp.Compare(a.from, b.from) })
	return list, err
}

// of is the edges of the module, or of the kernel image.
func (e *edges) of(v frame.View, m *kernel.Module) ([]way, error) {
	if m == nil || e.err != nil {
		return e.image, e.err
	}
	if x, ok := e.modules[m]; ok {
		return x.ways, x.err
	}
	x := moduleEdges{}
	field := func(f *kernel.Field) uint64 {
		if !f.Present() || x.err != nil {
			return 0
		}
		var n uint64
		n, x.err = f.Uint(v, m.Addr)
		return n
	}
	n := &e.need
	faults, nFaults, jumps, nJumps := field(&n.ModFaults), field(&n.ModNum), field(&n.ModJumps), field(&n.ModJumpN)
	if x.err == nil {
		x.ways, x.err = e.tables(v, faults, nFaults, jumps, nJumps)
	}
	e.modules[m] = x
	return x.ways, x.err
}

// from are the edges that leave in front of the instruction at pc.
func from(ways []way, pc uint64, code []byte) []symbolic.Edge {
	i, _ := slices.BinarySearchFunc(ways, pc, func(w way, pc uint64) int { return cmp.Compare(w.from, pc) })
	var list []symbolic.Edge
	for ; i < len(ways) && ways[i].from == pc; i++ {
		w := &ways[i]
		if w.fault {
			// A handler sets rax, rcx or rdx, or the register that the entry names.
			list = append(list, symbolic.Edge{To: w.to, Fault: true, Clobbers: 1<<0 | 1<<1 | 1<<2 | 1<<(w.data>>8&15)})
			continue
		}
		list = append(list, symbolic.Edge{To: w.to})
		if len(code) > 0 && (code[0] == 0xeb || code[0] == 0xe9) { // taken now, not at other times
			list = append(list, symbolic.Edge{To: pc + map[byte]uint64{0xeb: 2, 0xe9: 5}[code[0]]})
		}
	}
	return list
}
