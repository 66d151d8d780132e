package unwind

import (
	"errors"
	"fmt"

	"github.com/kdive/kdive/kernel"
)

// orcTables are the ORC tables of a kernel and its modules.
type orcTables struct {
	format  orcFormat
	image   *orcTable
	modules map[*kernel.Module]*orcTable
	arch    archNeeds
}

type orcSyms struct {
	IPs     kernel.Sym `need:"__start_orc_unwind_ip"`
	IPsEnd  kernel.Sym `need:"__stop_orc_unwind_ip"`
	Rows    kernel.Sym `need:"__start_orc_unwind"`
	RowsEnd kernel.Sym `need:"__stop_orc_unwind"`
}

// archNeeds is where a module's table is (struct mod_arch_specific).
type archNeeds struct {
	Num  kernel.Field `need:"?module.arch.num_orcs"`
	IPs  kernel.Field `need:"?module.arch.orc_unwind_ip"`
	Rows kernel.Field `need:"?module.arch.orc_unwind"`
}

// loadORC reads the table of the kernel image, from the dump or, where the dump
// lacks it, from the vmlinux.
func loadORC(v View) (*orcTables, error) {
	var s orcSyms
	t := &orcTables{modules: map[*kernel.Module]*orcTable{}}
	if err := errors.Join(v.Bind(&s), v.Bind(&t.format.orcNeeds)); err != nil {
		return nil, fmt.Errorf("ORC: %w", err)
	}
	if err := v.Bind(&t.arch); err != nil {
		return nil, err
	}
	size := int(t.format.Size)
	bytes := uint64(s.IPsEnd - s.IPs)
	n := bytes / 4
	if n == 0 || n > maxORC || size < 4 || size > 64 || uint64(s.RowsEnd-s.Rows) < n*uint64(size) {
		return nil, fmt.Errorf("ORC: tables of %d offsets and %d bytes of entries", n, s.RowsEnd-s.Rows)
	}
	table, err := readTable(v, uint64(s.IPs), uint64(s.Rows), int(n), size)
	if err != nil {
		return nil, fmt.Errorf("ORC: %w", err)
	}
	if err := t.format.probe(table.entries); err != nil {
		return nil, err
	}
	t.image = table
	return t, nil
}

func readTable(v View, ips, rows uint64, n, size int) (*orcTable, error) {
	t := &orcTable{base: ips, offsets: make([]byte, n*4), entries: make([]byte, n*size), size: size}
	for _, part := range []struct {
		to   []byte
		addr uint64
	}{{t.offsets, ips}, {t.entries, rows}} {
		if err := v.Read(part.to, part.addr); err != nil {
			if fromFile(v, part.to, part.addr) != nil {
				return nil, err
			}
		}
	}
	t.order()
	return t, nil
}

// fromFile reads what the kernel never changes out of its file.
func fromFile(v View, to []byte, addr uint64) error {
	info, link, err := v.InfoAt(addr)
	if err != nil {
		return err
	}
	b, err := info.ReadStatic(link, len(to))
	if err == nil && copy(to, b) < len(to) {
		err = errors.New("the section is too short")
	}
	return err
}

// row is the ORC row for a pc; nil without an error if none describes it.
func (t *orcTables) row(v View, pc uint64, m *kernel.Module) (*Row, error) {
	table := t.image
	if m != nil {
		var err error
		if table, err = t.module(v, m); err != nil {
			return nil, err
		}
	}
	if table == nil {
		return nil, nil
	}
	e := table.find(pc)
	if e == nil {
		return nil, nil
	}
	return t.format.row(e)
}

// module is the table of a module, nil if it has none.
func (t *orcTables) module(v View, m *kernel.Module) (*orcTable, error) {
	if table, ok := t.modules[m]; ok {
		return table, nil
	}
	t.modules[m] = nil
	if !t.arch.Num.Present() || !t.arch.IPs.Present() || !t.arch.Rows.Present() {
		return nil, nil
	}
	n, e1 := t.arch.Num.Uint(v, m.Addr)
	ips, e2 := t.arch.IPs.Uint(v, m.Addr)
	rows, e3 := t.arch.Rows.Uint(v, m.Addr)
	err := errors.Join(e1, e2, e3)
	switch {
	case err == nil && n > maxORC>>4:
		err = fmt.Errorf("%d entries are too many to be true", n)
	case err == nil && n == 0:
		return nil, nil
	}
	if err == nil {
		t.modules[m], err = readTable(v, ips, rows, int(n), t.image.size)
	}
	if err != nil {
		return nil, fmt.Errorf("ORC of module %s: %w", m.Name, err)
	}
	return t.modules[m], nil
}
