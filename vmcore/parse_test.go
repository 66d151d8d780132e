package vmcore

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kdive/kdive/vmcore/vmcoretest"
)

func TestParseVMCoreInfo(t *testing.T) {
	v, err := ParseVMCoreInfo([]byte("OSRELEASE=6.1.0=x\nSYMBOL(a)=ffffffff81000000\nSYMBOL(b)=zz\nSIZE(page)=64\n" +
		"OFFSET(page.flags)=8\nLENGTH(arr)=11\nNUMBER(neg)=-129\nNUMBER(hex)=0x80000\nNUMBER(big)=18446744073709551615\nSIZE(page)=65\n\x00junk"))
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := v.Get("OSRELEASE"); s != "6.1.0=x" || !ok {
		t.Errorf("OSRELEASE %q", s)
	}
	if a, ok := v.Symbol("a"); a != 0xffffffff81000000 || !ok {
		t.Errorf("a %#x", a)
	}
	for _, name := range []string{"b", "absent"} {
		if _, ok := v.Symbol(name); ok {
			t.Errorf("%s is a symbol", name)
		}
	}
	type get func(string) (int64, bool)
	for _, tt := range []struct {
		get  get
		name string
		want int64
	}{{v.Size, "page", 64}, {v.Offset, "page.flags", 8}, {v.Length, "arr", 11}, {v.Number, "neg", -129}, {v.Number, "hex", 0x80000}, {v.Number, "big", -1}} {
		if n, ok := tt.get(tt.name); n != tt.want || !ok {
			t.Errorf("%s: %d", tt.name, n)
		}
		if _, ok := tt.get("absent"); ok {
			t.Errorf("absent is there")
		}
	}
	if k := v.Keys(); len(k) != 9 || k[0] != "OSRELEASE" || k[8] != "NUMBER(big)" || bytes.Contains(v.Raw(), []byte("junk")) {
		t.Errorf("keys %q", k)
	}
	for _, bad := range []string{"", "\x00", "no key", "\xff\xfe=\x01", strings.Repeat("A=1\n", 1<<19)} {
		if v, err := ParseVMCoreInfo([]byte(bad)); err == nil || v != nil {
			t.Errorf("%.10q: %v, %v", bad, v, err)
		}
	}
}

func TestParseNotes(t *testing.T) {
	three := []Note{{"A", 1, []byte("abc")}, {"", 2, []byte{}}, {"LONGER", 3, []byte("12345")}}
	var b []byte
	b = append(b, "\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00A\x00\x00\x00abc\x00"...)
	b = append(b, make([]byte, 12)...) // an empty note
	b = append(b, "\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00"...)
	b = append(b, "\x07\x00\x00\x00\x05\x00\x00\x00\x03\x00\x00\x00LONGER\x00\x0012345\x00\x00\x00"...)
	got, err := parseNotes(b)
	if err != nil || !reflect.DeepEqual(got, three) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := parseNotes(b[:len(b)-3]); err != nil || len(got) != 3 { // padding of the last
		t.Errorf("without padding: %d, %v", len(got), err)
	}
	for _, n := range []int{3, 15, 18, len(b) - 5} {
		if _, err := parseNotes(b[:n]); err == nil {
			t.Errorf("cut at %d: no error", n)
		}
	}
}

func TestTooManyCPUs(t *testing.T) {
	notes := make([]Note, 3*maxCPUs)
	for i := range notes {
		notes[i] = Note{Name: "CORE", Type: NTPRStatus}
	}
	cpus, damaged := parseCPUs(notes)
	if len(cpus) != maxCPUs || len(damaged) != maxCPUs+1 {
		t.Errorf("%d CPUs, %d damaged", len(cpus), len(damaged))
	}
	d := &Dump{}
	d.addNotes(notes, nil)
	if len(d.Warnings()) != maxNoteWarnings+1 {
		t.Errorf("%d warnings", len(d.Warnings()))
	}
}

func TestSniff(t *testing.T) {
	m := &vmcoretest.Memory{}
	m.Write(0, []byte("x"))
	exe := m.ELF(0, nil)
	exe[16] = 2
	for want, b := range map[string][]byte{
		"+ELF core":                m.ELF(0, nil),
		"+compressed kdump":        m.Kdump(vmcoretest.Kdump{}),
		"+flattened dump":          vmcoretest.Flatten(nil),
		"-ELF executable":          exe,
		"-cut-off ELF file":        exe[:10],
		"-file compressed with xz": []byte("\xfd7zXZ\x00..."),
		"-empty file":              {},
		"-file of unknown format":  []byte("crash> "),
	} {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		is, format, err := Sniff(path)
		if err != nil || is != (want[0] == '+') || format != want[1:] {
			t.Errorf("%s: %v %q %v", want, is, format, err)
		}
	}
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "absent"), "/dev/null"} {
		if _, _, err := Sniff(path); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}

func FuzzParseNotes(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00A\x00\x00\x00abc\x00"))
	q := vmcoretest.QEMUState{CR3: 1}.Note()
	f.Add(append([]byte("\x05\x00\x00\x00\xb8\x01\x00\x00\x00\x00\x00\x00QEMU\x00\x00\x00\x00"), q.Desc...))
	f.Fuzz(func(t *testing.T, b []byte) {
		notes, _ := parseNotes(b)
		total := 0
		for _, n := range notes {
			total += len(n.Name) + len(n.Desc)
		}
		if total > len(b) {
			t.Fatalf("%d bytes of notes from %d", total, len(b))
		}
		parseCPUs(notes)
	})
}

func FuzzParseVMCoreInfo(f *testing.F) {
	f.Add([]byte("OSRELEASE=6.1.0\nSYMBOL(_stext)=ffffffff81000000\nNUMBER(phys_base)=-1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := ParseVMCoreInfo(b)
		if v == nil {
			if err == nil {
				t.Fatal("neither result nor error")
			}
			return
		}
		for _, k := range v.Keys() {
			if _, ok := v.Get(k); !ok {
				t.Fatalf("key %q has no value", k)
			}
		}
	})
}
