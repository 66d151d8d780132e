// Package kdive opens the memory image of a crashed Linux kernel together with
// its debug info.
//
// It is where a program that imports kdive starts: Open finds out which of the
// given files is what, finds the debug info if none is named, refuses what does
// not belong together, and returns a Target. What can be asked then is in the
// packages below: kernel (typed memory), task, klog, walk, value and expr. The
// package knows files and how they are joined, nothing of commands or text.
package kdive

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/debuginfo/find"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/vmcore"
)

// Options of Open.
type Options struct {
	Files       []string // a dump, or all parts of a split one, and at most one vmlinux; in any order
	NoDebugInfo bool     // look for no vmlinux
	Force       bool     // accept a vmlinux that does not belong to the dump
	Cache       string   // directory for unpacked kernels and indexes; see find.NewCache
	ModuleDirs  []string // more directories to look for modules' debug files in
	Progress    find.Progress

	// Trace, if set, is told of every read of the dump's memory; see
	// vmcore.Dump.Trace.
	Trace func(paddr uint64, length int)
}

// Target is an opened dump with what was found for it.
type Target struct {
	Dump    *vmcore.Dump
	Kernel  *kernel.Kernel
	Vmlinux find.Result // zero without debug info
	Files   []string    // of the dump, as given

	opt     Options
	cache   find.Cache
	modules func() *find.Modules
	notes   []string

	mu          sync.Mutex // modules are opened by whoever first needs them
	opened      []*debuginfo.Info
	moduleFiles map[*kernel.Module]string // debug files, as found
	moduleDirs  map[string]*find.Modules  // directories that the user named
}

// Open opens a dump. Without a vmlinux among the files it looks for one, by
// build ID or release; if none is found the target has no debug info, and
// Warnings says where it was looked for.
func Open(ctx context.Context, opt Options) (*Target, error) {
	t := &Target{opt: opt, cache: find.NewCache(opt.Cache)}
	t.modules = sync.OnceValue(func() *find.Modules { return find.NewModules(t.request()) })
	named, err := t.classify()
	if err != nil {
		return nil, err
	}
	var info *debuginfo.Info
	if named != "" && !opt.NoDebugInfo {
		// Opened first: its index is read or built while the dump is opened.
		if info, err = t.openNamed(ctx, named); err != nil {
			return nil, err
		}
	}
	if t.Dump, err = vmcore.Open(t.Files); err != nil {
		_ = t.Close() // the first error counts
		return nil, err
	}
	if opt.Trace != nil {
		t.Dump.Trace(opt.Trace)
	}
	if info == nil && !opt.NoDebugInfo {
		info = t.findVmlinux(ctx)
	}
	t.Kernel, err = kernel.Open(t.Dump, info, kernel.Options{Force: opt.Force, Module: t.openModule})
	if err != nil {
		// What is wrong with the dump may well be why.
		if w := t.Dump.Warnings(); len(w) > 0 {
			err = fmt.Errorf("%w (%s)", err, strings.Join(w, "; "))
		}
		_ = t.Close()
		return nil, err
	}
	return t, nil
}

// classify tells dump files from the vmlinux by their contents.
func (t *Target) classify() (vmlinux string, err error) {
	var others []string // what the files that are no dumps seem to be
	for _, path := range t.opt.Files {
		isDump, format, err := vmcore.Sniff(path)
		switch {
		case err != nil:
			return "", err
		case isDump:
			t.Files = append(t.Files, path)
		default:
			vmlinux = path
			others = append(others, fmt.Sprintf("%s (%s)", path, format))
		}
	}
	switch {
	case len(t.Files) == 0 && len(others) > 0:
		return "", fmt.Errorf("no dump among the files: %s", strings.Join(others, ", "))
	case len(others) > 1:
		return "", fmt.Errorf("at most one of the files can be the vmlinux: %s", strings.Join(others, ", "))
	case len(t.Files) == 0:
		return "", errors.New("no dump named")
	}
	return vmlinux, nil
}

func (t *Target) request() find.Request {
	r := find.Request{Dumps: t.Files, ModuleDirs: t.opt.ModuleDirs, Cache: t.cache, Progress: t.opt.Progress, Vmlinux: t.Vmlinux.Source}
	if t.Dump == nil {
		return r
	}
	r.Release = t.Dump.Info().Utsname.Release
	if v := t.Dump.VMCoreInfo(); v != nil {
		if rel, ok := v.Get("OSRELEASE"); ok {
			r.Release = rel
		}
		if id, ok := v.Get("BUILD-ID"); ok {
			_, _ = fmt.Sscanf(id, "%x", &r.BuildID) // no build ID if it is none
		}
	}
	return r
}

func (t *Target) openNamed(ctx context.Context, path string) (*debuginfo.Info, error) {
	res, err := find.Named(ctx, path, t.request())
	if err != nil {
		return nil, err
	}
	return t.openInfo(res)
}

// findVmlinux looks for the debug info of the dump's kernel. Not to find any is
// no error: much can be read without.
func (t *Target) findVmlinux(ctx context.Context) *debuginfo.Info {
	r := t.request()
	if r.Release == "" && r.BuildID == nil {
		t.note("no vmlinux named, and the dump does not say of which kernel it is: no debug info")
		return nil
	}
	res, err := find.Vmlinux(ctx, r)
	if err != nil {
		t.note("no debug info: %v", err)
		return nil
	}
	info, err := t.openInfo(res)
	if err != nil {
		t.note("no debug info: %v", err)
		return nil
	}
	t.note("debug info: %s (found by %s)", res.Source, res.By)
	return info
}

func (t *Target) openInfo(res find.Result) (*debuginfo.Info, error) {
	info, err := debuginfo.Open(res.Path, t.infoOptions(res))
	if err != nil {
		return nil, err
	}
	if !res.Debug() {
		t.note("%s has no debug info: types, lines and most commands are not available", res.Source)
	}
	t.Vmlinux = res
	t.opened = append(t.opened, info)
	info.Start()
	return info, nil
}

func (t *Target) infoOptions(res find.Result) debuginfo.Options {
	return debuginfo.Options{
		DebugPath: res.DebugPath,
		IndexDirs: t.cache.Readable(indexKind),
		WriteDir:  func() (string, error) { return t.cache.Writable(indexKind) },
	}
}

// indexKind is the directory for indexes within the cache.
const indexKind = "index"

func (t *Target) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// Warnings are sentences for the user about what was deduced, is missing or
// damaged.
func (t *Target) Warnings() []string {
	w := append([]string(nil), t.notes...)
	w = append(w, t.Dump.Warnings()...)
	return append(w, t.Kernel.Notes()...)
}

// Close waits for what is still being written to the cache and gives all files
// back. Nothing got from the target may be used afterwards.
func (t *Target) Close() error {
	var errs []error
	for _, info := range t.opened {
		errs = append(errs, info.Close())
	}
	if t.Dump != nil {
		errs = append(errs, t.Dump.Close())
	}
	return errors.Join(errs...)
}
