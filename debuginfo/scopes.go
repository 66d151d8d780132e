package debuginfo

import (
	"cmp"
	"debug/dwarf"
	"slices"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/die"
)

// Scope is a function, a call that was inlined into it, or a block, that
// covers an address. Its entry is a cursor to parameters, variables and call
// sites.
type Scope struct {
	die.Entry
	Name     string // of the function; empty for a block
	Ranges   []die.Range
	CallFile string // for an inlined call: where it stands in the scope around it
	CallLine int
}

// Inlined reports whether the scope is an inlined call.
func (s *Scope) Inlined() bool { return s.Tag == dwarf.TagInlinedSubroutine }

// Block reports whether the scope is a block inside a function.
func (s *Scope) Block() bool { return s.Tag == dwarf.TagLexDwarfBlock }

// maxScopes bounds the nesting of blocks and inlined calls.
const maxScopes = 256

// Scopes is what covers an address, from the function inwards. Empty if the
// debug info describes no function there (assembly).
func (in *Info) Scopes(pc uint64) ([]Scope, error) {
	var list []Scope
	err := guard(func() error {
		x, err := in.index()
		if err != nil {
			return err
		}
		xu, _, ok := x.UnitAt(pc)
		if !ok {
			return nil
		}
		u, err := in.unitAt(xu.Off)
		if err != nil {
			return err
		}
		off, ok, err := in.codeAt(u, pc)
		if !ok || err != nil {
			return err
		}
		e, err := u.Entry(off)
		if err != nil {
			return err
		}
		list, err = in.descend(u, e, pc)
		return err
	})
	return list, err
}

// descend collects the scopes below a function's entry.
func (in *Info) descend(u *unit, e die.Entry, pc uint64) ([]Scope, error) {
	var list []Scope
	for len(list) < maxScopes {
		s, err := in.scope(u, e)
		if err != nil {
			return list, err
		}
		list = append(list, s)
		next, ok, err := inner(&e, pc)
		if !ok || err != nil {
			return list, err
		}
		e = next
	}
	return list, nil
}

// inner is the child that covers the address.
func inner(e *die.Entry, pc uint64) (die.Entry, bool, error) {
	for c, err := range e.Kids() {
		if err != nil {
			return c, false, err
		}
		if c.Tag != dwarf.TagInlinedSubroutine && c.Tag != dwarf.TagLexDwarfBlock {
			continue
		}
		ranges, err := c.Ranges()
		if err != nil {
			return c, false, err
		}
		if covers(ranges, pc) {
			return c, true, nil
		}
	}
	return die.Entry{}, false, nil
}

func covers(ranges []die.Range, pc uint64) bool {
	return slices.ContainsFunc(ranges, func(r die.Range) bool { return r.Contains(pc) })
}

func (in *Info) scope(u *unit, e die.Entry) (Scope, error) {
	s := Scope{Entry: e}
	var err error
	if s.Ranges, err = e.Ranges(); err != nil {
		return s, err
	}
	if s.Block() {
		return s, nil
	}
	if i, ok := e.Uint(dwarf.AttrCallFile); ok {
		s.CallFile = in.filePath(u, i)
	}
	n, _ := e.Uint(dwarf.AttrCallLine)
	s.CallLine = int(n & (1<<31 - 1))
	s.Name, err = in.nameOf(u, e)
	return s, err
}

// nameOf is the name of an entry, or of the one it completes.
func (in *Info) nameOf(u *unit, e die.Entry) (string, error) {
	for range maxChain {
		if name := e.Name(); name != "" {
			return name, nil
		}
		next, nu, ok, err := in.completes(u, &e)
		if !ok || err != nil {
			return "", err
		}
		e, u = next, nu
	}
	return "", nil
}

// code is where one function of a unit lies.
type code struct {
	die.Range
	entry int
}

// codeAt is the entry of the unit's function that covers an address.
func (in *Info) codeAt(u *unit, pc uint64) (int, bool, error) {
	list, err := u.code()
	i, _ := slices.BinarySearchFunc(list, pc, func(c code, pc uint64) int {
		if c.Low <= pc {
			return -1
		}
		return 1
	})
	for k := i - 1; k >= 0 && k >= i-4; k-- {
		if list[k].Contains(pc) {
			return list[k].entry, true, nil
		}
	}
	return 0, false, err
}

// readCode lists the functions of a unit by address: those at the top level,
// and in namespaces and types, where other languages than C have theirs.
func (u *unit) readCode() ([]code, error) {
	root := u.Root()
	list, err := appendCode(nil, &root, 0)
	slices.SortFunc(list, func(a, b code) int { return cmp.Compare(a.Low, b.Low) })
	return list, err
}

func appendCode(list []code, e *die.Entry, depth int) ([]code, error) {
	for c, err := range e.Kids() {
		if err != nil {
			return list, err
		}
		switch c.Tag {
		case dwarf.TagSubprogram:
			ranges, err := c.Ranges()
			if err != nil {
				return list, err
			}
			for _, r := range ranges {
				list = append(list, code{r, c.Off})
			}
		case dwarf.TagNamespace, dwarf.TagModule, dwarf.TagClassType, dwarf.TagStructType:
			if depth >= maxChain || c.Tag == dwarf.TagStructType && depth == 0 {
				continue
			}
			if list, err = appendCode(list, &c, depth+1); err != nil {
				return list, err
			}
		}
	}
	return list, nil
}

// Entry is a cursor to the entry at an offset in .debug_info. Whoever reads
// through it runs under mapped.Guard.
func (in *Info) Entry(off int) (e die.Entry, err error) {
	err = guard(func() error {
		e, _, err = in.entry(off)
		return err
	})
	return e, err
}

// TypeOf is the type that an entry refers to, itself or through the entry it
// completes; nil is void.
func (in *Info) TypeOf(e *die.Entry) (t *ctype.Type, err error) {
	err = guard(func() error {
		u, err := in.unitAt(e.Unit.Off)
		if err != nil {
			return err
		}
		at := *e
		for range maxChain {
			if t, err = in.typeOf(u, &at); t != nil || err != nil {
				return err
			}
			next, nu, ok, err := in.completes(u, &at)
			if !ok || err != nil {
				return err
			}
			at, u = next, nu
		}
		return nil
	})
	return t, err
}

// NameOf is the name of an entry, or of the one it completes.
func (in *Info) NameOf(e *die.Entry) (name string, err error) {
	err = guard(func() error {
		u, err := in.unitAt(e.Unit.Off)
		if err != nil {
			return err
		}
		name, err = in.nameOf(u, *e)
		return err
	})
	return name, err
}
