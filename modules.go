package kdive

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/debuginfo/find"
	"github.com/kdive/kdive/kernel"
)

// openModule finds and opens the debug file of a loaded module. It must be of
// the very build that the dump names.
func (t *Target) openModule(m *kernel.Module) (*debuginfo.Info, error) {
	return t.findModule(context.Background(), m, t.modules())
}

func (t *Target) findModule(ctx context.Context, m *kernel.Module, among *find.Modules) (*debuginfo.Info, error) {
	id, err := m.BuildID()
	if err != nil {
		return nil, fmt.Errorf("module %s: build ID: %w", m.Name, err)
	}
	res, err := among.Find(ctx, m.Name, id)
	if err != nil {
		return nil, err
	}
	return t.openModuleFile(m, res)
}

func (t *Target) openModuleFile(m *kernel.Module, res find.Result) (*debuginfo.Info, error) {
	info, err := debuginfo.Open(res.Path, t.infoOptions(res))
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened = append(t.opened, info)
	if t.moduleFiles == nil {
		t.moduleFiles = map[*kernel.Module]string{}
	}
	t.moduleFiles[m] = res.Source
	if res.DebugPath != "" {
		t.moduleFiles[m] = res.DebugPath
	}
	return info, nil
}

// LoadModule makes the types and variables of a module known. Its debug file is
// the one that where names, or is searched for in the directory that where
// names, or, where where is empty, in the usual places.
func (t *Target) LoadModule(ctx context.Context, m *kernel.Module, where string) error {
	if where != "" {
		info, err := t.moduleFrom(ctx, m, where)
		if err != nil {
			return err
		}
		if err := m.SetInfo(info); err != nil {
			return err
		}
	}
	return t.Kernel.UseModuleTypes(m)
}

func (t *Target) moduleFrom(ctx context.Context, m *kernel.Module, where string) (*debuginfo.Info, error) {
	st, err := os.Stat(where)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return t.findModule(ctx, m, t.modulesIn(where))
	}
	id, err := m.BuildID()
	if err != nil {
		return nil, fmt.Errorf("module %s: build ID: %w", m.Name, err)
	}
	res, err := find.Named(ctx, where, t.request())
	if err != nil {
		return nil, err
	}
	if id != nil && !bytes.Equal(id, res.Identity.BuildID) && !t.opt.Force {
		return nil, fmt.Errorf("%s does not belong to the dump: its build ID is %x, that of the loaded module %s is %x", where, res.Identity.BuildID, m.Name, id)
	}
	return t.openModuleFile(m, res)
}

// modulesIn are the modules of a directory, which is read once.
func (t *Target) modulesIn(dir string) *find.Modules {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.moduleDirs == nil {
		t.moduleDirs = map[string]*find.Modules{}
	}
	if t.moduleDirs[dir] == nil {
		r := t.request()
		r.ModuleDirs = []string{dir}
		t.moduleDirs[dir] = find.NewModules(r)
	}
	return t.moduleDirs[dir]
}

// ModuleFile is the debug file that was opened for a module, as it was found;
// ok is false if none was.
func (t *Target) ModuleFile(m *kernel.Module) (path string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	path, ok = t.moduleFiles[m]
	return path, ok
}
