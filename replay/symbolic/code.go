package symbolic

import (
	"errors"
	"fmt"

	"github.com/kdive/kdive/disasm"
	"golang.org/x/arch/x86/x86asm"
)

// Code is a function to analyze.
type Code struct {
	Entry  uint64
	Pieces []Piece
	// Edges are successors of the instruction at pc that its bytes do not show:
	// where an exception or a patched branch may take it. May be nil.
	Edges func(pc uint64) []Edge
	// Objects are the variables that lie in the frame; a callee may change one
	// whose address it is given. Where an address is taken that is in none of
	// them, all of the frame may change.
	Objects []Extent
	// Keeps reports whether a function called at an address keeps all registers and
	// memory: the hook of a tracer. May be nil.
	Keeps func(target uint64) bool
	// Table is the entries of a jump table in memory that never changes; it ends
	// with the first that is no address in Pieces. May be nil.
	Table func(addr uint64) (uint64, bool)
}

// Piece is a part of a function's code.
type Piece struct {
	Start uint64
	Bytes []byte
}

// Edge is a way on that an instruction's bytes do not show.
type Edge struct {
	To uint64
	// Fault: the instruction raises an exception on this way.
	Fault bool
	// Clobbers are registers that are changed on the way; bit n is register n.
	Clobbers disasm.RegSet
}

// Extent is a part of the frame, by offsets from the stack pointer that the
// function was called with, where its return address lies.
type Extent struct{ Low, High int64 }

// Limits of what is analyzed.
const (
	maxCode   = 1 << 18 // bytes
	maxInsts  = 1 << 15
	maxBlocks = 1 << 13
	maxTable  = 1 << 12 // entries of a jump table
)

// Exit is a place where control leaves the function for good.
type Exit struct {
	PC     uint64
	Target uint64 // of a direct jump
	Kind   ExitKind
}

// ExitKind tells the ways out apart.
type ExitKind uint8

// Ways out of a function.
const (
	ExitReturn   ExitKind = iota
	ExitJump              // a jump to Target
	ExitIndirect          // a jump through a register or memory
	ExitNone              // a trap, or a call that does not return
)

var (
	errOverlap  = errors.New("instructions overlap")
	errNoEntry  = errors.New("the function's first instruction is not in its code")
	errTooLarge = errors.New("the function is too large")
)

// inst is a decoded instruction and where control goes after it.
type inst struct {
	disasm.Inst
	succ  []int32 // indices of instructions
	edges []Edge  // those of Code.Edges, that are taken in front of it
	exit  bool
}

// decoder finds the instructions that can be reached.
type decoder struct {
	code  *Code
	insts []inst
	marks [][]int32 // of each piece's bytes: an instruction's index + 1 at its start, -1 inside, else 0
	todo  []uint64
	exits []Exit
}

// mark is the mark of a byte of code, nil outside of it.
func (d *decoder) mark(pc uint64) *int32 {
	for i := range d.code.Pieces {
		if off := pc - d.code.Pieces[i].Start; off < uint64(len(d.marks[i])) {
			return &d.marks[i][off]
		}
	}
	return nil
}

// find is the instruction at pc.
func (d *decoder) find(pc uint64) (int32, bool) {
	m := d.mark(pc)
	if m == nil || *m <= 0 {
		return 0, false
	}
	return *m - 1, true
}

func (c *Code) bytes(pc uint64) []byte {
	for i := range c.Pieces {
		p := &c.Pieces[i]
		if pc >= p.Start && pc-p.Start < uint64(len(p.Bytes)) {
			return p.Bytes[pc-p.Start:]
		}
	}
	return nil
}

func (c *Code) decode() (*decoder, error) {
	n := 0
	for i := range c.Pieces {
		n += len(c.Pieces[i].Bytes)
	}
	if n > maxCode {
		return nil, errTooLarge
	}
	d := &decoder{code: c}
	for i := range c.Pieces {
		d.marks = append(d.marks, make([]int32, len(c.Pieces[i].Bytes)))
	}
	if err := d.more(c.Entry); err != nil {
		return nil, err
	}
	if _, ok := d.find(c.Entry); !ok {
		return nil, errNoEntry
	}
	return d, d.link()
}

// run decodes from pc up to where control goes elsewhere.
func (d *decoder) run(pc uint64) error {
	for {
		m := d.mark(pc)
		if m == nil || *m > 0 {
			return nil // done, or outside: link tells what that means
		}
		b := d.code.bytes(pc)
		in, err := disasm.AMD64.Decode(b, pc)
		if err != nil || in.Bad {
			return fmt.Errorf("no instruction at %#x", pc)
		}
		if len(d.insts) >= maxInsts {
			return errTooLarge
		}
		i := int32(len(d.insts))
		for k := range uint64(in.Len) {
			b := d.mark(pc + k)
			if b == nil || *b != 0 {
				return errOverlap
			}
			*b = -1
		}
		*m = i + 1
		x := inst{Inst: in}
		if d.code.Edges != nil {
			x.edges = d.code.Edges(pc)
		}
		for _, e := range x.edges {
			d.todo = append(d.todo, e.To)
		}
		d.insts = append(d.insts, x)
		if to, ok := in.Target(); ok && in.Flow != disasm.Call {
			d.todo = append(d.todo, to)
		}
		if d.ends(&in) {
			return nil
		}
		pc += uint64(in.Len)
	}
}

// ends reports whether the next instruction is not reached from this one.
func (d *decoder) ends(in *disasm.Inst) bool {
	switch in.Flow {
	case disasm.Jump, disasm.Return:
		return true
	case disasm.Trap:
		// The kernel goes on behind ud2 where that marks a warning, and behind hlt.
		return in.Bytes()[0] == 0xcc
	}
	return false
}

// link finds each instruction's successors and checks that nothing was left out.
func (d *decoder) link() error {
	for i := range d.insts {
		in := &d.insts[i]
		next := in.PC + uint64(in.Len)
		to, direct := in.Target()
		switch in.Flow {
		case disasm.Call:
			if direct && to != d.code.Entry && d.code.bytes(to) != nil {
				return fmt.Errorf("a call within the function at %#x", in.PC)
			}
		case disasm.Jump:
			if err := d.jump(in, to, direct); err != nil {
				return err
			}
			continue
		case disasm.CondJump:
			if j, ok := d.find(to); ok {
				in.succ = append(in.succ, j)
			} else {
				d.exits = append(d.exits, Exit{in.PC, to, ExitJump})
			}
		case disasm.Return:
			in.exit = true
			d.exits = append(d.exits, Exit{PC: in.PC, Kind: ExitReturn})
			continue
		case disasm.Trap:
			if d.ends(&in.Inst) {
				if err := d.trap(in); err != nil {
					return err
				}
				continue
			}
		}
		if in.Op == x86asm.XBEGIN || in.Op == x86asm.INT || in.Op == x86asm.ICEBP {
			return fmt.Errorf("no way to follow the instruction at %#x", in.PC)
		}
		if j, ok := d.find(next); ok {
			in.succ = append(in.succ, j)
		} else {
			in.exit = true
			d.exits = append(d.exits, Exit{PC: in.PC, Kind: ExitNone})
		}
	}
	return nil
}

// jump links an unconditional jump.
func (d *decoder) jump(in *inst, to uint64, direct bool) error {
	if !direct {
		return d.indirect(in)
	}
	if j, ok := d.find(to); ok {
		in.succ = append(in.succ, j)
		return nil
	}
	in.exit = true
	d.exits = append(d.exits, Exit{in.PC, to, ExitJump})
	return nil
}

// indirect links a jump through a table, if its entries can be read: all that
// follow each other and lead into the function, which may be more than belong to it.
// Any other is taken for the way out; execution makes sure that the frame is gone
// there.
func (d *decoder) indirect(in *inst) error {
	m := in.MemArg()
	if m == nil || d.code.Table == nil || m.Mem.Base != 0 || m.Mem.Index == 0 || m.Mem.Scale != 8 || m.Mem.Segment != 0 {
		in.exit = true
		d.exits = append(d.exits, Exit{PC: in.PC, Kind: ExitIndirect})
		return nil
	}
	seen := map[int32]bool{}
	for n := range uint64(maxTable) {
		to, ok := d.code.Table(uint64(m.Mem.Disp) + n*8)
		if !ok || d.code.bytes(to) == nil {
			break
		}
		at, _ := d.find(in.PC)
		if err := d.more(to); err != nil {
			return err
		}
		in = &d.insts[at] // more moves them
		if j, ok := d.find(to); ok && !seen[j] {
			seen[j] = true
			in.succ = append(in.succ, j)
		}
	}
	if len(seen) == 0 {
		return fmt.Errorf("the jump table at %#x cannot be read", uint64(m.Mem.Disp))
	}
	return nil
}

// more decodes what is reached from pc.
func (d *decoder) more(pc uint64) error {
	d.todo = append(d.todo, pc)
	for len(d.todo) > 0 {
		pc := d.todo[len(d.todo)-1]
		d.todo = d.todo[:len(d.todo)-1]
		if err := d.run(pc); err != nil {
			return err
		}
	}
	return nil
}

// trap accepts int3 only where it fills the space behind a call that does not
// return; elsewhere it stands for an instruction that a probe took the place of.
func (d *decoder) trap(in *inst) error {
	in.exit = true
	b := d.code.bytes(in.PC)
	if len(b) > 1 && b[1] != 0xcc {
		return fmt.Errorf("a breakpoint at %#x", in.PC)
	}
	d.exits = append(d.exits, Exit{PC: in.PC, Kind: ExitNone})
	return nil
}
