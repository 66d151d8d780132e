package command

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/kdive/kdive/debuginfo/find"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/sysinfo"
)

// moduleRow is a module as the list shows it.
type moduleRow struct {
	*kernel.Module
	file   string // its debug file, "" if none is in use
	taints string // letters
}

// moduleRecord makes the record; the heading of the base address says whether
// it is that of the module's only piece of memory or of its text.
func moduleRecord(base string) *output.Record[moduleRow] {
	null := func(has func(*moduleRow) bool, v func(*moduleRow) output.Value) func(*moduleRow) output.Value {
		return func(r *moduleRow) output.Value {
			if r.Module == nil || !has(r) {
				return output.Null()
			}
			return v(r)
		}
	}
	always := func(*moduleRow) bool { return true }
	return &output.Record[moduleRow]{
		Type: "module",
		Help: "a loaded module",
		Columns: []output.Column[moduleRow]{
			{Name: "module", Head: "     MODULE       ", Verb: "%016x  ", Help: "address of its struct module",
				Get: null(always, func(r *moduleRow) output.Value { return output.Addr(r.Addr) })},
			{Name: "name", Head: "NAME  ", Verb: "%-4s  ", Help: "its name",
				Get: null(always, func(r *moduleRow) output.Value { return output.String(r.Name) })},
			{Name: "base", Head: base + "  ", Verb: "%016x  ", Help: "address of its text",
				Get: null(always, func(r *moduleRow) output.Value { return output.Addr(r.Base()) })},
			{Name: "size", Head: "SIZE  ", Verb: "%4d  ", Help: "bytes of memory it takes",
				Get: null(always, func(r *moduleRow) output.Value { return output.Uint(r.Size()) })},
			{Name: "state", Help: "state, such as MODULE_STATE_LIVE",
				Get: null(always, func(r *moduleRow) output.Value { return output.String(r.State) })},
			{Name: "taints", Help: "letters of what it tainted the kernel with",
				Get: null(always, func(r *moduleRow) output.Value { return output.String(r.taints) })},
			{Name: "regions", Help: "its pieces of memory: {kind, base, size in bytes}", Get: null(always, func(r *moduleRow) output.Value {
				var v []output.Value
				for _, g := range r.Regions {
					v = append(v, output.Object(output.Field{Name: "kind", Value: output.String(g.Kind)},
						output.Field{Name: "base", Value: output.Addr(g.Base)}, output.Field{Name: "size", Value: output.Uint(g.Size)}))
				}
				return output.List(v...)
			})},
			{Name: "object_file", Head: "OBJECT FILE", Verb: "%s",
				Help: "its debug file, null if its types are not in use",
				Get:  null(func(r *moduleRow) bool { return r.file != "" }, func(r *moduleRow) output.Value { return output.String(r.file) }),
				Text: func(r *moduleRow) string {
					if r.file == "" {
						return "(not loaded)  [CONFIG_KALLSYMS]"
					}
					return r.file + " "
				}},
		},
	}
}

var (
	modRecord     = moduleRecord("      BASE      ")
	modTextRecord = moduleRecord("   TEXT_BASE    ")
)

var taintsRecord = &output.Record[moduleRow]{
	Type: "tainted_module",
	Help: "a module that taints the kernel",
	Columns: []output.Column[moduleRow]{
		{Name: "name", Head: "NAME  ", Verb: "%-4s  ", Help: "its name", Get: func(r *moduleRow) output.Value {
			if r.Module == nil {
				return output.Null()
			}
			return output.String(r.Name)
		}},
		{Name: "taints", Head: "TAINTS", Verb: "%s", Help: "letters of the taints, as in the kernel's own messages", Get: func(r *moduleRow) output.Value { return output.String(r.taints) }},
	},
}

// mod lists modules and puts their debug files to use.
func mod(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "mod",
		Synopsis: "[module ...]\n-t\n-s module [file|directory]\n-S [directory]\n-d module\n-D",
		Summary:  "list modules, and use their types",
		Detail: `
Without an option the loaded modules are listed by address, or those named.

Symbols of modules are always known. Source lines come from a module's debug file as
soon as they are needed. Types and variables become known with -s or -S. The file is
looked for beside the vmlinux, where distributions put it, and in the directories of
--module-debug; it must have the build ID of the loaded module.`,
		Options: []repl.Option{
			{Name: "s", Arg: "module", Help: "use the types and variables of a module, from the file named or found in the directory named"},
			{Name: "S", Help: "use those of all modules whose debug files are found"},
			{Name: "d", Arg: "module", Help: "use those of the module no more"},
			{Name: "D", Help: "use those of no module"},
			{Name: "t", Help: "list the modules that taint the kernel"},
		},
		Examples: []repl.Example{
			{Line: "mod", Help: "The loaded modules."},
			{Line: "mod -s virtio_blk", Help: "Now struct virtio_blk is known."},
		},
		Records:  []output.Describer{modRecord, taintsRecord},
		Complete: func(*repl.Shell, []string, string) []string { return t.moduleNames() },
		Run:      func(ctx context.Context, c *repl.Call) error { return runMod(ctx, t, c) },
	}
}

func (t *Target) moduleNames() (names []string) {
	if k, err := t.kernel(); err == nil {
		list, _ := k.Modules()
		for _, m := range list {
			names = append(names, m.Name)
		}
	}
	return names
}

func runMod(ctx context.Context, t *Target, c *repl.Call) error {
	k, err := t.kernel()
	if err != nil {
		return err
	}
	all, listErr := k.Modules()
	if listErr != nil && len(all) == 0 {
		return listErr
	}
	l := &modList{t: t, c: c, k: k, all: all}
	switch c.Last("s", "S", "d", "D", "t") {
	case "s":
		err = l.load(ctx)
	case "S":
		err = l.loadAll(ctx)
	case "d":
		err = l.drop()
	case "D":
		for _, m := range all {
			k.DropModuleTypes(m)
		}
	case "t":
		l.tainted()
	default:
		err = l.list()
	}
	return errors.Join(err, listErr)
}

// modList is one call of mod.
type modList struct {
	t   *Target
	c   *repl.Call
	k   *kernel.Kernel
	all []*kernel.Module
}

func (l *modList) find(name string) (*kernel.Module, error) {
	if m := l.k.Module(name); m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("module %s is not loaded", name)
}

func (l *modList) row(m *kernel.Module) *moduleRow {
	r := &moduleRow{Module: m, taints: sysinfo.TaintFlags(l.k, m.Taints)}
	if l.k.UsesModuleTypes(m) {
		r.file, _ = l.t.Opened.ModuleFile(m)
	}
	return r
}

// record is the table's form: its columns are as wide as the longest name and
// size of all modules.
func (l *modList) record() *output.Record[moduleRow] {
	record := modRecord
	name, size := len("NAME"), len("SIZE")
	for _, m := range l.all {
		name, size = max(name, len(m.Name)), max(size, len(fmt.Sprint(m.Size())))
		if len(m.Regions) > 0 && m.Regions[0].Kind == "MOD_TEXT" {
			record = modTextRecord
		}
	}
	return record.Width("name", name).Width("size", size)
}

func (l *modList) list() error {
	show := l.all
	if len(l.c.Args) > 0 {
		show = nil
	}
	for _, name := range l.c.Args {
		m, err := l.find(name)
		if err != nil {
			return err
		}
		show = append(show, m)
	}
	if len(l.all) == 0 {
		l.c.Out.Note("no modules are loaded")
		return nil
	}
	l.show(show)
	return nil
}

func (l *modList) show(list []*kernel.Module) {
	record := l.record()
	record.Head(l.c.Out)
	for _, m := range list {
		record.Emit(l.c.Out, l.row(m))
	}
}

// where is the place to look for debug files in, "" if none is named.
func (l *modList) where(usage string) (string, error) {
	switch len(l.c.Args) {
	case 0:
		return "", nil
	case 1:
		return l.c.Args[0], nil
	}
	return "", l.c.Usage("%s", usage)
}

func (l *modList) load(ctx context.Context) error {
	name, _ := l.c.Value("s")
	m, err := l.find(name)
	if err != nil {
		return err
	}
	where, err := l.where("-s takes one module and at most one file or directory")
	if err != nil {
		return err
	}
	if err := l.t.Opened.LoadModule(ctx, m, where); err != nil {
		return err
	}
	l.show([]*kernel.Module{m})
	return nil
}

func (l *modList) loadAll(ctx context.Context) error {
	where, err := l.where("-S takes at most one directory")
	if err != nil {
		return err
	}
	if where != "" {
		if _, err := os.ReadDir(where); err != nil {
			return err
		}
	}
	record := l.record()
	record.Head(l.c.Out)
	for i, m := range l.all {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.c.Progress(uint64(i), uint64(len(l.all)))
		err := l.t.Opened.LoadModule(ctx, m, where)
		var missing *find.NotFoundError
		switch {
		case errors.As(err, &missing): // where it was looked for is -s's to say
			l.c.Error(fmt.Errorf("module %s: no debug file found", m.Name))
		case err != nil:
			l.c.Error(err)
		default:
			record.Emit(l.c.Out, l.row(m))
		}
	}
	return nil
}

func (l *modList) drop() error {
	for _, name := range append(l.c.Values("d"), l.c.Args...) {
		m, err := l.find(name)
		if err != nil {
			return err
		}
		l.k.DropModuleTypes(m)
	}
	return nil
}

func (l *modList) tainted() {
	var list []*moduleRow
	width := len("NAME")
	for _, m := range l.all {
		if m.Taints != 0 {
			list = append(list, l.row(m))
			width = max(width, len(m.Name))
		}
	}
	if list == nil {
		l.c.Out.Note("no tainted modules")
		return
	}
	record := taintsRecord.Width("name", width)
	record.Head(l.c.Out)
	for _, r := range list {
		record.Emit(l.c.Out, r)
	}
}
