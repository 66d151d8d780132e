package command

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/repltest"
	"github.com/kdive/kdive/vmcore/vmcoretest"
)

// bare is the bundled dump without its vmlinux.
func bare(t testing.TB) *Target {
	t.Helper()
	return bareFile(t, filepath.Join("..", "..", "testdata", "tiny", "vmcore.kdump"))
}

// bareFile is any dump without a vmlinux.
func bareFile(t testing.TB, files ...string) *Target {
	t.Helper()
	o, err := kdive.Open(context.Background(), kdive.Options{Files: files, NoDebugInfo: true, Cache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return NewTarget(o)
}

// formats are the bundled dump's memory as an ELF core, a compressed dump and a
// flattened stream.
func formats(t *testing.T) map[string]*Target {
	t.Helper()
	kdump := filepath.Join("..", "..", "testdata", "tiny", "vmcore.kdump")
	raw, err := os.ReadFile(kdump)
	if err != nil {
		t.Fatal(err)
	}
	d := tiny(t).Opened.Dump
	memory := vmcoretest.Memory{VMCoreInfo: string(d.VMCoreInfo().Raw())}
	page := make([]byte, kernel.PageSize)
	for run := range d.Runs() {
		for p := run.Start; p < run.End; p += kernel.PageSize {
			if err := d.ReadPhys(page, p); err != nil {
				t.Fatal(err)
			}
			memory.Write(p, page)
		}
	}
	write := func(name string, b []byte) string {
		name = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	elf := write("elf", memory.ELF(vmcoretest.HeadersFirst, func(uint64) uint64 { return 0 }))
	flat := write("flat", vmcoretest.Flatten(vmcoretest.Records(raw, 64<<10)))
	return map[string]*Target{"ELF": bareFile(t, elf), "kdump": bareFile(t, kdump), "flattened": bareFile(t, flat)}
}

// TestWithoutDebugInfo reads every format without a vmlinux: physical memory,
// kernel memory through the page tables, the note.
func TestWithoutDebugInfo(t *testing.T) {
	const banner = "ffffffffbea474a0:  Linux version 6.1.192-tiny-slab (root@vm) (gcc (Debian 12.2.\n"
	tests := []struct{ line, want string }{
		{"rd -a ffffffffbea474a0 60", banner},
		{"rd -p 18474a0 2", "         18474a0:  65762078756e694c 2e36206e6f697372   Linux version 6.\n"},
		{"rd ffff9b6d018474a0 2", "ffff9b6d018474a0:  65762078756e694c 2e36206e6f697372   Linux version 6.\n"},
		{"rd -32 ffffa92d00057e58 2", "ffffa92d00057e58:  bec11600 ffffffff                     ........\n"},
		{"rd init_uts_ns+4", ""},
		{"search -p -c 'Linux version 6.1.192-tiny-slab (root@vm) (gcc (Debian 12.2.0-14'", ""},
		{"vmcoreinfo OSRELEASE _stext", "OSRELEASE=6.1.192-tiny-slab\nSYMBOL(_stext)=ffffffffbe200000\n"},
		{"ptov 1000", "VIRTUAL           PHYSICAL        \nffff9b6d00001000  1000            \n"},
		{"btop 512a000", "512a000: 512a\n"},
	}
	first := map[string]string{}
	for format, target := range formats(t) {
		cmds := All(target)
		for _, tt := range tests {
			text, rows := repltest.Check(t, cmds, tt.line, "hit.text")
			want := tt.want
			if want == "" { // whatever it is, all formats agree
				if first[tt.line] == "" {
					first[tt.line] = text
				}
				want = first[tt.line]
			}
			if text != want || text == "" || len(rows) == 0 {
				t.Errorf("%s: %s:\n%s\nwant\n%s", format, tt.line, text, want)
			}
		}
		for _, line := range []string{"mod", "rd -u 400000", "search -t 1", "ptov 0:a"} {
			if r := repltest.Run(t, cmds, repl.Options{}, line); r.Status != 1 || !strings.Contains(r.Err, "without a vmlinux") {
				t.Errorf("%s: %s: %+v", format, line, r)
			}
		}
	}
}
