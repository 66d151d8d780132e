package kernel

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/value"
)

// Module is one entry of the kernel's list of loaded modules.
type Module struct {
	Addr    uint64 // of its struct module
	Name    string
	State   string // enumerator of module.state, "MODULE_STATE_LIVE"
	Regions []Region
	Percpu  uint64 // offset of its per-CPU area, 0 if none
	Taints  uint64 // bits that it set in the kernel's taint mask

	k       *Kernel
	symOnce sync.Once
	syms    []debuginfo.Symbol // sorted by address, run-time addresses
	symErr  error

	infoMu  sync.Mutex
	asked   bool // for debug info
	info    *debuginfo.Info
	infoErr error
	placed  []placedSection
}

// Region is a piece of module memory.
type Region struct {
	Kind string // "MOD_TEXT" and so on since 6.4; "core" and "init" before
	Base uint64 // kernel virtual
	Size uint64
}

// Base is the address of the module's text, which crash shows as its base.
func (m *Module) Base() uint64 {
	if len(m.Regions) == 0 {
		return 0
	}
	return m.Regions[0].Base
}

// Size is the sum of all regions that outlive the module's initialisation.
func (m *Module) Size() uint64 {
	var n uint64
	for _, r := range m.Regions {
		n += r.Size
	}
	return n
}

// Has reports whether addr lies in the module's memory.
func (m *Module) Has(addr uint64) bool {
	for _, r := range m.Regions {
		if addr-r.Base < r.Size {
			return true
		}
	}
	return false
}

// Info is the module's debug info, opened when first asked for.
func (m *Module) Info() (*debuginfo.Info, error) {
	m.infoMu.Lock()
	defer m.infoMu.Unlock()
	if m.asked {
		return m.info, m.infoErr
	}
	m.asked = true
	if m.k.modules.open == nil {
		m.infoErr = fmt.Errorf("module %s: no way to find debug info was given", m.Name)
		return nil, m.infoErr
	}
	info, err := m.k.modules.open(m)
	if err == nil {
		m.placed, err = m.place(info)
	}
	m.info, m.infoErr = info, err
	return info, err
}

// SetInfo makes info the module's debug info, in place of what Info found or
// did not find. That it belongs to the module the caller has checked.
func (m *Module) SetInfo(info *debuginfo.Info) error {
	placed, err := m.place(info)
	if err != nil {
		return err
	}
	m.infoMu.Lock()
	defer m.infoMu.Unlock()
	m.asked, m.info, m.infoErr, m.placed = true, info, nil, placed
	return nil
}

// moduleTable is the kernel's list of modules, read when first needed.
type moduleTable struct {
	open func(*Module) (*debuginfo.Info, error)

	once sync.Once
	list []*Module // by base address
	err  error

	mu     sync.Mutex
	loaded []*Module // whose debug info types may come from
}

type moduleNeeds struct {
	Head     Sym   `need:"modules"`
	List     Field `need:"module.list"`
	Name     Field `need:"module.name"`
	State    Field `need:"module.state"`
	Mem      Field `need:"?module.mem"`
	MemBase  Field `need:"?module_memory.base"`
	MemSize  Field `need:"?module_memory.size"`
	CoreBase Field `need:"?module.core_layout.base|module.module_core"`
	CoreSize Field `need:"?module.core_layout.size|module.core_size"`
	InitBase Field `need:"?module.init_layout.base|module.module_init"`
	InitSize Field `need:"?module.init_layout.size|module.init_size"`
	Percpu   Field `need:"?module.percpu"`
	Taints   Field `need:"?module.taints"`
	Size     Size  `need:"module"`
}

// maxModules bounds the walk of the module list.
const maxModules = 1 << 14

// Modules are the loaded modules by base address. An error comes with the
// modules read until then.
func (k *Kernel) Modules() ([]*Module, error) {
	k.modules.once.Do(func() { k.modules.list, k.modules.err = k.readModules() })
	return k.modules.list, k.modules.err
}

func (k *Kernel) readModules() ([]*Module, error) {
	var n moduleNeeds
	if err := k.Bind(&n); err != nil {
		return nil, fmt.Errorf("module list: %w", err)
	}
	var list []*Module
	var walkErr error
	seen := map[uint64]bool{}
	head := uint64(n.Head)
	entry, err := k.U64(head)
	for ; err == nil && entry != head; entry, err = k.U64(entry) {
		if seen[entry] || len(list) >= maxModules {
			err = fmt.Errorf("the list runs in a circle at %#x", entry)
			break
		}
		seen[entry] = true
		m, merr := k.readModule(&n, entry-uint64(n.List.Offset))
		if merr != nil {
			walkErr = errors.Join(walkErr, merr)
			continue
		}
		list = append(list, m)
	}
	if err != nil {
		walkErr = errors.Join(walkErr, fmt.Errorf("after %d modules: %w", len(list), err))
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Base() < list[j].Base() })
	if walkErr != nil {
		walkErr = fmt.Errorf("module list: %w", walkErr)
	}
	return list, walkErr
}

func (k *Kernel) readModule(n *moduleNeeds, addr uint64) (*Module, error) {
	m := &Module{Addr: addr, k: k}
	var err error
	if m.Name, err = k.CString(n.Name.At(addr), int(n.Name.Size())); err != nil {
		return nil, fmt.Errorf("module at %#x: %w", addr, err)
	}
	if state, err := n.State.Int(k, addr); err == nil {
		m.State, _ = n.State.Type.EnumName(state)
	}
	if n.Percpu.Present() {
		m.Percpu, _ = n.Percpu.Uint(k, addr)
	}
	if n.Taints.Present() {
		m.Taints, _ = n.Taints.Uint(k, addr)
	}
	add := func(kind string, base, size *Field, at uint64) {
		b, berr := base.Uint(k, at)
		s, serr := size.Uint(k, at)
		if err = errors.Join(err, berr, serr); berr == nil && serr == nil && b != 0 && s != 0 {
			m.Regions = append(m.Regions, Region{Kind: kind, Base: b, Size: s})
		}
	}
	if n.Mem.Present() && n.MemBase.Present() && n.MemSize.Present() {
		array := n.Mem.Type.Underlying()
		size := array.Elem().Size()
		for i := range array.Count() {
			add(k.memKind(i), &n.MemBase, &n.MemSize, n.Mem.At(addr)+uint64(i*size))
		}
	} else if n.CoreBase.Present() && n.CoreSize.Present() {
		add("core", &n.CoreBase, &n.CoreSize, addr)
		if n.InitBase.Present() && n.InitSize.Present() {
			add("init", &n.InitBase, &n.InitSize, addr)
		}
	} else {
		return nil, &MissingError{Needs: []string{"module.mem|module.core_layout|module.module_core"}}
	}
	if err != nil {
		return nil, fmt.Errorf("module %s at %#x: %w", m.Name, addr, err)
	}
	return m, nil
}

// memKind names region i of module.mem.
func (k *Kernel) memKind(i int64) string {
	if t, err := k.Type("enum mod_mem_type"); err == nil {
		if name, ok := t.EnumName(i); ok {
			return name
		}
	}
	return fmt.Sprintf("region %d", i)
}

// ModuleAt is the module whose memory addr lies in, nil if none.
func (k *Kernel) ModuleAt(addr uint64) *Module {
	list, _ := k.Modules()
	for _, m := range list {
		if m.Has(addr) {
			return m
		}
	}
	return nil
}

// Module is a module by name; '-' and '_' are the same, as in modprobe.
func (k *Kernel) Module(name string) *Module {
	list, _ := k.Modules()
	for _, m := range list {
		if sameModuleName(m.Name, name) {
			return m
		}
	}
	return nil
}

func sameModuleName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x == '-' {
			x = '_'
		}
		if y == '-' {
			y = '_'
		}
		if x != y {
			return false
		}
	}
	return true
}

// UseModuleTypes adds a module's debug info to where Type looks.
func (k *Kernel) UseModuleTypes(m *Module) error {
	if _, err := m.Info(); err != nil {
		return err
	}
	k.modules.mu.Lock()
	defer k.modules.mu.Unlock()
	for _, l := range k.modules.loaded {
		if l == m {
			return nil
		}
	}
	k.modules.loaded = append(k.modules.loaded, m)
	return nil
}

// DropModuleTypes undoes UseModuleTypes.
func (k *Kernel) DropModuleTypes(m *Module) {
	k.modules.mu.Lock()
	defer k.modules.mu.Unlock()
	k.modules.loaded = slices.DeleteFunc(slices.Clone(k.modules.loaded), func(l *Module) bool { return l == m })
}

// UsesModuleTypes tells whether Type looks into a module's debug info.
func (k *Kernel) UsesModuleTypes(m *Module) bool { return slices.Contains(k.modulesInUse(), m) }

// modulesInUse are the modules added by UseModuleTypes.
func (k *Kernel) modulesInUse() []*Module {
	k.modules.mu.Lock()
	defer k.modules.mu.Unlock()
	return k.modules.loaded
}

// moduleType looks a type up in the debug info of the modules in use.
func (k *Kernel) moduleType(spec string) (*ctype.Type, bool) {
	for _, m := range k.modulesInUse() {
		info, err := m.Info()
		if err != nil {
			continue
		}
		if t, err := info.Type(spec); err == nil {
			return t, true
		}
	}
	return nil, false
}

// Object is the module's struct module.
func (m *Module) Object() (value.Value, error) { return m.k.Object("struct module", m.Addr) }
