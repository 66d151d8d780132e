package line

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kdive/kdive/debuginfo/die"
)

// Row says that the instructions from Addr to the next row's are of one line.
type Row struct {
	Addr uint64 // link-time address
	File uint32 // index into Header.Files
	Line uint32 // 0 if the compiler made the instructions of no line
}

// Sequence is a run of rows with ascending addresses: the code of a unit in
// one section. High is the address behind its last instruction.
type Sequence struct {
	Low, High uint64
	Rows      []Row
}

// Table is the line table of one unit. Units have several sequences (.text,
// .text.unlikely, .init.text), in any order in the program.
type Table struct {
	Header
	Sequences []Sequence // by Low
}

// maxRows bounds one table; real ones stay below 100,000.
const maxRows = 1 << 21

// Standard opcodes (DWARF 5, 6.2.5.2).
const (
	lnsCopy             = 1
	lnsAdvancePC        = 2
	lnsAdvanceLine      = 3
	lnsSetFile          = 4
	lnsSetColumn        = 5
	lnsNegateStmt       = 6
	lnsSetBasicBlock    = 7
	lnsConstAddPC       = 8
	lnsFixedAdvancePC   = 9
	lnsSetPrologueEnd   = 10
	lnsSetEpilogueBegin = 11
	lnsSetISA           = 12
)

// Extended opcodes (DWARF 5, 6.2.5.3).
const (
	lneEndSequence = 1
	lneSetAddress  = 2
)

// machine is the state of a line number program (DWARF 5, 6.2.2), without what
// has no part in telling the line of an address.
type machine struct {
	*Table
	buf  die.Buf
	rows []Row
	// registers
	addr, opIndex uint64
	file, line    uint32
	stmt          bool
	total         int

	// Of the row emitted last, which may have been merged into the one before.
	lastAddr uint64
	lastStmt bool // it begins a statement
}

// ReadTable runs the program at off in .debug_line. Of a damaged program the
// sequences before the damage are kept, and the error says so.
func ReadTable(s *die.Sections, off int64) (*Table, error) {
	t := &Table{}
	if err := t.Read(s, off); err != nil {
		return nil, err
	}
	m := machine{Table: t, buf: die.At(s.Line[:t.end], t.program)}
	m.reset()
	var err error
	for m.buf.Len() > 0 && err == nil {
		err = m.step()
	}
	slices.SortStableFunc(t.Sequences, func(a, b Sequence) int { return cmp.Compare(a.Low, b.Low) })
	if err != nil {
		return t, fmt.Errorf("line table at %#x: %w", off, err)
	}
	return t, nil
}

func (m *machine) reset() {
	m.addr, m.opIndex, m.file, m.line, m.stmt = 0, 0, 1, 1, m.defaultIsStmt
}

func (m *machine) step() error {
	b := &m.buf
	switch op := b.U8(); {
	case op >= m.opcodeBase:
		if m.lineRange == 0 {
			return fmt.Errorf("special opcode with a line range of 0")
		}
		n := uint64(op - m.opcodeBase)
		m.advance(n / m.lineRange)
		m.line += uint32(m.lineBase + int64(n%m.lineRange))
		m.emit()
	case op == 0:
		m.extended()
	case op == lnsCopy:
		m.emit()
	case op == lnsAdvancePC:
		m.advance(b.Uleb())
	case op == lnsAdvanceLine:
		m.line += uint32(b.Sleb())
	case op == lnsSetFile:
		m.file = uint32(b.Uleb())
	case op == lnsNegateStmt:
		m.stmt = !m.stmt
	case op == lnsConstAddPC:
		if m.lineRange == 0 {
			return fmt.Errorf("special opcode with a line range of 0")
		}
		m.advance(uint64(255-m.opcodeBase) / m.lineRange)
	case op == lnsFixedAdvancePC:
		m.addr += uint64(b.U16())
		m.opIndex = 0
	default: // lnsSetColumn and others that do not matter here, or are not known
		for n := m.lengths[op-1]; n > 0; n-- {
			b.Uleb()
		}
	}
	if b.Bad {
		return fmt.Errorf("program cut off")
	}
	if m.total > maxRows {
		return fmt.Errorf("more than %d rows", maxRows)
	}
	return nil
}

func (m *machine) extended() {
	n := m.buf.Uleb()
	if n == 0 || n > uint64(m.buf.Len()) {
		m.buf.Bad = true
		return
	}
	end := m.buf.Pos + int(n)
	switch m.buf.U8() {
	case lneEndSequence:
		m.endSequence()
	case lneSetAddress:
		m.addr, m.opIndex = m.buf.Uint(int(n)-1), 0
	}
	if !m.buf.Bad {
		m.buf.Pos = end
	}
}

// advance moves the address as operations of a VLIW machine do, which on
// others is a plain addition.
func (m *machine) advance(n uint64) {
	if m.maxOps <= 1 {
		m.addr += m.minInst * n
		return
	}
	n += m.opIndex
	m.addr += m.minInst * (n / m.maxOps)
	m.opIndex = n % m.maxOps
}

func (m *machine) emit() {
	m.total++
	r := Row{m.addr, m.file, m.line}
	if n := len(m.rows); n > 0 {
		last := &m.rows[n-1]
		// Of the rows of one address the last counts, but one that begins a
		// statement goes before those that do not: so does gdb.
		if m.lastAddr == r.Addr && m.lastStmt && !m.stmt {
			return
		}
		m.lastStmt = m.stmt
		if last.Addr == r.Addr {
			*last = r
			return
		}
		if r.Addr < last.Addr {
			m.endSequence() // against the standard; what came before still holds
			m.addr, m.file, m.line = r.Addr, r.File, r.Line
		} else if last.File == r.File && last.Line == r.Line {
			m.lastAddr = r.Addr
			return
		}
	}
	m.rows = append(m.rows, r)
	m.lastAddr, m.lastStmt = r.Addr, m.stmt
}

func (m *machine) endSequence() {
	if n := len(m.rows); n > 0 {
		high := max(m.addr, m.rows[n-1].Addr)
		m.Sequences = append(m.Sequences, Sequence{m.rows[0].Addr, high, slices.Clone(m.rows)})
	}
	m.rows = m.rows[:0]
	m.reset()
}

// Rows is the number of rows of the table.
func (t *Table) Rows() int {
	n := 0
	for i := range t.Sequences {
		n += len(t.Sequences[i].Rows)
	}
	return n
}

// Find is the row that an address belongs to.
func (t *Table) Find(pc uint64) (Row, bool) {
	i, _ := slices.BinarySearchFunc(t.Sequences, pc, func(s Sequence, pc uint64) int {
		if s.Low <= pc {
			return -1
		}
		return 1
	})
	// Sequences hardly ever overlap; look a few back in case they do.
	for k := i - 1; k >= 0 && k >= i-4; k-- {
		if s := &t.Sequences[k]; pc < s.High {
			return s.at(pc), true
		}
	}
	return Row{}, false
}

// at is the last row at or below pc, which is inside the sequence.
func (s *Sequence) at(pc uint64) Row {
	i, _ := slices.BinarySearchFunc(s.Rows, pc, func(r Row, pc uint64) int {
		if r.Addr <= pc {
			return -1
		}
		return 1
	})
	return s.Rows[max(i-1, 0)]
}

// Between is the rows of the sequence that cover addresses from low on and
// below high; the first may start before low.
func (s *Sequence) Between(low, high uint64) []Row {
	if high <= s.Low || low >= s.High {
		return nil
	}
	first, _ := slices.BinarySearchFunc(s.Rows, low, func(r Row, pc uint64) int {
		if r.Addr <= pc {
			return -1
		}
		return 1
	})
	end, _ := slices.BinarySearchFunc(s.Rows, high, func(r Row, pc uint64) int { return cmp.Compare(r.Addr, pc) })
	return s.Rows[max(first-1, 0):end]
}
