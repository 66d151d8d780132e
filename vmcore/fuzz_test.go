package vmcore_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/vmcore"
	"github.com/kdive/kdive/vmcore/vmcoretest"
)

// tiny is a memory whose files are short enough for a fuzzer.
func tiny() *vmcoretest.Memory {
	m := &vmcoretest.Memory{VMCoreInfo: "OSRELEASE=6\n"}
	for pfn := range uint64(3) {
		m.Write(pfn*page, bytes.Repeat([]byte{byte(pfn), 1, 2}, 100))
	}
	m.Exclude(3, 4)
	m.Notes = []vmcoretest.Note{vmcoretest.QEMUState{CR3: 1}.Note()}
	return m
}

// fuzz opens the files, written to dir, and reads about.
func fuzz(t *testing.T, dir string, files ...[]byte) {
	d, err := vmcore.Open(rewrite(t, dir, files...))
	if err != nil {
		return
	}
	defer d.Close()
	runs, last := 0, uint64(0)
	for run := range d.Runs() {
		if run.Start >= run.End || run.Start < last {
			t.Fatalf("run %x after %#x", run, last)
		}
		if last = run.End; runs == 1000 {
			break
		}
		runs++
		read(t, d, run.Start)
		read(t, d, run.End-1)
	}
	for _, paddr := range []uint64{0, 1, 2 * page, 3*page + 5, d.Info().MaxPhys, 1 << 40, ^uint64(0)} {
		read(t, d, paddr)
	}
	_ = d.EraseInfo()
	for _, n := range d.Notes() {
		_ = len(n.Desc)
	}
}

// rewrite writes files to the same paths every time: a fuzzer runs one input
// after the other.
func rewrite(t *testing.T, dir string, files ...[]byte) (paths []string) {
	for i, b := range files {
		path := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func read(t *testing.T, d *vmcore.Dump, paddr uint64) {
	var b [32]byte
	if err := d.ReadPhys(b[:], paddr); err != nil && fault.ReasonOf(err) == 0 {
		t.Fatalf("%#x: %v is no fault", paddr, err)
	}
	d.State(paddr)
}

func FuzzELF(f *testing.F) {
	f.Add(tiny().ELF(vmcoretest.HeadersFirst, nil))
	f.Add(tiny().ELF(vmcoretest.SectionsFirst, nil))
	f.Add(tiny().ELF(vmcoretest.ExtendedNumbers, nil))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) { fuzz(t, dir, append([]byte("\x7fELF"), b[min(4, len(b)):]...)) })
}

func FuzzKdump(f *testing.F) {
	for _, c := range vmcoretest.Codecs {
		f.Add(tiny().Kdump(vmcoretest.Kdump{Codec: c}))
	}
	f.Add(tiny().Kdump(vmcoretest.Kdump{Version: 3, ZeroPage: true}))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) { fuzz(t, dir, append([]byte("KDUMP   "), b[min(8, len(b)):]...)) })
}

func FuzzSplit(f *testing.F) {
	a := vmcoretest.Kdump{Split: true, End: 2}
	b := vmcoretest.Kdump{Split: true, Start: 2, End: 5}
	f.Add(tiny().Kdump(a), tiny().Kdump(b))
	f.Add(vmcoretest.Flatten(vmcoretest.Records(tiny().Kdump(b), 5000)), tiny().Kdump(a))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, a, b []byte) { fuzz(t, dir, a, b) })
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01"))
	f.Add([]byte("KDUMP   "))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, format, err := vmcore.Sniff(rewrite(t, dir, b)[0]); err != nil || format == "" {
			t.Fatalf("%q, %v", format, err)
		}
	})
}
