package frame

import (
	"debug/dwarf"
	"errors"
	"slices"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/unwind"
	"github.com/kdive/kdive/value"
)

// Bounds on one frame.
const (
	maxVariables = 4096
	maxOrigins   = 8 // entries that complete each other
)

func (m *Model) levels(tr *unwind.Trace, i int) ([]Level, error) {
	code, err := m.CodeAt(tr, i)
	if err != nil {
		return nil, err
	}
	x := m.machine(tr, i)
	var levels []Level
	var errs []error
	count := 0
	for s := range code.Scopes {
		scope := &code.Scopes[s]
		if !scope.Block() {
			levels = append(levels, Level{Function: scope.Name, Inlined: scope.Inlined()})
		}
		l := &levels[len(levels)-1]
		first := len(l.Vars)
		for e, err := range scope.Kids() {
			if err != nil {
				errs = append(errs, err)
				break
			}
			if e.Tag != dwarf.TagFormalParameter && e.Tag != dwarf.TagVariable {
				continue
			}
			if count++; count > maxVariables {
				return levels, errors.New("a function with too many variables")
			}
			if v, ok := m.variable(x, scope, e); ok {
				l.Vars = append(l.Vars, v)
			}
		}
		if !scope.Block() {
			l.Vars = append(l.Vars, m.dropped(code, scope, l.Vars[first:])...)
		}
		slices.SortStableFunc(l.Vars, func(a, b Variable) int { return rank(&a) - rank(&b) })
	}
	slices.Reverse(levels)
	return levels, errors.Join(errs...)
}

func rank(v *Variable) int {
	if v.Parameter {
		return 0
	}
	return 1
}

// variable evaluates one variable; false if it is none of the function's: a
// declaration of something elsewhere, or without a name.
func (m *Model) variable(x *machine, scope *debuginfo.Scope, e die.Entry) (Variable, bool) {
	info := x.code.Info
	v := Variable{Parameter: e.Tag == dwarf.TagFormalParameter, Entry: e}
	v.Name, _ = info.NameOf(&e)
	if v.Name == "" || e.Flag(dwarf.AttrDeclaration) {
		return v, false
	}
	m.asked = 0
	var err error
	if v.Type, err = info.TypeOf(&e); err != nil || v.Type == nil {
		v.Type = ctype.VoidType()
		v.lose(location.LostFor(location.Damaged, "its type cannot be read"))
		return v, true
	}
	if c, ok := constant(&e); ok {
		v.Where = location.Result{Pieces: []location.Piece{{Kind: location.Computed, Data: c, Provenance: location.Provenance{Class: location.Derived, How: "constant"}}}}
	} else {
		m.locate(x, scope, &v)
	}
	m.finish(x, &v, 0)
	return v, true
}

func (v *Variable) lose(p location.Provenance) {
	v.Where = location.Result{Pieces: []location.Piece{{Provenance: p}}}
	v.Provenance = p
	v.Value = value.Absent(v.Type, lost(p))
}

// locate evaluates a variable's location; what is lost is asked of the Recoverer.
func (m *Model) locate(x *machine, scope *debuginfo.Scope, v *Variable) {
	*x.recovered = location.None
	list, err := locations(&v.Entry)
	expr, ok := location.Select(list, x.code.Link)
	switch {
	case ok:
		v.Where = location.Evaluate(expr, v.Entry.Unit, x)
	case err != nil:
		v.Where = location.LostResult(location.Damaged, err.Error())
	case len(list) == 0:
		v.Where = location.LostResult(location.NoLocation, "optimized out")
	default:
		v.Where = location.LostResult(location.NotHere, "its places in the debug info do not cover this pc")
	}
	v.Recovered = *x.recovered
	if m.Recover == nil || x.bare || whole(v.Where) {
		return
	}
	why := v.Where.Provenance().Reason
	r := m.Recover.Variable(x.tr, x.i, &Sought{Name: v.Name, Type: v.Type, Entry: v.Entry, Code: x.code, Scope: scope, List: list, Found: v.Where})
	if len(r.Pieces) > 0 && r.Provenance().Class != location.Lost {
		v.Where, v.Recovered = r, why
	}
}

func whole(r location.Result) bool {
	return !slices.ContainsFunc(r.Pieces, func(p location.Piece) bool { return p.Kind == location.Missing })
}

// locations is the location list of a variable, which may stand in the entry that
// it completes (a static variable of an inlined function).
func locations(e *die.Entry) ([]die.Location, error) {
	v, at, ok := attr(e, dwarf.AttrLocation)
	if !ok {
		return nil, nil
	}
	return at.Unit.Locations(v)
}

// constant is the value of a variable that is one (DW_AT_const_value). Numbers in
// forms of fixed size are without a sign.
func constant(e *die.Entry) ([]byte, bool) {
	v, _, ok := attr(e, dwarf.AttrConstValue)
	if !ok {
		return nil, false
	}
	if v.Block != nil {
		return v.Block, v.Form != die.FormString
	}
	return append(bytes8(v.U), signs(v)...), v.IsConst()
}

// signs are the bytes above the first eight of a number.
func signs(v die.Value) []byte {
	p := make([]byte, 8)
	if (v.Form == die.FormSdata || v.Form == die.FormImplicitConst) && int64(v.U) < 0 {
		for i := range p {
			p[i] = 0xff
		}
	}
	return p
}

// attr is an attribute of an entry or of one that it completes, with the entry
// that has it.
func attr(e *die.Entry, a dwarf.Attr) (die.Value, die.Entry, bool) {
	at := *e
	for range maxOrigins {
		if v, ok := at.Attr(a); ok {
			return v, at, true
		}
		next, ok, err := at.Ref(dwarf.AttrAbstractOrigin)
		if !ok {
			next, ok, err = at.Ref(dwarf.AttrSpecification)
		}
		if !ok || err != nil || !next.Valid() {
			break
		}
		at = next
	}
	return die.Value{}, die.Entry{}, false
}

// dropped are the parameters that the function has in the source and of which
// the compiler kept no trace in this call.
func (m *Model) dropped(code *Code, scope *debuginfo.Scope, have []Variable) []Variable {
	origin, ok, err := scope.Ref(dwarf.AttrAbstractOrigin)
	if !ok || err != nil {
		return nil
	}
	var list []Variable
	for e, err := range origin.Kids() {
		if err != nil || len(list) > maxVariables {
			break
		}
		if e.Tag != dwarf.TagFormalParameter || slices.ContainsFunc(have, func(v Variable) bool { return v.of(e.Off) }) {
			continue
		}
		v := Variable{Parameter: true, Entry: e}
		v.Name = e.Name()
		if v.Type, err = code.Info.TypeOf(&e); err != nil || v.Type == nil || v.Name == "" {
			continue
		}
		v.lose(location.LostFor(location.NoLocation, "optimized out"))
		list = append(list, v)
	}
	return list
}

// of reports whether the variable is an instance of the entry at off.
func (v *Variable) of(off int) bool {
	o, ok, err := v.Entry.Ref(dwarf.AttrAbstractOrigin)
	return ok && err == nil && o.Off == off
}
