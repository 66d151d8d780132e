package mm

import (
	"slices"
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

// flagEnum makes the table out of enum pageflags: of several names for a bit the
// first.
func flagEnum(k kernel.View) []flagName {
	flags, err := PageFlags(k)
	if err != nil {
		return nil
	}
	var named uint64
	var table []flagName
	for _, f := range flags {
		if named>>f.Bit&1 == 0 {
			named |= 1 << f.Bit
			table = append(table, flagName{1 << f.Bit, strings.TrimPrefix(f.Name, "PG_")})
		}
	}
	return table
}

// flagNames names the flags of pages. Neighbours tend to have the same, so the
// last answer is kept.
type flagNames struct {
	table []flagName
	last  atomic.Pointer[namedFlags]
}

type namedFlags struct {
	flags uint64
	names []string
}

// maxPageFlags bounds the kernel's table: a flag per bit.
const maxPageFlags = 64

// load takes the kernel's own table if all of it makes sense, else its enum.
func (f *flagNames) load(k kernel.View) {
	var err error
	f.table, err = flagTable(k, "pageflag_names", maxPageFlags)
	if err != nil || len(f.table) == 0 || slices.ContainsFunc(f.table, func(x flagName) bool { return x.name == "" }) {
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
