package find

import (
	"context"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdive/kdive/elffile/elftest"
)

const (
	testRelease = "6.1.0-9-amd64"
	testID      = "\x3b\x43 build id of kernel"
)

// TestLayouts puts a kernel where each distribution has it.
func TestLayouts(t *testing.T) {
	id := hex.EncodeToString([]byte(testID))
	for _, path := range []string{
		"usr/lib/debug/boot/vmlinux-" + testRelease,
		"usr/lib/debug/boot/vmlinux-" + testRelease + ".debug",
		"usr/lib/debug/lib/modules/" + testRelease + "/vmlinux",
		"usr/lib/debug/lib/modules/" + testRelease + "/vmlinux.debug",
		"usr/lib/debug/usr/lib/modules/" + testRelease + "/vmlinux",
		"usr/lib/debug/usr/lib/modules/" + testRelease + "/vmlinux.debug",
		"usr/lib/debug/.build-id/" + id[:2] + "/" + id[2:] + ".debug",
		"lib/modules/" + testRelease + "/vmlinux",
		"lib/modules/" + testRelease + "/vmlinux.xz",
		"lib/modules/" + testRelease + "/build/vmlinux",
		"usr/lib/modules/" + testRelease + "/vmlinux.zst",
		"boot/vmlinux-" + testRelease,
		"boot/vmlinux-" + testRelease + ".gz",
		"var/crash/vmlinux",
		"var/crash/vmlinux-" + testRelease,
		"var/crash/vmlinux-" + testRelease + ".debug",
		"var/crash/vmlinux-" + testRelease + ".zst",
		"var/crash/vmlinux.gz",
		"var/crash/vmlinux-of-the-customer",
	} {
		root := t.TempDir()
		data := kernel(testID, testRelease, true)
		if unpackedBase(path) != path {
			data = zstdBytes(data) // the name does not matter
		}
		write(t, filepath.Join(root, path), data)
		// Another kernel lies there too.
		write(t, filepath.Join(root, "var/crash/vmlinux-5.10"), kernel("other", "5.10", true))
		write(t, filepath.Join(root, "var/crash/vmlinux-5.10.zst"), []byte("must not be looked at"))
		res, err := Vmlinux(t.Context(), Request{
			BuildID: []byte(testID), Release: testRelease, Root: root, Cache: testCache(t),
			Dumps: []string{filepath.Join(root, "var/crash/vmcore")},
		})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if res.Source != filepath.Join(root, path) || res.By != "build ID" || !res.Debug() || res.Identity.Release != testRelease {
			t.Errorf("%s: %+v", path, res)
		}
	}
}

func TestVmlinuxByWhat(t *testing.T) {
	tests := []struct {
		name    string
		file    []byte
		id, rel string
		by      string // "" if it is refused
		why     string
	}{
		{"both", kernel(testID, testRelease, true), testID, testRelease, "build ID", ""},
		{"build ID beats release", kernel(testID, "renamed", true), testID, testRelease, "build ID", ""},
		{"same release, other build", kernel("other", testRelease, true), testID, testRelease, "", "its build ID is 6f74686572, not 3b43"},
		{"file without build ID", kernel("", testRelease, true), testID, testRelease, "release", ""},
		{"dump without build ID", kernel(testID, testRelease, true), "", testRelease, "release", ""},
		{"other release", kernel("", "5.10", true), testID, testRelease, "", "its release is 5.10, not " + testRelease},
		{"file says nothing", kernel("", "", true), testID, testRelease, "place", ""},
		{"dump says nothing", kernel(testID, testRelease, true), "", "", "place", ""},
		{"no DWARF", kernel(testID, testRelease, false), testID, testRelease, "", "it has no DWARF"},
		{"module", elftest.Object{Type: elf.ET_REL}.Bytes(), "", "", "", "ET_REL is no kernel"},
		{"core", elftest.Object{Type: elf.ET_CORE}.Bytes(), "", "", "", "ET_CORE is no kernel"},
		{"text", []byte("hello"), testID, testRelease, "", "neither an ELF file"},
		{"cut off", kernel(testID, testRelease, true)[:200], testID, testRelease, "", "beyond the end of the file"},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		path := write(t, filepath.Join(dir, "vmlinux"), tt.file)
		res, err := Vmlinux(t.Context(), Request{
			BuildID: []byte(tt.id), Release: tt.rel, Root: filepath.Join(dir, "none"), Cache: testCache(t),
			Dumps: []string{filepath.Join(dir, "vmcore.1"), filepath.Join(dir, "vmcore.2")},
		})
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

func TestVmlinuxFallback(t *testing.T) {
	root := t.TempDir()
	sym, str := elftest.Symbols(2, elftest.Symbol{Name: "schedule", Value: 1})
	o := elftest.Object{Type: elf.ET_EXEC, Sections: []elftest.Section{sym, str, elftest.BuildID([]byte(testID))}}
	path := write(t, filepath.Join(root, "boot/vmlinux-"+testRelease), o.Bytes())
	r := Request{BuildID: []byte(testID), Release: testRelease, Root: root, Cache: testCache(t)}
	res, err := Vmlinux(t.Context(), r)
	if err != nil || res.Path != path || res.Debug() {
		t.Errorf("symbols only: %+v, %v", res, err)
	}
	better := write(t, filepath.Join(root, "usr/lib/debug/lib/modules", testRelease, "vmlinux"), kernel(testID, testRelease, true))
	if res, err = Vmlinux(t.Context(), r); err != nil || res.Path != better {
		t.Errorf("with DWARF: %+v, %v", res, err)
	}
}

func TestSeparateDebugFile(t *testing.T) {
	dwarf := kernel("", "", true)
	sum := crc32.ChecksumIEEE(dwarf)
	id := hex.EncodeToString([]byte(testID))
	linked := func(id, name string, crc uint32) []byte {
		o := elftest.Object{Type: elf.ET_EXEC, Sections: []elftest.Section{elftest.DebugLink(name, crc)}}
		if id != "" {
			o.Sections = append(o.Sections, elftest.BuildID([]byte(id)))
		}
		return o.Bytes()
	}
	tests := []struct {
		name  string
		file  []byte
		at    string // of the debug file, below the root; the kernel is at boot/vmlinux
		debug []byte
		found bool
	}{
		{"beside it", linked("", "k.debug", sum), "boot/k.debug", dwarf, true},
		{"in .debug", linked("", "k.debug", sum), "boot/.debug/k.debug", dwarf, true},
		{"below /usr/lib/debug", linked("", "k.debug", sum), "usr/lib/debug/ROOT/boot/k.debug", dwarf, true},
		{"wrong CRC", linked("", "k.debug", sum+1), "boot/k.debug", dwarf, false},
		{"build ID beats CRC", linked(testID, "k.debug", sum+1), "boot/k.debug", kernel(testID, "", true), true},
		{"wrong build ID", linked(testID, "k.debug", crc32.ChecksumIEEE(kernel("other", "", true))), "boot/k.debug", kernel("other", "", true), false},
		{"no DWARF in it", linked(testID, "k.debug", sum), "boot/k.debug", kernel(testID, "", false), false},
		{"by build ID", kernel(testID, testRelease, false), "usr/lib/debug/.build-id/" + id[:2] + "/" + id[2:] + ".debug", kernel(testID, "", true), true},
		{"usual name, no link", kernel(testID, testRelease, false), "boot/vmlinux.debug", kernel(testID, "", true), true},
		{"usual name, nothing to check", kernel("", testRelease, false), "boot/vmlinux.debug", dwarf, false},
		{"link to itself", linked(testID, "vmlinux", 0), "boot/unused", dwarf, false},
	}
	for _, tt := range tests {
		for _, pack := range []bool{false, true} {
			root := t.TempDir()
			data := tt.file
			if pack {
				data = gzipBytes(data) // the debug file lies near what was packed, not in the cache
			}
			path := write(t, filepath.Join(root, "boot/vmlinux"), data)
			debug := write(t, filepath.Join(root, strings.ReplaceAll(tt.at, "ROOT", root)), tt.debug)
			res, err := Named(t.Context(), path, Request{Root: root, Cache: testCache(t)})
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if tt.found && res.DebugPath != debug || !tt.found && res.DebugPath != "" || res.Source != path || (res.Path == path) == pack {
				t.Errorf("%s, packed %v: %+v", tt.name, pack, res)
			}
		}
	}
}

func TestNamedRefusesCore(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "vmcore"), elftest.Object{Type: elf.ET_CORE}.Bytes())
	if _, err := Named(t.Context(), path, Request{}); err == nil || !strings.Contains(err.Error(), "core file") {
		t.Errorf("%v", err)
	}
}

// TestHostileRelease: the release comes from the dump.
func TestHostileRelease(t *testing.T) {
	root := t.TempDir()
	for _, release := range []string{"../../../../etc", "..", ".", "a/b", "a\x00b", "a\nb", strings.Repeat("x", 5000)} {
		r := Request{Release: release, Root: root}
		for _, c := range r.vmlinuxCandidates() {
			t.Errorf("%.20q becomes part of %.100q", release, c.path)
		}
		for _, tree := range NewModules(r).trees {
			t.Errorf("%.20q becomes part of %.100q", release, tree.dir)
		}
		_, err := Vmlinux(t.Context(), r)
		if err == nil || len(err.Error()) > 1000 || strings.Contains(err.Error(), "a\nb") {
			t.Errorf("%.20q: %.200q", release, err)
		}
	}
}

func TestVmlinuxCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Vmlinux(ctx, Request{Release: testRelease, Root: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestManyBeside(t *testing.T) {
	dir := t.TempDir()
	for i := range 200 {
		write(t, filepath.Join(dir, fmt.Sprintf("vmlinux-%d", i)), []byte("hello"))
	}
	want := write(t, filepath.Join(dir, "vmlinux-"+testRelease), kernel("", testRelease, true))
	r := Request{Release: testRelease, Dumps: []string{filepath.Join(dir, "core")}, Root: dir}
	if got := r.beside(dir); len(got) != maxBeside || got[0] != want {
		t.Errorf("%d candidates, first %s", len(got), got[0])
	}
}

func TestNotFoundText(t *testing.T) {
	err := &NotFoundError{What: "vmlinux", Attempts: []Attempt{
		{"/a", os.ErrNotExist},
		{"/b", errors.New("/b: it has no DWARF")},
		{"/c/vmlinux", os.ErrNotExist},
		{"/c/vmlinux.zst", os.ErrNotExist},
		{"/c/vmlinux.gz", os.ErrNotExist},
		{"/d.xz", os.ErrNotExist},
	}}
	want := `no vmlinux found
  /b: it has no DWARF
  not there:
    /a
    /c/vmlinux{,.zst,.gz}
    /d.xz`
	if err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
}
