package debuginfo

import (
	"debug/dwarf"
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/scan"
)

// Function is a function, or what is known of one that has no code of its own.
type Function struct {
	Name      string
	Type      *ctype.Type // of kind Func, with the parameters' names
	Low, High uint64      // link-time addresses; 0 if it has no code (inlined everywhere, or only declared)
	Ranges    []die.Range // all its code; Low and High are the first
	File      string      // where it is declared
	Line      int
	Unit      string // source file of its unit
	External  bool
	Entry     int // offset of its entry in .debug_info
	assembly  bool
}

// Functions is all functions of that name with code; if there are none, what
// is inlined or declared under that name, with a type.
func (in *Info) Functions(name string) ([]Function, error) {
	var code, other []Function
	err := guard(func() error {
		x, d, err := in.indexAndData()
		if err != nil {
			return err
		}
		for _, r := range x.Lookup(&d.Sections, name) {
			if r.Kind != scan.Function {
				continue
			}
			f, err := in.functionAt(name, r.Off)
			if err != nil {
				return err
			}
			if len(f.Ranges) > 0 {
				code = append(code, f)
			} else {
				other = append(other, f)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", name, err)
	}
	if len(code) > 0 {
		for i := range code {
			// Assembly has no prototypes; the C that calls it has.
			if code[i].assembly && len(other) > 0 {
				code[i].Type = other[0].Type
			}
		}
		return code, nil
	}
	seen := make(map[string]bool)
	for _, f := range other {
		if key := f.Type.String() + " " + f.File; !seen[key] {
			seen[key] = true
			code = append(code, f)
		}
	}
	return code, nil
}

// langAssembler is DW_LANG_Mips_Assembler, which the GNU assembler says it is.
const langAssembler = 0x8001

func (in *Info) functionAt(name string, off int) (Function, error) {
	e, u, err := in.entry(off)
	if err != nil {
		return Function{}, err
	}
	f := Function{Name: name, Entry: off, Unit: u.name, assembly: u.Lang == langAssembler}
	if f.Ranges, err = e.Ranges(); err != nil {
		return f, err
	}
	if len(f.Ranges) > 0 {
		f.Low, f.High = f.Ranges[0].Low, f.Ranges[0].High
	}
	// The entry with code of an inlined function has no names of its own: its
	// prototype is that of its abstract origin.
	for range maxChain {
		if f.File == "" {
			f.File, f.Line = in.declared(u, &e)
		}
		f.External = f.External || e.Flag(dwarf.AttrExternal)
		off = e.Off
		next, nu, ok, err := in.completes(u, &e)
		if err != nil {
			return f, err
		}
		if !ok {
			break
		}
		e, u = next, nu
	}
	f.Type, err = in.typeAt(off)
	return f, err
}
