package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Where the sections of a module were loaded, and its build ID, stand in the
// attributes that sysfs shows under /sys/module (kernel/module/sysfs.c).

type sectNeeds struct {
	Sect      Field `need:"module.sect_attrs"`
	SectN     Field `need:"?module_sect_attrs.nsections"`
	SectAttrs Field `need:"module_sect_attrs.attrs"`
	SectGrp   Field `need:"?module_sect_attrs.grp.bin_attrs"`
	SectBattr Field `need:"?module_sect_attr.battr"`
	SectAddr  Field `need:"?module_sect_attr.address"`
	SectName  Field `need:"bin_attribute.attr.name"`
	Private   Field `need:"bin_attribute.private"`
	BinSize   Field `need:"bin_attribute.size"`
}

type noteNeeds struct {
	BuildID    Field `need:"?module.build_id"`
	Notes      Field `need:"?module.notes_attrs"`
	NotesN     Field `need:"?module_notes_attrs.notes"`
	NotesAttrs Field `need:"?module_notes_attrs.attrs"`
	NotesGrp   Field `need:"?module_notes_attrs.grp.bin_attrs"`
	NotesName  Field `need:"bin_attribute.attr.name"`
	Private    Field `need:"bin_attribute.private"`
	BinSize    Field `need:"bin_attribute.size"`
	AttrSize   Size  `need:"bin_attribute"`
}

const maxSections = 4096

// Sections maps the names of the module's sections to their run-time
// addresses.
func (m *Module) Sections() (map[string]uint64, error) {
	k := m.k
	var n sectNeeds
	if err := k.Bind(&n); err != nil {
		return nil, err
	}
	sect, err := n.Sect.Uint(k, m.Addr)
	if err != nil {
		return nil, fmt.Errorf("sections of module %s: %w", m.Name, err)
	}
	if sect == 0 {
		return nil, fmt.Errorf("sections of module %s: the kernel kept no addresses", m.Name)
	}
	elem := n.SectAttrs.Type.Underlying().Elem()
	if elem == nil || elem.Size() <= 0 {
		return nil, errors.New("module_sect_attrs.attrs is no array")
	}
	count, err := m.attrCount(&n.SectN, &n.SectGrp, sect)
	if err != nil {
		return nil, fmt.Errorf("sections of module %s: %w", m.Name, err)
	}
	sections := map[string]uint64{}
	for i := range count {
		at := n.SectAttrs.At(sect) + i*uint64(elem.Size())
		attr, value := at, &n.Private
		if n.SectAddr.Present() { // an address of its own beside the attribute
			attr, value = n.SectBattr.At(at), &n.SectAddr
		}
		addr, e1 := value.Uint(k, at)
		namep, e2 := n.SectName.Uint(k, attr)
		if err := errors.Join(e1, e2); err != nil {
			return sections, fmt.Errorf("sections of module %s: %w", m.Name, err)
		}
		name, err := k.CString(namep, maxSymbolName)
		if err != nil {
			return sections, fmt.Errorf("sections of module %s: %w", m.Name, err)
		}
		sections[name] = addr
	}
	return sections, nil
}

// attrCount is the number of attributes in a set that has either a counter or
// a list of pointers ended by a null pointer.
func (m *Module) attrCount(counter, list *Field, set uint64) (uint64, error) {
	k := m.k
	if counter.Present() {
		n, err := counter.Uint(k, set)
		if err == nil && n > maxSections {
			err = fmt.Errorf("%d attributes are too many to be true", n)
		}
		return n, err
	}
	if !list.Present() {
		return 0, errors.New("neither a counter nor a list of attributes")
	}
	at, err := list.Uint(k, set)
	if err != nil || at == 0 {
		return 0, err
	}
	for n := range uint64(maxSections) {
		p, err := k.U64(at + n*8)
		if err != nil {
			return 0, err
		}
		if p == 0 {
			return n, nil
		}
	}
	return 0, errors.New("list of attributes has no end")
}

// BuildID of the loaded module, nil if the kernel kept none.
func (m *Module) BuildID() ([]byte, error) {
	k := m.k
	var n noteNeeds
	if err := k.Bind(&n); err != nil {
		return nil, err
	}
	if n.BuildID.Present() {
		id, err := k.Bytes(n.BuildID.At(m.Addr), int(n.BuildID.Size()))
		if err == nil && !allZero(id) {
			return id, nil
		}
	}
	if !n.Notes.Present() || !n.NotesAttrs.Present() {
		return nil, nil
	}
	set, err := n.Notes.Uint(k, m.Addr)
	if err != nil || set == 0 {
		return nil, err
	}
	count, err := m.attrCount(&n.NotesN, &n.NotesGrp, set)
	if err != nil {
		return nil, fmt.Errorf("notes of module %s: %w", m.Name, err)
	}
	for i := range count {
		attr := n.NotesAttrs.At(set) + i*uint64(n.AttrSize)
		at, e1 := n.Private.Uint(k, attr)
		size, e2 := n.BinSize.Uint(k, attr)
		if err := errors.Join(e1, e2); err != nil {
			return nil, err
		}
		note, err := k.Bytes(at, int(min(size, PageSize)))
		if err != nil {
			return nil, err
		}
		if id := gnuBuildID(note); id != nil {
			return id, nil
		}
	}
	return nil, nil
}

// gnuBuildID finds the NT_GNU_BUILD_ID note in a note section.
func gnuBuildID(b []byte) []byte {
	for len(b) >= 12 {
		le := binary.LittleEndian
		namesz, descsz, typ := le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:])
		name := uint64(12)
		desc := name + uint64(namesz+3)&^3
		end := desc + uint64(descsz)
		if uint64(namesz)+3 > 1<<31 || end > uint64(len(b)) {
			return nil
		}
		if typ == 3 && namesz == 4 && string(b[name:name+4]) == "GNU\x00" {
			return b[desc:end]
		}
		next := (end + 3) &^ 3
		if next > uint64(len(b)) {
			return nil
		}
		b = b[next:]
	}
	return nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
