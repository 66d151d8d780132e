package debuginfo

import (
	"debug/dwarf"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/scan"
)

// Variable is a variable of file scope.
type Variable struct {
	Name     string
	Type     *ctype.Type // nil if its entry gives none
	Addr     uint64      // link-time address, of the template for per-CPU variables
	HasAddr  bool        // false if it was optimised away or is only declared
	File     string      // where it is declared
	Line     int
	Unit     string // source file of its unit
	External bool
	Entry    int // offset of its entry in .debug_info
}

// Variables is all variables of that name: those with an address first. A
// declaration counts where no unit defines the variable (the linker script or
// assembly does); its address then comes from the symbol table.
func (in *Info) Variables(name string) ([]Variable, error) {
	var defined, other, declared []Variable
	err := guard(func() error {
		x, d, err := in.indexAndData()
		if err != nil {
			return err
		}
		for _, r := range x.Lookup(&d.Sections, name) {
			if r.Kind != scan.Variable {
				continue
			}
			v, err := in.variable(name, r.Off)
			if err != nil {
				return err
			}
			switch {
			case v.HasAddr:
				defined = append(defined, v)
			case r.Flags&scan.Declared != 0:
				declared = append(declared, v)
			default:
				other = append(other, v)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	external := false
	for _, v := range defined {
		external = external || v.External
	}
	list := append(defined, distinct(other)...)
	if !external {
		list = append(in.place(distinct(declared), name), list...)
	}
	return list, nil
}

// place gives declared variables the address of the global symbol. Without one
// they count only if nothing else has the name.
func (in *Info) place(declared []Variable, name string) []Variable {
	var global []Symbol
	for _, s := range in.Lookup(name) {
		if s.Type&0x20 == 0 || s.Type == 'V' || s.Type == 'W' {
			global = append(global, s)
		}
	}
	if len(global) != 1 {
		return declared
	}
	for i := range declared {
		declared[i].Addr, declared[i].HasAddr = global[0].Addr, true
	}
	return declared
}

// distinct keeps the first variable of each type and place.
func distinct(list []Variable) []Variable {
	seen := make(map[string]bool)
	var out []Variable
	for _, v := range list {
		key := v.Type.String()
		if !v.External {
			key += " " + v.File
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, v)
		}
	}
	return out
}

func (in *Info) variable(name string, off int) (Variable, error) {
	e, u, err := in.entry(off)
	if err != nil {
		return Variable{}, err
	}
	v := Variable{Name: name, Entry: off, Unit: u.name}
	if loc, ok := e.Attr(dwarf.AttrLocation); ok {
		v.Addr, v.HasAddr = staticAddr(u, loc)
	}
	// Name, type and place may stand in the declaration that the entry
	// completes.
	for range maxChain {
		if v.Type == nil {
			if v.Type, err = in.typeOf(u, &e); err != nil {
				return v, err
			}
		}
		if v.File == "" {
			v.File, v.Line = in.declared(u, &e)
		}
		v.External = v.External || e.Flag(dwarf.AttrExternal)
		var ok bool
		if e, u, ok, err = in.completes(u, &e); !ok || err != nil {
			break
		}
	}
	return v, err
}

// completes is the entry that e completes: its specification or abstract
// origin.
func (in *Info) completes(u *unit, e *die.Entry) (die.Entry, *unit, bool, error) {
	for _, a := range []dwarf.Attr{dwarf.AttrSpecification, dwarf.AttrAbstractOrigin} {
		off, ok, err := in.ref(u, e, a)
		if err != nil {
			return *e, u, true, err
		}
		if ok {
			to, tu, err := in.entry(off)
			return to, tu, true, err
		}
	}
	return *e, u, false, nil
}

// staticAddr is the address that a location expression of one DW_OP_addr gives.
func staticAddr(u *unit, loc die.Value) (uint64, bool) {
	if !loc.IsBlock() || len(loc.Block) == 0 {
		return 0, false
	}
	b := die.At(loc.Block, 1)
	switch loc.Block[0] {
	case die.OpAddr:
		a := b.Uint(u.AddrSize)
		return a, !b.Bad && b.Len() == 0
	case die.OpAddrx:
		i := b.Uleb()
		a, err := u.AddrX(i)
		return a, err == nil && !b.Bad && b.Len() == 0
	}
	return 0, false
}
