package mm

import (
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// flagName is a name that the kernel itself prints for bits of flags.
type flagName struct {
	mask uint64 // 0 is a flag that this kernel does without
	name string
}

type flagTableNeeds struct {
	Size kernel.Size  `need:"trace_print_flags"`
	Mask kernel.Field `need:"trace_print_flags.mask"`
	Name kernel.Field `need:"trace_print_flags.name"`
}

// maxFlagName bounds a name, in bytes.
const maxFlagName = 32

// flagTable reads a table with which the kernel prints flags (mm/debug.c) and
// whose end is an entry without a name; its order is that of the names. With an
// error come the entries before it. A table of more than limit names has no end.
func flagTable(k kernel.View, symbol string, limit int) ([]flagName, error) {
	var n flagTableNeeds
	if err := k.Bind(&n); err != nil {
		return nil, err
	}
	at, ok := k.ImageSymbol(symbol)
	if !ok {
		return nil, &kernel.MissingError{Needs: []string{symbol}}
	}
	size := int64(n.Size)
	if size < 16 || size > 64 {
		return nil, fmt.Errorf("an entry of the table %s has %d bytes", symbol, size)
	}
	var table []flagName
	entry := make([]byte, size)
	for ; ; at += uint64(size) {
		if err := k.Read(entry, at); err != nil {
			return table, err
		}
		name := n.Name.In(entry)
		if name == 0 {
			return table, nil
		}
		if len(table) == limit {
			return table, fmt.Errorf("the table %s has no end", symbol)
		}
		text, err := value.CString(k, name, maxFlagName)
		if err != nil {
			return table, err
		}
		table = append(table, flagName{n.Mask.In(entry), text})
	}
}
