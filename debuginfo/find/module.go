package find

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

const (
	maxWalk  = 1 << 20 // entries of one directory tree
	maxOrder = 8 << 20 // bytes of modules.order; 6,000 modules make 0.3 MB
	maxDepth = 24      // directories below its root; a module lies ten deep
)

// Modules finds the debug files of kernel modules. Each directory tree is read
// at most once, when a search first comes to it. Its methods may be called from
// many goroutines.
type Modules struct {
	r     Request
	trees []*tree
}

// tree is a directory and the module files in it.
type tree struct {
	dir   string
	deep  bool // look into sub-directories
	order bool // a build tree perhaps: its modules.order lists modules, and a walk would be long
	once  sync.Once
	files map[string][]string // by module name
	err   error
}

// NewModules prepares the search for modules of the kernel that r describes.
func NewModules(r Request) *Modules {
	m := &Modules{r: r}
	add := func(deep bool, dirs ...string) {
		for _, dir := range dirs {
			if !slices.ContainsFunc(m.trees, func(t *tree) bool { return t.dir == dir }) {
				m.trees = append(m.trees, &tree{dir: dir, deep: deep})
			}
		}
	}
	add(true, r.ModuleDirs...)
	for _, dir := range dumpDirs(r.Dumps) {
		add(false, dir)
		add(true, filepath.Join(dir, "modules"))
	}
	release := r.safeRelease()
	if r.Vmlinux != "" {
		add(false, filepath.Dir(r.Vmlinux))
		for _, t := range m.trees {
			t.order = t.order || t.dir == filepath.Dir(r.Vmlinux)
		}
	}
	if release == "" {
		return m
	}
	roots := []string{r.system()}
	if root := installRoot(r.Vmlinux); root != "" && root != roots[0] {
		roots = append([]string{root}, roots...)
	}
	for _, sub := range []string{"usr/lib/debug/lib/modules", "usr/lib/debug/usr/lib/modules", "lib/modules", "usr/lib/modules"} {
		for _, root := range roots {
			add(true, filepath.Join(root, sub, release))
		}
	}
	return m
}

// installRoot is the directory that a distribution's packages were unpacked
// into, told by the path of the vmlinux; "" if the path is of no known layout.
func installRoot(vmlinux string) string {
	abs, err := filepath.Abs(vmlinux)
	if err != nil || vmlinux == "" {
		return ""
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	for _, mark := range []string{"/usr/lib/debug/", "/lib/modules/", "/boot/"} {
		if i := strings.Index(abs, mark); i >= 0 {
			return filepath.Clean(strings.TrimSuffix(abs[:i], "/usr") + "/")
		}
	}
	return ""
}

// Find looks for the debug file of a module, "-" and "_" in names being one.
// buildID is what the dump says of the loaded module; without one the release
// in the file's vermagic decides, or the file's place. The error is a
// *NotFoundError, or that of ctx. A file without DWARF is taken only if there
// is no better one: see Result.Debug.
func (m *Modules) Find(ctx context.Context, name string, buildID []byte) (Result, error) {
	s := moduleSearch{m: m, name: moduleKey(name), buildID: buildID, seen: make(map[string]bool)}
	explicit := len(m.r.ModuleDirs)
	s.inTrees(ctx, m.trees[:explicit])
	if !s.done(ctx) {
		for _, path := range m.r.idPaths(buildID) {
			s.try(ctx, path, "")
		}
	}
	if !s.done(ctx) {
		s.inTrees(ctx, m.trees[explicit:])
	}
	switch {
	case s.result != nil:
		return *s.result, nil
	case ctx.Err() != nil:
		return Result{}, ctx.Err()
	case s.fallback != nil:
		return *s.fallback, nil
	}
	what := fmt.Sprintf("debug file of module %.64q", name)
	if len(buildID) > 0 {
		what += fmt.Sprintf(" with build ID %x", buildID)
	}
	return Result{}, &NotFoundError{What: what, Attempts: s.tried}
}

// moduleSearch is one run of Modules.Find.
type moduleSearch struct {
	m                *Modules
	name             string
	buildID          []byte
	seen             map[string]bool
	tried            []Attempt
	result, fallback *Result
}

func (s *moduleSearch) done(ctx context.Context) bool { return s.result != nil || ctx.Err() != nil }

func (s *moduleSearch) refuse(path string, why error) {
	s.tried = append(s.tried, Attempt{path, why})
}

func (s *moduleSearch) inTrees(ctx context.Context, trees []*tree) {
	for _, t := range trees {
		if s.done(ctx) {
			return
		}
		t.once.Do(t.walk)
		paths := t.files[s.name]
		if len(paths) == 0 {
			err := t.err
			if err == nil {
				err = fmt.Errorf("no file of that name: %w", fs.ErrNotExist)
			}
			s.refuse(t.dir, err)
		}
		for _, path := range paths {
			if !s.done(ctx) {
				s.try(ctx, path, "place")
			}
		}
	}
}

func (s *moduleSearch) try(ctx context.Context, path, place string) {
	if s.result != nil {
		return
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		s.refuse(path, err)
		return
	}
	if s.seen[real] {
		return
	}
	s.seen[real] = true
	res, err := s.check(ctx, path, place)
	switch {
	case err != nil:
		s.refuse(path, err)
	case res.Debug():
		s.result = &res
	default:
		if s.fallback == nil {
			s.fallback = &res
		}
		s.refuse(path, errors.New("it has no DWARF"))
	}
}

func (s *moduleSearch) check(ctx context.Context, path, place string) (Result, error) {
	r := &s.m.r
	plain, err := r.Cache.Unpack(ctx, path, r.Progress)
	if err != nil {
		return Result{}, err
	}
	id, err := Identify(plain)
	if err != nil {
		return Result{}, err
	}
	if id.Type != elf.ET_REL {
		return Result{}, fmt.Errorf("an ELF file of type %v is no module", id.Type)
	}
	if id.Module != "" && moduleKey(id.Module) != s.name {
		return Result{}, fmt.Errorf("it is module %.64q", id.Module)
	}
	by, err := compare(id, s.buildID, r.Release)
	if errors.Is(err, errNothingToCompare) && place != "" {
		by, err = place, nil
	}
	if err != nil {
		return Result{}, err
	}
	res := Result{Path: plain, Source: path, By: by, Identity: id}
	if !id.Debug {
		var tried []Attempt
		res.DebugPath, _, tried = r.separate(plain, path, id)
		s.tried = append(s.tried, tried...)
	}
	return res, nil
}

// moduleKey is a module's name as files and kernel agree on it.
func moduleKey(name string) string { return strings.ReplaceAll(name, "-", "_") }

// moduleOfFile is the key of the module that a file name stands for: name.ko,
// with .debug and a packer's ending behind it.
func moduleOfFile(file string) (key string, ok bool) {
	base := strings.TrimSuffix(unpackedBase(file), ".debug")
	base, ok = strings.CutSuffix(base, ".ko")
	return moduleKey(base), ok && base != ""
}

// walk lists the module files of the tree. Files meant for debugging come
// first, then plain ones, then packed ones. Links to directories are not
// followed: "build" and "source" lead out of a module directory.
func (t *tree) walk() {
	t.files = make(map[string][]string)
	root, err := filepath.EvalSymlinks(t.dir)
	if err != nil {
		t.err = err
		return
	}
	entries := 0
	t.err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path == root {
				return err
			}
			return nil // a directory that we may not read hides its own files only
		}
		if entries++; entries > maxWalk {
			return fmt.Errorf("more than %d files", maxWalk)
		}
		if d.IsDir() {
			rel := strings.TrimPrefix(path, root)
			if path != root && (!t.deep || strings.Count(rel, string(os.PathSeparator)) > maxDepth) {
				return fs.SkipDir
			}
			return nil
		}
		if key, ok := moduleOfFile(d.Name()); ok {
			t.files[key] = append(t.files[key], path)
		}
		return nil
	})
	if t.order {
		t.addBuilt(root)
	}
	for _, paths := range t.files {
		slices.SortStableFunc(paths, func(a, b string) int { return fileRank(a) - fileRank(b) })
	}
}

// addBuilt adds what modules.order at the top of a kernel's build tree lists, one
// path a line, ending in .ko or, in newer trees, in .o.
func (t *tree) addBuilt(root string) {
	f, err := os.Open(filepath.Join(root, "modules.order"))
	if err != nil {
		return
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxOrder))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if object, ok := strings.CutSuffix(line, ".o"); ok {
			line = object + ".ko"
		}
		if key, ok := moduleOfFile(filepath.Base(line)); ok && filepath.IsLocal(line) {
			t.files[key] = append(t.files[key], filepath.Join(root, line))
		}
	}
}

func fileRank(path string) int {
	base := unpackedBase(path)
	rank := 0
	if !strings.HasSuffix(base, ".debug") {
		rank++
	}
	if base != path {
		rank += 2
	}
	return rank
}
