package command

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/repltest"
)

// The rows are those of crash 9.0.2, but for the symbol at the start of .data,
// which crash calls .data.
func TestRd(t *testing.T) {
	tests := []struct{ line, want string }{
		{"rd linux_banner 3", `
ffffffffbea474a0:  65762078756e694c 2e36206e6f697372   Linux version 6.
ffffffffbea474b0:  69742d3239312e31                    1.192-ti
`},
		{"rd -32 linux_banner 5", `
ffffffffbea474a0:  756e694c 65762078 6f697372 2e36206e   Linux version 6.
ffffffffbea474b0:  39312e31                              1.19
`},
		{"rd -16 linux_banner 3", "\nffffffffbea474a0:  694c 756e 2078                            Linux \n"},
		{"rd -8 linux_banner 5", "\nffffffffbea474a0:  4c 69 6e 75 78                                    Linux\n"},
		{"rd -x linux_banner", "\nffffffffbea474a0:  65762078756e694c \n"},
		{"rd -32 -d init_task 6", `
ffffffffbec11600:         16384            0            0            0 
ffffffffbec11610:             0            0 
`},
		{"rd -d -o 96 init_task 3", `
ffffffffbec11660:                0    515396075521 
ffffffffbec11670:     515396075640 
`},
		{"rd -d init_task+a8 1", "\nffffffffbec116a8:      -1094642008 \n"},
		{"rd -D init_task+a8 1", "\nffffffffbec116a8:  18446744072614909608 \n"},
		{"rd -16 -d init_task+a8 2", "\nffffffffbec116a8:   5800 -16703 \n"},
		{"rd -8 -d init_task+a8 2", "\nffffffffbec116a8:  -88  22 \n"},
		{"rd -s init_task+a0 4", `
ffffffffbec116a0:  0000000000000000 init_task+168    
ffffffffbec116b0:  init_task+168    0000000000000000 
`},
		{"rd -S init_task+0x50 2", "\nffffffffbec11650:  00000000fffedde5 [task_struct]    \n"},
		{"rd -SS init_task+0x50 2", "\nffffffffbec11650:  00000000fffedde5 [ffff9b6d001f22c0:task_struct] \n"},
		{"rd -N -16 linux_banner 2", "\nffffffffbea474a0:  4c69 6e75                                 Linu\n"},
		{"rd -N linux_banner", "\nffffffffbea474a0:  4c696e7578207665                    Linux ve\n"},
		{"rd -R linux_banner 1", "\nffffffffbea474a0:  65762078756e694c                    Linux ve\n"},
		{"rd -R -8 linux_banner+4 5", "\nffffffffbea474a0:  4c 69 6e 75 78                                    Linux\n"},
		{"rd -8 -e ffffffffbea474a5 linux_banner", "\nffffffffbea474a0:  4c 69 6e 75 78                                    Linux\n"},
		{"rd -p 18474a0", "\n         18474a0:  65762078756e694c                    Linux ve\n"},
		{"rd -a linux_banner", `
ffffffffbea474a0:  Linux version 6.1.192-tiny-slab (root@vm) (gcc (Debian 12.2.
ffffffffbea474dc:  0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40)
ffffffffbea47518:   #2 SMP Sat Nov 21 04:32:41 UTC 2026
`},
		{"rd -a linux_banner 5", "\nffffffffbea474a0:  Linux\n"},
		{"rd -a init_task", "\n"},
	}
	for _, tt := range tests {
		got, rows := tinyCheck(t, tt.line)
		if "\n"+got != tt.want {
			t.Errorf("%s:\n%swant%s", tt.line, got, tt.want)
		}
		if len(rows) == 0 && len(tt.want) > 1 {
			t.Errorf("%s: no JSON rows", tt.line)
		}
	}
}

func TestRdJSON(t *testing.T) {
	r := repltest.Run(t, All(tiny(t)), repl.Options{JSON: true}, "rd -s init_task+a0 2", "rd -32 linux_banner", "rd -S init_task+0x50 2")
	want := `{"type":"memory","address":"0xffffffffbec116a0","width":8,"words":["0x0","0xffffffffbec116a8"],"symbols":[null,{"symbol":"init_task","offset":168}]}
{"type":"memory","address":"0xffffffffbea474a0","width":4,"words":["0x756e694c"],"symbols":null}
{"type":"memory","address":"0xffffffffbec11650","width":8,"words":["0xfffedde5","0xffff9b6d001f22c0"],"symbols":[null,{"cache_name":"task_struct","object":"0xffff9b6d001f22c0",` +
		`"ctype":{"name":"struct task_struct","certain":true,"source":"cache","why":"cache task_struct; its objects have 5064 bytes, the structure 6464"}}]}
`
	if r.Out != want || r.Status != 0 {
		t.Errorf("%+v", r)
	}
}

func TestRdMisuse(t *testing.T) {
	for line, want := range map[string]string{
		"rd":                        "one address",
		"rd init_task 0":            "invalid count request: 0",
		"rd init_task zz":           "invalid number: zz",
		"rd init_task 1 2":          "one address",
		"rd -e 10 init_task":        "invalid ending address: 10",
		"rd -8 -s init_task":        "units of 64 bits",
		"rd -p -u 0":                "exclude each other",
		"rd -u init_task":           "not a user virtual address",
		"rd nosuch":                 "nosuch",
		"rd -m 0":                   "hypervisor",
		"rd ffffffffffffffff":       "beyond the end",
		"rd ffffffffc0000000":       "not mapped",
		"rd -p 100000000":           "no memory in the dump",
		"rd -r /dev/null init_task": "needs a count",
	} {
		if r := repltest.Run(t, All(tiny(t)), repl.Options{}, line); r.Status != 1 || !strings.Contains(r.Err, want) {
			t.Errorf("%s: %+v, want %q", line, r, want)
		}
	}
}

// excluded is a range of pages that the dump filter left out, with pages of the
// dump on both sides.
func excluded(t *testing.T) (start, size uint64) {
	d := tiny(t).Opened.Dump
	for p := uint64(kernel.PageSize); p < d.Info().MaxPhys; p += kernel.PageSize {
		switch state := d.State(p); {
		case state == 0 && start != 0 && p-start < 1<<16:
			return start, p - start
		case state == fault.Excluded && d.State(p-kernel.PageSize) == 0:
			start = p
		case state != fault.Excluded:
			start = 0
		}
	}
	t.Fatal("no such pages")
	return 0, 0
}

func TestRdFaults(t *testing.T) {
	p, size := excluded(t)
	cmds := All(tiny(t))
	for _, width := range []int{8, 16, 32, 64} {
		line := fmt.Sprintf("rd -p -%d %x %d", width, p-16, (int(size)+32)*8/width)
		r := repltest.Run(t, cmds, repl.Options{}, line)
		lines := strings.Split(r.Out, "\n")
		if r.Status != 1 || len(lines) != 4 || lines[1] != fmt.Sprintf("%16x:  <excluded>  %d bytes", p, size) ||
			!strings.HasPrefix(lines[2], fmt.Sprintf("%16x:  ", p+size)) {
			t.Errorf("%s: %+v", line, r)
		}
		if !strings.Contains(r.Err, fmt.Sprintf("%d of %d bytes could not be read: physical address", size, size+32)) {
			t.Errorf("%s: %q", line, r.Err)
		}
		_, rows := repltest.Check(t, cmds, line)
		if len(rows) != 4 || rows[1]["type"] != "unreadable" || rows[3]["type"] != "error" {
			t.Errorf("%s: %v", line, rows)
		}
	}
	r := repltest.Run(t, cmds, repl.Options{}, fmt.Sprintf("rd -p %x 4", p))
	if r.Out != "" || r.Status != 1 || !strings.Contains(r.Err, "excluded by the dump filter") {
		t.Errorf("nothing readable: %+v", r)
	}
	r = repltest.Run(t, cmds, repl.Options{}, fmt.Sprintf("rd -p -a %x 4", p))
	if r.Status != 1 || !strings.Contains(r.Err, "excluded by the dump filter") {
		t.Errorf("text: %+v", r)
	}
}

// holes is memory in which some pages fail; a byte is the low byte of its address.
type holes map[uint64]fault.Reason

func (h holes) Read(p []byte, addr uint64) error {
	for i := range p {
		a := addr + uint64(i)
		if why := h[a/kernel.PageSize]; why != 0 {
			return &fault.Error{Addr: a, Space: fault.Virtual, Reason: why}
		}
		p[i] = byte(a)
	}
	return nil
}

func TestReadAround(t *testing.T) {
	mem := holes{1: fault.Excluded, 2: fault.Excluded, 3: fault.Damaged, 5: fault.Unmapped}
	p := make([]byte, 6*kernel.PageSize-100)
	var got string
	for _, g := range readAround(mem, p, 50) {
		got += fmt.Sprintf("%x-%x %v;", g.start, g.end, fault.ReasonOf(g.err))
	}
	if got != "fce-2fce excluded;2fce-3fce damaged;4fce-5f9c not mapped;" {
		t.Error(got)
	}
	if p[0] != 50 || p[0xfcd] != 0xff || p[0x3fce] != 0 || p[0x3fcf] != 1 {
		t.Error("bytes beside the gaps are wrong")
	}
	if g := readAround(mem, p[:100], 0); g != nil {
		t.Error(g)
	}
}

// TestRdChunks reads ranges longer than a chunk, with gaps at odd places: every
// unit is shown once, in order, or counted as lost.
func TestRdChunks(t *testing.T) {
	mem := holes{3: fault.Excluded, 15: fault.Excluded, 16: fault.Excluded, 17: fault.Damaged, 40: fault.Unmapped}
	for _, width := range []int{1, 2, 4, 8} {
		for _, start := range []uint64{0, 3, 0x1ffd} {
			count := uint64(50*kernel.PageSize) / uint64(width)
			p := &rdPlan{mem: mem, addr: start, count: count, form: rdForm{width: width}}
			test := &repl.Command{Name: "x", Run: func(ctx context.Context, c *repl.Call) error { return p.dump(ctx, c) }}
			r := repltest.Run(t, []*repl.Command{test}, repl.Options{JSON: true}, "x")
			rows, err := repltest.Rows(r.Out)
			if err != nil {
				t.Fatal(err)
			}
			next := start
			for _, row := range rows {
				var addr, n uint64
				if s, ok := row["address"].(string); ok {
					fmt.Sscanf(s, "0x%x", &addr)
				}
				switch row["type"] {
				case "memory":
					n = uint64(len(row["words"].([]any)) * width)
				case "unreadable":
					fmt.Sscan(fmt.Sprint(row["bytes"]), &n)
				default:
					continue
				}
				if addr != next {
					t.Fatalf("width %d from %#x: row at %#x, want %#x", width, start, addr, next)
				}
				next += n
			}
			if next != start+count*uint64(width) {
				t.Errorf("width %d from %#x: ends at %#x", width, start, next)
			}
		}
	}
}

func TestRdSave(t *testing.T) {
	name := filepath.Join(t.TempDir(), "out")
	r := repltest.Run(t, All(tiny(t)), repl.Options{}, "rd -r "+name+" linux_banner 13")
	b, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(b, []byte("Linux version")) {
		t.Errorf("%q, %v", b, err)
	}
	if want := "13 bytes copied from 0xffffffffbea474a0 to " + name + "\n"; r.Out != want {
		t.Errorf("%q", r.Out)
	}
	p, _ := excluded(t)
	r = repltest.Run(t, All(tiny(t)), repl.Options{}, fmt.Sprintf("rd -p -r %s %x 100", name, p-10))
	if b, _ := os.ReadFile(name); len(b) != 10 || !strings.Contains(r.Err, "after 10 bytes: ") {
		t.Errorf("%d bytes, %+v", len(b), r)
	}
	r = repltest.Run(t, All(tiny(t)), repl.Options{Restricted: true}, "rd -r "+name+" linux_banner 13")
	if r.Status != 1 {
		t.Errorf("restricted: %+v", r)
	}
}
