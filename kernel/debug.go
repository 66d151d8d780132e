package kernel

import (
	"fmt"
	"sort"

	"github.com/kdive/kdive/debuginfo"
)

// placedSection is a section of a module's file with where the kernel put it.
type placedSection struct {
	link, run, size uint64
}

// place pairs the sections of a debug file of the module, which have made-up
// addresses, with those in the dump.
func (m *Module) place(info *debuginfo.Info) (placed []placedSection, err error) {
	loaded, err := m.Sections()
	if err != nil {
		return nil, err
	}
	for _, s := range info.File().Sections {
		if run, ok := loaded[s.Name]; ok && s.Addr != 0 && s.Size != 0 {
			placed = append(placed, placedSection{link: s.Addr, run: run, size: s.Size})
		}
	}
	sort.Slice(placed, func(i, j int) bool { return placed[i].link < placed[j].link })
	return placed, nil
}

func (m *Module) sections() []placedSection {
	m.infoMu.Lock()
	defer m.infoMu.Unlock()
	return m.placed
}

// link is the address in the module's file of a run-time address. It needs the
// module's debug info.
func (m *Module) link(addr uint64) (uint64, bool) {
	for _, s := range m.sections() {
		if addr-s.run < s.size {
			return addr - s.run + s.link, true
		}
	}
	return 0, false
}

// runtime is the run-time address of an address in the module's file.
func (m *Module) runtime(link uint64) (uint64, bool) {
	for _, s := range m.sections() {
		if link-s.link < s.size {
			return link - s.link + s.run, true
		}
	}
	return 0, false
}

// InfoAt is the debug info that describes the code or data at a run-time
// address, with the address it has there.
func (k *Kernel) InfoAt(addr uint64) (info *debuginfo.Info, link uint64, err error) {
	if m := k.ModuleAt(addr); m != nil {
		info, err := m.Info()
		if err != nil {
			return nil, 0, err
		}
		link, ok := m.link(addr)
		if !ok {
			return nil, 0, fmt.Errorf("address %#x lies in no section of module %s", addr, m.Name)
		}
		return info, link, nil
	}
	if k.Info == nil {
		return nil, 0, ErrNoDebugInfo
	}
	return k.Info, k.link(addr), nil
}

// Runtime is the run-time address of a link-time address in the file that
// describes what is at the run-time address near.
func (k *Kernel) Runtime(near, link uint64) (uint64, bool) {
	if m := k.ModuleAt(near); m != nil {
		return m.runtime(link)
	}
	return k.runtime(link), true
}

// Line is the source line of a run-time text address, in the kernel image or in
// a module whose debug info is found. For the line of a call ask with the
// return address minus one.
func (k *Kernel) Line(addr uint64) (file string, line int, ok bool) {
	info, link, err := k.InfoAt(addr)
	if err != nil {
		return "", 0, false
	}
	return info.Line(link)
}

// Variable is a variable of the kernel image or of a module.
type Variable struct {
	debuginfo.Variable         // Addr is the run-time address
	Module             *Module // nil for the kernel image
}

// Variables are the variables of file scope with that name, those of the
// kernel image first, then those of the modules in use (see UseModuleTypes).
func (k *Kernel) Variables(name string) ([]Variable, error) {
	if k.Info == nil {
		return nil, ErrNoDebugInfo
	}
	vars, err := k.Info.Variables(name)
	if err != nil {
		return nil, err
	}
	var out []Variable
	for _, v := range vars {
		v.Addr = k.runtime(v.Addr)
		out = append(out, Variable{Variable: v})
	}
	for _, m := range k.modulesInUse() {
		info, err := m.Info()
		if err != nil {
			continue
		}
		vars, err := info.Variables(name)
		if err != nil {
			return out, err
		}
		for _, v := range vars {
			if v.HasAddr {
				v.Addr, v.HasAddr = m.runtime(v.Addr)
			}
			out = append(out, Variable{Variable: v, Module: m})
		}
	}
	return out, nil
}
