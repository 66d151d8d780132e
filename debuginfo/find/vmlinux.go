package find

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxBeside bounds how many files beside a dump are looked at.
const maxBeside = 64

// packedEndings are the endings of packed files; "" stands for none.
var packedEndings = []string{"", ".zst", ".xz", ".gz"}

// Named prepares a vmlinux or module that the user named: unpacks it if need
// be and finds its separate debug file if it has no DWARF. Whether it belongs
// to the dump is not checked: By is empty.
func Named(ctx context.Context, path string, r Request) (Result, error) {
	plain, err := r.Cache.Unpack(ctx, path, r.Progress)
	if err != nil {
		return Result{}, err
	}
	id, err := Identify(plain)
	if err != nil {
		return Result{}, err
	}
	if id.Type == elf.ET_CORE {
		return Result{}, fmt.Errorf("%s: a core file, not a kernel", path)
	}
	res := Result{Path: plain, Source: path, Identity: id}
	if !id.Debug {
		res.DebugPath, _, _ = r.separate(plain, path, id)
	}
	return res, nil
}

// Vmlinux looks for the kernel that r describes: by build ID where debug files
// are filed by it, beside the dump, where distributions put it for the release.
// The error is a *NotFoundError, or that of ctx. A kernel without DWARF, here or
// in a separate file, is taken only if there is no better one: see Result.Debug.
func Vmlinux(ctx context.Context, r Request) (Result, error) {
	s := search{r: &r, seen: make(map[string]bool)}
	for _, c := range r.vmlinuxCandidates() {
		if res, ok := s.try(ctx, c); ok {
			return res, nil
		}
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
	}
	if s.fallback != nil {
		return *s.fallback, nil
	}
	return Result{}, &NotFoundError{What: r.describe(), Attempts: s.tried}
}

// candidate is a file to try. A file in a place that says which kernel it is of
// is believed if neither side has anything to compare.
type candidate struct {
	path  string
	place string // what its place says: Result.By if nothing else does
}

// search is one run of Vmlinux.
type search struct {
	r        *Request
	seen     map[string]bool
	tried    []Attempt
	fallback *Result
}

func (s *search) refuse(path string, why error) {
	s.tried = append(s.tried, Attempt{path, why})
}

func (s *search) try(ctx context.Context, c candidate) (Result, bool) {
	// Distributions file one kernel under several names.
	real, err := filepath.EvalSymlinks(c.path)
	if err != nil {
		s.refuse(c.path, err)
		return Result{}, false
	}
	if s.seen[real] {
		return Result{}, false
	}
	s.seen[real] = true
	plain, err := s.r.Cache.Unpack(ctx, c.path, s.r.Progress)
	if err != nil {
		s.refuse(c.path, err)
		return Result{}, false
	}
	id, err := Identify(plain)
	if err != nil {
		s.refuse(c.path, err)
		return Result{}, false
	}
	by, err := s.r.accept(id, c.place)
	if err != nil {
		s.refuse(c.path, err)
		return Result{}, false
	}
	res := Result{Path: plain, Source: c.path, By: by, Identity: id}
	if id.Debug {
		return res, true
	}
	debug, _, tried := s.r.separate(plain, c.path, id)
	s.tried = append(s.tried, tried...)
	if debug != "" {
		res.DebugPath = debug
		return res, true
	}
	if id.Symbols && s.fallback == nil {
		s.fallback = &res
	}
	s.refuse(c.path, errors.New("it has no DWARF, and no separate debug file was found"))
	return Result{}, false
}

// accept says by what a file is the wanted kernel.
func (r *Request) accept(id Identity, place string) (by string, err error) {
	if id.Type != elf.ET_EXEC && id.Type != elf.ET_DYN {
		return "", fmt.Errorf("an ELF file of type %v is no kernel", id.Type)
	}
	by, err = compare(id, r.BuildID, r.Release)
	if errors.Is(err, errNothingToCompare) && place != "" {
		return place, nil
	}
	return by, err
}

// vmlinuxCandidates lists files in the order in which to try them.
func (r *Request) vmlinuxCandidates() []candidate {
	var list []candidate
	add := func(place string, paths ...string) {
		for _, p := range paths {
			list = append(list, candidate{p, place})
		}
	}
	for _, dir := range dumpDirs(r.Dumps) {
		add("place", r.beside(dir)...)
	}
	add("build ID", r.idPaths(r.BuildID)...)
	release := r.safeRelease()
	if release == "" {
		return list
	}
	debug, modules := "usr/lib/debug", filepath.Join("lib/modules", release)
	add("place",
		r.system(debug, "boot/vmlinux-"+release),          // Debian, Ubuntu
		r.system(debug, "boot/vmlinux-"+release+".debug"), // SUSE
		r.system(debug, modules, "vmlinux"),               // Fedora, RHEL, Debian since 13
		r.system(debug, modules, "vmlinux.debug"),
		r.system(debug, "usr", modules, "vmlinux"),
		r.system(debug, "usr", modules, "vmlinux.debug"), // SUSE since the merge of /usr
		r.system(debug, "vmlinux-"+release))
	for _, base := range []string{
		r.system(modules, "build/vmlinux"), // a kernel built here
		r.system(modules, "vmlinux"),
		r.system("usr", modules, "vmlinux"),
		r.system("boot/vmlinux-" + release),
	} {
		for _, ending := range packedEndings {
			add("place", base+ending)
		}
	}
	return list
}

// dumpDirs are the directories of the dump's files, each once.
func dumpDirs(dumps []string) []string {
	var dirs []string
	for _, d := range dumps {
		if dir := filepath.Dir(d); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// beside lists the files of a dump's directory whose names begin with
// "vmlinux": those that name the release first, plain ones before packed ones.
// Packed ones that name another kernel are left out, as looking into them would
// fill the cache.
func (r *Request) beside(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return []string{filepath.Join(dir, "vmlinux")}
	}
	type entry struct {
		name string
		rank int
	}
	var list []entry
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, "vmlinux") || e.IsDir() {
			continue
		}
		base := unpackedBase(name)
		packed := base != name
		says := strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(base, "vmlinux"), ".debug"), "-")
		rank := 2
		switch {
		case says == r.Release && says != "":
			rank = 0
		case says == "":
			rank = 1
		case packed && r.Release != "" && says[0] >= '0' && says[0] <= '9':
			continue
		}
		if packed {
			rank += 3
		}
		list = append(list, entry{name, rank})
	}
	slices.SortStableFunc(list, func(a, b entry) int { return a.rank - b.rank })
	var paths []string
	for _, e := range list[:min(len(list), maxBeside)] {
		paths = append(paths, filepath.Join(dir, e.name))
	}
	if len(paths) == 0 {
		return []string{filepath.Join(dir, "vmlinux*")}
	}
	return paths
}

// unpackedBase is a file name without the ending of a packer.
func unpackedBase(name string) string {
	for _, ending := range packedEndings[1:] {
		if base, ok := strings.CutSuffix(name, ending); ok {
			return base
		}
	}
	return name
}
