package symbolic

import "math/bits"

// Op is what an expression is made of.
type Op uint8

// The kinds of expressions. All values are 64 bits wide; one of fewer bytes has
// zeros above.
const (
	OpConst  Op = iota // C
	OpEntry            // what general register C held when the function was called
	OpOpaque           // a value that nothing is known of, defined at Site for place C
	OpLoad             // Size bytes of memory at A, as they were at Site
	OpGS               // an address: A, relative to the base of segment GS
	OpAdd              // A + B; a constant is B
	OpSub              // A - B
	OpMul              // A * B
	OpAnd              // A & B
	OpOr               // A | B
	OpXor              // A ^ B
	OpShl              // A << C
	OpShr              // A >> C
	OpSar              // A >> C, signed
	OpZext             // the low Size bytes of A
	OpSext             // the low Size bytes of A with their sign
)

// Expr is a value as an expression. Within one Func equal expressions are one
// pointer.
//
// A name defined at a site (OpOpaque, OpLoad) is the value that the last run
// through the site gave.
type Expr struct {
	Op   Op
	Size uint8
	A, B *Expr
	C    uint64
	Site int32  // index of an instruction, or ^index of a block where paths meet
	PC   uint64 // of the first instruction that computed it

	id    int32
	nodes int32
	sites uint64 // a Bloom filter of the sites in it
	// inFrame: it is computed from the stack pointer, so it may be an address in
	// the frame.
	inFrame bool
}

type exprKey struct {
	op   Op
	size uint8
	a, b *Expr
	c    uint64
	site int32
}

const (
	maxNodes = 48      // of one expression
	maxExprs = 1 << 17 // of one function
)

// table makes every expression once.
type table struct {
	byKey map[exprKey]*Expr
	pc    uint64 // of the instruction that is executed
	full  bool
}

func (t *table) make(k exprKey) *Expr {
	if e, ok := t.byKey[k]; ok {
		return e
	}
	if len(t.byKey) >= maxExprs {
		t.full = true
	}
	e := &Expr{Op: k.op, Size: k.size, A: k.a, B: k.b, C: k.c, Site: k.site, PC: t.pc, id: int32(len(t.byKey)), nodes: 1}
	if k.op == OpOpaque || k.op == OpLoad {
		e.sites = siteBit(k.site)
	}
	for _, x := range [2]*Expr{k.a, k.b} {
		if x != nil {
			e.nodes += x.nodes
			e.sites |= x.sites
			e.inFrame = e.inFrame || x.inFrame
		}
	}
	e.inFrame = k.op != OpLoad && (e.inFrame || k.op == OpEntry && k.c == rsp)
	if t.full {
		return e // the analysis is given up
	}
	t.byKey[k] = e
	return e
}

func siteBit(site int32) uint64 { return 1 << (uint32(site) * 0x9e3779b1 >> 26) }

// mentions reports whether a name defined at a site is part of the expression.
func (e *Expr) mentions(site int32) bool {
	if e == nil || e.sites&siteBit(site) == 0 {
		return false
	}
	if (e.Op == OpOpaque || e.Op == OpLoad) && e.Site == site {
		return true
	}
	return e.A.mentions(site) || e.B.mentions(site)
}

func (t *table) constant(c uint64) *Expr        { return t.make(exprKey{op: OpConst, c: c}) }
func (t *table) entry(n int) *Expr              { return t.make(exprKey{op: OpEntry, c: uint64(n)}) }
func (t *table) opaque(s int32, c uint64) *Expr { return t.make(exprKey{op: OpOpaque, site: s, c: c}) }

func (e *Expr) isConst() bool { return e.Op == OpConst }

// frameOffset is the offset of a stack address from the stack pointer that the
// function was called with.
func (e *Expr) frameOffset() (int64, bool) {
	switch {
	case e.Op == OpEntry && e.C == rsp:
		return 0, true
	case e.Op == OpAdd && e.A.Op == OpEntry && e.A.C == rsp && e.B.isConst():
		return int64(e.B.C), true
	}
	return 0, false
}

func sizeMask(size uint8) uint64 {
	if size >= 8 {
		return ^uint64(0)
	}
	return 1<<(8*size) - 1
}

// width is how many low bytes of the value can differ from zero.
func (e *Expr) width() uint8 {
	switch e.Op {
	case OpConst:
		return uint8((bits.Len64(e.C) + 7) / 8)
	case OpZext, OpLoad:
		return e.Size
	case OpShr:
		return uint8(max(0, int(e.A.width())-int(e.C/8)))
	case OpAnd:
		return min(e.A.width(), e.B.width())
	case OpOr, OpXor:
		return max(e.A.width(), e.B.width())
	}
	return 8
}

func (t *table) zext(a *Expr, size uint8) *Expr {
	switch {
	case size >= 8 || a.width() <= size:
		return a
	case a.isConst():
		return t.constant(a.C & sizeMask(size))
	case a.Op == OpZext || a.Op == OpSext && a.Size >= size:
		return t.zext(a.A, size)
	case a.Op == OpAdd && a.B.isConst():
		x := a.A
		if x.Op == OpZext && x.Size >= size {
			x = x.A
		}
		a = t.add(x, t.constant(uint64(int64(a.B.C<<(64-8*size))>>(64-8*size))))
		if a.width() <= size {
			return a
		}
	}
	return t.make(exprKey{op: OpZext, size: size, a: a})
}

func (t *table) sext(a *Expr, size uint8) *Expr {
	switch {
	case size >= 8:
		return a
	case a.isConst():
		return t.constant(signed(a.C, size))
	case a.Op == OpZext && a.Size >= size:
		return t.sext(a.A, size)
	case a.Op == OpSext && a.Size <= size || a.width() < size:
		return a
	}
	return t.make(exprKey{op: OpSext, size: size, a: a})
}

func signed(v uint64, size uint8) uint64 {
	if size >= 8 {
		return v
	}
	shift := 64 - 8*uint(size)
	return uint64(int64(v<<shift) >> shift)
}

func (t *table) add(a, b *Expr) *Expr {
	if a.isConst() {
		a, b = b, a
	}
	switch {
	case a.isConst():
		return t.constant(a.C + b.C)
	case b.isConst() && b.C == 0:
		return a
	case b.isConst() && a.Op == OpAdd && a.B.isConst():
		return t.add(a.A, t.constant(a.B.C+b.C))
	case !b.isConst() && a.Op == OpAdd && a.B.isConst():
		return t.add(t.add(a.A, b), a.B)
	case !b.isConst() && b.Op == OpAdd && b.B.isConst():
		return t.add(t.add(a, b.A), b.B)
	case !b.isConst() && a.id > b.id:
		a, b = b, a
	}
	return t.make(exprKey{op: OpAdd, a: a, b: b})
}

// binary makes an operation of two operands on 64 bits.
func (t *table) binary(op Op, a, b *Expr) *Expr {
	if a.isConst() && b.isConst() {
		return t.constant(apply(op, a.C, b.C))
	}
	switch {
	case op == OpAdd:
		return t.add(a, b)
	case op == OpSub && b.isConst():
		return t.add(a, t.constant(-b.C))
	case (op == OpSub || op == OpXor) && a == b:
		return t.constant(0)
	case (op == OpAnd || op == OpOr) && a == b:
		return a
	case op != OpSub && (a.isConst() || !b.isConst() && a.id > b.id):
		a, b = b, a
	}
	if b.isConst() {
		switch {
		case op == OpAnd && b.C == 0:
			return b
		case op == OpAnd && b.C == sizeMask(1), op == OpAnd && b.C == sizeMask(2), op == OpAnd && b.C == sizeMask(4):
			return t.zext(a, uint8(bits.Len64(b.C)/8))
		case (op == OpOr || op == OpXor) && b.C == 0, op == OpAnd && b.C == ^uint64(0), op == OpMul && b.C == 1:
			return a
		}
	}
	return t.make(exprKey{op: op, a: a, b: b})
}

// shift makes a shift by a constant.
func (t *table) shift(op Op, a *Expr, n uint64) *Expr {
	if n == 0 {
		return a
	}
	if a.isConst() {
		return t.constant(apply(op, a.C, n))
	}
	return t.make(exprKey{op: op, a: a, c: n})
}

// apply computes an operation of two numbers; shifts count up to 63.
func apply(op Op, a, b uint64) uint64 {
	switch op {
	case OpAdd:
		return a + b
	case OpSub:
		return a - b
	case OpMul:
		return a * b
	case OpAnd:
		return a & b
	case OpOr:
		return a | b
	case OpXor:
		return a ^ b
	case OpShl:
		return a << (b & 63)
	case OpShr:
		return a >> (b & 63)
	case OpSar:
		return uint64(int64(a) >> (b & 63))
	}
	return 0
}
