package mm

import (
	"strings"
	"sync/atomic"

	"github.com/kdive/kdive/kernel"
)

// PageFlag is a bit of page.flags.
type PageFlag struct {
	Name string // of the enumerator, "PG_locked"
	Bit  int
}

// PageFlags are the flags of the kernel's own enum pageflags, several names for
// one bit included: aliases say what the bit means to one user of pages.
func PageFlags(k kernel.View) ([]PageFlag, error) {
	t, err := k.StructType("pageflags")
	if err != nil {
		return nil, err
	}
	var flags []PageFlag
	for _, e := range t.Underlying().Enumerators() {
		if strings.HasPrefix(e.Name, "PG_") && e.Value >= 0 && e.Value < 64 {
			flags = append(flags, PageFlag{e.Name, int(e.Value)})
		}
	}
	return flags, nil
}

// pageFlagName is a name that the kernel itself would print for bits of page.flags.
type pageFlagName struct {
	mask uint64
	name string
}

type flagTableNeeds struct {
	Table kernel.Sym   `need:"pageflag_names"`
	Size  kernel.Size  `need:"trace_print_flags"`
	Mask  kernel.Field `need:"trace_print_flags.mask"`
	Name  kernel.Field `need:"trace_print_flags.name"`
}

// maxFlags bounds the table of names: a flag per bit, and its end.
const maxFlags = 65

// flagTable reads the table with which the kernel prints flags (mm/debug.c); its
// order is that of the names. nil if there is none.
func flagTable(k kernel.View) []pageFlagName {
	var n flagTableNeeds
	if k.Bind(&n) != nil || n.Size < 16 || n.Size > 64 {
		return nil
	}
	var table []pageFlagName
	obj := make([]byte, n.Size)
	for i := range uint64(maxFlags) {
		if k.Read(obj, uint64(n.Table)+i*uint64(n.Size)) != nil {
			return nil
		}
		mask, at := n.Mask.In(obj), n.Name.In(obj)
		if at == 0 {
			return table
		}
		name, err := readString(k, at, 32)
		if err != nil || name == "" {
			return nil
		}
		table = append(table, pageFlagName{mask, name})
	}
	return nil // no end
}

// flagEnum makes the table out of enum pageflags: of several names for a bit the
// first.
func flagEnum(k kernel.View) []pageFlagName {
	flags, err := PageFlags(k)
	if err != nil {
		return nil
	}
	var named uint64
	var table []pageFlagName
	for _, f := range flags {
		if named>>f.Bit&1 == 0 {
			named |= 1 << f.Bit
			table = append(table, pageFlagName{1 << f.Bit, strings.TrimPrefix(f.Name, "PG_")})
		}
	}
	return table
}

// flagNames names the flags of pages. Neighbours tend to have the same, so the
// last answer is kept.
type flagNames struct {
	table []pageFlagName
	last  atomic.Pointer[namedFlags]
}

type namedFlags struct {
	flags uint64
	names []string
}

func (f *flagNames) load(k kernel.View) {
	if f.table = flagTable(k); f.table == nil {
		f.table = flagEnum(k)
	}
}

// of returns the names of the flags that are set; callers must not change them.
func (f *flagNames) of(flags uint64) []string {
	if l := f.last.Load(); l != nil && l.flags == flags {
		return l.names
	}
	var names []string
	for _, x := range f.table {
		if flags&x.mask != 0 {
			names = append(names, x.name)
		}
	}
	f.last.Store(&namedFlags{flags, names})
	return names
}
