package location

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/fault"
)

// Bounds on one expression.
const (
	maxStack  = 256
	maxSteps  = 4096 // instructions, loops included
	maxPieces = 256
	maxFrom   = 6 // values that a result is said to be computed from
)

// Select picks the expression of a location list that holds at a link-time
// address; false if none does.
func Select(list []die.Location, link uint64) (expr []byte, ok bool) {
	for i := range list {
		if !list[i].Always && list[i].Contains(link) {
			return list[i].Expr, true
		}
	}
	for i := range list {
		if list[i].Always {
			return list[i].Expr, true
		}
	}
	return nil, false
}

// Evaluate is where an object is by its location expression. u is the unit that
// the expression stands in; nil if it is not known: types and indexed addresses
// are lost then.
func Evaluate(expr []byte, u *die.Unit, m Machine) Result {
	e := evaluator{expr: expr, unit: u, m: m}
	e.run()
	return Result{Pieces: e.pieces}
}

// Number is the value of an expression that describes a value: that of a call
// site's parameter, or a frame base (DWARF 5, 3.3.5 and 3.4.2). A register stands
// for its value.
func Number(expr []byte, u *die.Unit, m Machine) (uint64, Provenance) {
	e := evaluator{expr: expr, unit: u, m: m, number: true}
	e.run()
	r := Result{Pieces: e.pieces}
	if len(r.Pieces) != 1 || r.Pieces[0].Bits != 0 {
		return 0, LostFor(NoOperator, "a value in pieces")
	}
	p := &r.Pieces[0]
	switch p.Kind {
	case InRegister, Computed:
		return number(p.Data), p.Provenance
	case Implicit:
		return 0, LostFor(NoLocation, "a pointer that the compiler optimized out")
	}
	return 0, p.Provenance
}

// lostError ends the evaluation of a piece.
type lostError struct {
	reason Reason
	why    string
}

func (e lostError) Error() string { return e.why }

type entry struct {
	v uint64
	t base
}

// evaluator runs one expression.
type evaluator struct {
	expr   []byte
	unit   *die.Unit
	m      Machine
	at     int
	steps  int
	number bool // what remains on the stack is a value, not an address

	stack  []entry
	pieces []Piece

	// of the piece under way
	place  *Piece // set by what is no address: registers, values
	from   []Provenance
	uninit bool
}

func (e *evaluator) run() {
	for {
		err := e.piece()
		if err != nil {
			e.pieces = append(e.pieces, Piece{Provenance: provenanceOf(err)})
		}
		bits, skip, more := e.pieceEnd(err != nil)
		last := &e.pieces[len(e.pieces)-1]
		if more {
			last.Bits, last.Skip = bits, skip
		}
		if !more || e.at >= len(e.expr) {
			break
		}
		if len(e.pieces) >= maxPieces {
			e.pieces[0] = Piece{Provenance: LostFor(Damaged, "an expression of too many pieces")}
			e.pieces = e.pieces[:1]
			break
		}
	}
}

func provenanceOf(err error) Provenance {
	var lost lostError
	var op errOperator
	switch {
	case errors.As(err, &lost):
		return LostFor(lost.reason, lost.why)
	case errors.As(err, &op):
		return LostFor(NoOperator, op.Error())
	case fault.ReasonOf(err) != 0:
		return LostFor(NoMemory, err.Error())
	}
	return LostFor(Damaged, err.Error())
}

// pieceEnd looks behind a piece: at the operator that gives its size, if there
// is one. After a failure it looks for it.
func (e *evaluator) pieceEnd(failed bool) (bits, skip uint64, more bool) {
	for e.at < len(e.expr) {
		in, err := decode(e.expr, e.at)
		if err != nil {
			e.at = len(e.expr)
			return 0, 0, len(e.pieces) > 1 || e.pieces[0].Bits != 0
		}
		e.at = in.next
		switch in.op {
		case die.OpPiece:
			return min(in.a, 1<<40) * 8, 0, true
		case die.OpBitPiece:
			return min(in.a, 1<<43), in.b, true
		}
		if !failed {
			e.at = len(e.expr)
			last := &e.pieces[len(e.pieces)-1]
			*last = Piece{Provenance: LostFor(Damaged, "an expression that goes on behind its end")}
		}
	}
	return 0, 0, false
}

// piece evaluates up to the end or to the operator that ends the piece, which is
// left to pieceEnd.
func (e *evaluator) piece() error {
	e.stack, e.place, e.from, e.uninit = e.stack[:0], nil, nil, false
	for e.at < len(e.expr) {
		in, err := decode(e.expr, e.at)
		if err != nil {
			return err
		}
		if in.op == die.OpPiece || in.op == die.OpBitPiece {
			break
		}
		if e.place != nil && in.op != die.OpGNUUninit {
			break // pieceEnd complains
		}
		if e.steps++; e.steps > maxSteps {
			return lostError{Damaged, "an expression that does not end"}
		}
		e.at = in.next
		if err := e.step(&in); err != nil {
			return err
		}
		if len(e.stack) > maxStack {
			return lostError{Damaged, "an expression that needs too much stack"}
		}
	}
	return e.finish()
}

// finish makes the piece of what was evaluated.
func (e *evaluator) finish() error {
	p := e.place
	switch {
	case p != nil:
	case len(e.stack) == 0:
		return lostError{NoLocation, "optimized out"}
	default:
		top, err := e.pop()
		if err != nil {
			return err
		}
		p = &Piece{Kind: InMemory, Addr: top.v}
		if e.number {
			p = &Piece{Kind: Computed, Data: little(top.v)}
		}
	}
	p.Provenance = e.provenance(p.Kind)
	if e.uninit {
		p.How += " (not initialized)"
	}
	e.pieces = append(e.pieces, *p)
	return nil
}

// computed stands before what a value is computed from.
const computed = "computed: "

// provenance joins those of the values that a piece was computed from.
func (e *evaluator) provenance(k Kind) Provenance {
	p := Provenance{Class: Exact}
	var how []string
	for i := range e.from {
		f := &e.from[i]
		p.Class = min(p.Class, f.Class)
		p.Steps = append(p.Steps, f.Steps...)
		if f.How != "" && !slices.Contains(how, f.How) && (f.Class != Exact || k == Computed) {
			how = append(how, strings.TrimPrefix(f.How, computed))
		}
	}
	if len(how) > maxFrom {
		how = append(how[:maxFrom], "more")
	}
	from := strings.Join(how, " and ")
	switch k {
	case InRegister:
		p.How = e.from[0].How
	case Computed:
		p.How = computed + from
		if len(e.from) == 0 {
			p.Class, p.How = Derived, "constant"
		} else if len(e.stack) == 0 && len(e.from) == 1 && e.direct() {
			p.How = from
		}
	case Implicit:
		p.Class, p.How = Derived, "a pointer that the compiler optimized out; what it points to is known"
	case InMemory:
		p.How = "memory"
		if from != "" {
			p.How = "memory, address: " + from
		}
	}
	return p
}

// direct reports whether the expression is one value as it is.
func (e *evaluator) direct() bool {
	in, err := decode(e.expr, 0)
	if err != nil || in.next < len(e.expr) && e.expr[in.next] != die.OpStackValue {
		return false
	}
	return in.op == die.OpEntryValue || in.op == die.OpGNUParameterRef || in.op >= die.OpBreg0 && in.op <= die.OpBreg31 && in.a == 0
}

func (e *evaluator) pop() (entry, error) {
	n := len(e.stack)
	if n == 0 {
		return entry{}, lostError{Damaged, "an expression that takes from an empty stack"}
	}
	x := e.stack[n-1]
	e.stack = e.stack[:n-1]
	return x, nil
}

func (e *evaluator) push(v uint64) { e.stack = append(e.stack, entry{v: v}) }

// known notes where a value comes from; a lost one ends the piece.
func (e *evaluator) known(p Provenance) error {
	if p.Class == Lost {
		return lostError{p.Reason, p.How}
	}
	if len(e.from) < maxSteps {
		e.from = append(e.from, p)
	}
	return nil
}

func (e *evaluator) read(addr uint64, size int) (uint64, error) {
	if size < 1 || size > 8 {
		return 0, lostError{NoOperator, fmt.Sprintf("operator that reads %d bytes", size)}
	}
	var b [8]byte
	if err := e.m.Read(b[:size], addr); err != nil {
		return 0, err
	}
	return number(b[:size]), e.known(Provenance{Class: Exact, How: "memory"})
}
