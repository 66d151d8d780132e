package find

import (
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdive/kdive/elffile/elftest"
)

// module is a .ko that has what the search looks at.
func module(name, id, release string, dwarf bool) []byte {
	o := elftest.Object{Type: elf.ET_REL}
	if id != "" {
		o.Sections = append(o.Sections, elftest.BuildID([]byte(id)))
	}
	if name != "" {
		info := "name=" + name + "\x00vermagic=" + release + " SMP mod_unload \x00"
		o.Sections = append(o.Sections, elftest.Section{Name: ".modinfo", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC, Data: []byte(info)})
	}
	if dwarf {
		o.Sections = append(o.Sections, elftest.Section{Name: ".debug_info", Type: elf.SHT_PROGBITS, Data: []byte("dwarf")})
	}
	return o.Bytes()
}

func TestModuleLayouts(t *testing.T) {
	for _, path := range []string{
		"usr/lib/debug/lib/modules/REL/kernel/net/key/af_key.ko",
		"usr/lib/debug/lib/modules/REL/kernel/net/key/af-key.ko.debug",
		"usr/lib/debug/usr/lib/modules/REL/kernel/net/key/af_key.ko.debug",
		"lib/modules/REL/updates/af-key.ko.zst",
		"usr/lib/modules/REL/kernel/net/key/af_key.ko.xz",
		"var/crash/af_key.ko",
		"var/crash/af_key.ko.debug.gz",
		"var/crash/modules/deep/er/af-key.ko",
		"extra/a/b/c/af_key.ko.debug",
		"opt/usr/lib/debug/lib/modules/REL/kernel/af_key.ko", // unpacked packages, as the vmlinux shows
		"usr/lib/debug/.build-id/69/64206f66206d6f64756c65.debug",
	} {
		root := t.TempDir()
		path = strings.ReplaceAll(path, "REL", testRelease)
		data := module("af_key", "id of module", testRelease, true)
		if unpackedBase(path) != path {
			data = zstdBytes(data)
		}
		full := write(t, filepath.Join(root, path), data)
		vmlinux := write(t, filepath.Join(root, "opt/usr/lib/debug/boot/vmlinux-"+testRelease), nil)
		m := NewModules(Request{
			Release: testRelease, Root: root, Cache: testCache(t), Vmlinux: vmlinux,
			Dumps: []string{filepath.Join(root, "var/crash/vmcore")}, ModuleDirs: []string{filepath.Join(root, "extra")},
		})
		for _, name := range []string{"af_key", "af-key"} {
			res, err := m.Find(t.Context(), name, []byte("id of module"))
			if err != nil || res.Source != full || res.By != "build ID" || !res.Debug() {
				t.Errorf("%s as %s: %+v, %v", path, name, res, err)
			}
		}
		if res, err := m.Find(t.Context(), "other", nil); err == nil {
			t.Errorf("%s: taken for another module: %+v", path, res)
		}
	}
}

func TestModuleByWhat(t *testing.T) {
	tests := []struct {
		name string
		file []byte
		id   string
		by   string // "" if it is refused
		why  string
	}{
		{"build ID", module("af_key", "id", "other", true), "id", "build ID", ""},
		{"other build ID", module("af_key", "id", testRelease, true), "di", "", "its build ID is 6964, not 6469"},
		{"release", module("af_key", "id", testRelease, true), "", "release", ""},
		{"other release", module("af_key", "id", "5.10", true), "", "", "its release is 5.10"},
		{"place", module("", "", "", true), "id", "place", ""},
		{"other name inside", module("xfs", "id", testRelease, true), "id", "", `it is module "xfs"`},
		{"kernel", kernel("id", testRelease, true), "id", "", "ET_EXEC is no module"},
		{"text", []byte("hello"), "id", "", "neither an ELF file"},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		path := write(t, filepath.Join(dir, "af_key.ko"), tt.file)
		m := NewModules(Request{Release: testRelease, Root: filepath.Join(dir, "none"), ModuleDirs: []string{dir}, Cache: testCache(t)})
		res, err := m.Find(t.Context(), "af_key", []byte(tt.id))
		if tt.by != "" {
			if err != nil || res.By != tt.by || res.Path != path {
				t.Errorf("%s: %+v, %v", tt.name, res, err)
			}
			continue
		}
		var nf *NotFoundError
		if !errors.As(err, &nf) || !strings.Contains(err.Error(), path+": ") || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.why)
		}
	}
}

func TestModuleOrder(t *testing.T) {
	root := t.TempDir()
	stripped := write(t, filepath.Join(root, "extra/af_key.ko"), module("af_key", "id", testRelease, false))
	m := NewModules(Request{Release: testRelease, Root: root, ModuleDirs: []string{filepath.Join(root, "extra")}, Cache: testCache(t)})
	res, err := m.Find(t.Context(), "af_key", []byte("id"))
	if err != nil || res.Path != stripped || res.Debug() {
		t.Errorf("without DWARF: %+v, %v", res, err)
	}
	full := write(t, filepath.Join(root, "usr/lib/debug/lib/modules", testRelease, "af_key.ko"), module("af_key", "id", testRelease, true))
	m = NewModules(m.r)
	if res, err = m.Find(t.Context(), "af_key", []byte("id")); err != nil || res.Path != full {
		t.Errorf("with DWARF elsewhere: %+v, %v", res, err)
	}
	first := write(t, filepath.Join(root, "extra/deep/af-key.ko.debug"), module("", "id", "", true))
	m = NewModules(m.r)
	if res, err = m.Find(t.Context(), "af_key", []byte("id")); err != nil || res.Path != first {
		t.Errorf("with DWARF where the user said: %+v, %v", res, err)
	}
}

func TestBuildTree(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "modules.order"), []byte("net/key/af_key.o\nfs/xfs/xfs.ko\n../../outside.ko\n/outside.ko\n"))
	vmlinux := write(t, filepath.Join(root, "vmlinux"), nil)
	for _, name := range []string{"net/key/af_key", "fs/xfs/xfs"} {
		path := write(t, filepath.Join(root, name+".ko"), module(filepath.Base(name), "id", testRelease, true))
		m := NewModules(Request{Release: testRelease, Vmlinux: vmlinux, Root: filepath.Join(root, "none")})
		if res, err := m.Find(t.Context(), filepath.Base(name), []byte("id")); err != nil || res.Path != path {
			t.Errorf("%s: %+v, %v", name, res, err)
		}
		if _, err := m.Find(t.Context(), "outside", nil); err == nil || strings.Contains(err.Error(), "outside.ko") {
			t.Errorf("a path led out of the tree: %v", err)
		}
	}
}

func TestInstallRoot(t *testing.T) {
	for path, want := range map[string]string{
		"":                                        "",
		"/x/usr/lib/debug/boot/vmlinux-6.1":       "/x",
		"/usr/lib/debug/lib/modules/6.1/vmlinux":  "/",
		"/x/usr/lib/modules/6.1/vmlinux":          "/x",
		"/x/lib/modules/6.1/build/vmlinux":        "/x",
		"/boot/vmlinux-6.1":                       "/",
		"/home/me/case/vmlinux":                   "",
		"/x/usr/lib/debug/usr/lib/modules/6.1/vm": "/x",
	} {
		if got := installRoot(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

func TestWalkIsBounded(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, strings.Repeat("d/", maxDepth+5), "far.ko"), module("far", "", testRelease, true))
	write(t, filepath.Join(root, strings.Repeat("d/", 10), "near.ko"), module("near", "", testRelease, true))
	if err := os.Symlink(root, filepath.Join(root, "loop")); err != nil {
		t.Fatal(err)
	}
	m := NewModules(Request{Release: testRelease, ModuleDirs: []string{root}, Root: filepath.Join(root, "none")})
	if _, err := m.Find(t.Context(), "near", nil); err != nil {
		t.Error(err)
	}
	if _, err := m.Find(t.Context(), "far", nil); err == nil {
		t.Error("found beyond the depth")
	}
}

func TestModuleOfFile(t *testing.T) {
	for file, want := range map[string]string{
		"af_key.ko": "af_key", "snd-hda-intel.ko.debug": "snd_hda_intel", "xfs.ko.xz": "xfs",
		"xfs.ko.debug.gz": "xfs", "xfs.ko.zst": "xfs", "xfs.o": "", ".ko": "", "vmlinux.debug": "", "xfs.mod.c": "",
	} {
		if got, ok := moduleOfFile(file); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v", file, got, ok)
		}
	}
}
