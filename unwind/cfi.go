package unwind

import (
	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/mapped"
)

// cfiTables are the call frame tables of the files that were asked for.
type cfiTables map[*debuginfo.Info][]*cfiTable

// cfiRow is the DWARF row for a pc; nil if there is none.
func (u *Unwinder) cfiRow(pc uint64) *Row {
	info, link, err := u.v.InfoAt(pc)
	if err != nil || info == nil {
		return nil
	}
	var row *Row
	_ = mapped.Guard(func() error { // a file that was cut off describes nothing
		for _, t := range u.cfi.of(info) {
			if row = t.row(link); row != nil {
				row.own()
				return nil
			}
		}
		return nil
	})
	return row
}

// of reads the tables of a file when first asked for.
func (c *cfiTables) of(info *debuginfo.Info) []*cfiTable {
	if list, ok := (*c)[info]; ok {
		return list
	}
	var list []*cfiTable
	for _, name := range [...]string{".debug_frame", ".eh_frame"} {
		data, err := info.Section(name)
		if err != nil || len(data) == 0 {
			continue
		}
		addr := uint64(0)
		if s := info.File().Section(name); s != nil {
			addr = s.Addr
		}
		list = append(list, readCFI(data, name == ".eh_frame", addr))
	}
	if *c == nil {
		*c = cfiTables{}
	}
	(*c)[info] = list
	return list
}

// own copies what the row has of the file, which is read under a guard.
func (r *Row) own() {
	copyExpr := func(x *rule) {
		if x.expr != nil {
			x.expr = append([]byte(nil), x.expr...)
		}
	}
	copyExpr(&r.cfa)
	for i := range r.regs {
		copyExpr(&r.regs[i])
	}
}
