package vmcore_test

import (
	"bytes"
	"encoding/binary"
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

// patch applies a fuzzer's edits to a well-formed file: each is four bytes of
// place and eight to put there. Files are too long to be a fuzzer's input, and
// most of their bytes are pages. Then all but cut bytes are cut off.
func patch(file, edits []byte, cut uint32) []byte {
	file = bytes.Clone(file)
	for ; len(edits) >= 12; edits = edits[12:] {
		at := int(binary.LittleEndian.Uint32(edits)) % len(file)
		copy(file[at:], edits[4:12])
	}
	return file[:min(int(cut), len(file))]
}

func edit(at uint32, v uint64) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, at), v)
}

const whole = 1 << 30

func FuzzELF(f *testing.F) {
	files := [][]byte{
		tiny().ELF(vmcoretest.HeadersFirst, nil),
		tiny().ELF(vmcoretest.SectionsFirst, nil),
		tiny().ELF(vmcoretest.ExtendedNumbers, nil),
	}
	for i := range files {
		f.Add(uint8(i), []byte{}, uint32(whole))
		f.Add(uint8(i), edit(64+56+8, 1<<63), uint32(5000))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, which uint8, edits []byte, cut uint32) {
		fuzz(t, dir, patch(files[int(which)%len(files)], edits, cut))
	})
}

func FuzzKdump(f *testing.F) {
	files := [][]byte{
		tiny().Kdump(vmcoretest.Kdump{Version: 3, ZeroPage: true}),
		tiny().Kdump(vmcoretest.Kdump{Diskdump: true}),
	}
	for _, name := range []string{"raw", "zlib", "lzo", "snappy", "zstd"} {
		files = append(files, tiny().Kdump(vmcoretest.Kdump{Codec: vmcoretest.Codecs[name]}))
	}
	for i, file := range files {
		f.Add(uint8(i), []byte{}, uint32(whole))
		f.Add(uint8(i), edit(page+96, 1<<40), uint32(whole))
		f.Add(uint8(i), edit(uint32(dataStart(file)), 12345), uint32(len(file)-100))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, which uint8, edits []byte, cut uint32) {
		fuzz(t, dir, patch(files[int(which)%len(files)], edits, cut))
	})
}

func FuzzSplit(f *testing.F) {
	a := tiny().Kdump(vmcoretest.Kdump{Split: true, End: 2})
	b := tiny().Kdump(vmcoretest.Kdump{Split: true, Start: 2, End: 5})
	f.Add(edit(page+80, 1), []byte{}, uint32(whole), uint32(whole))
	f.Add([]byte{}, edit(page+88, 4), uint32(whole), uint32(20000))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, editsA, editsB []byte, cutA, cutB uint32) {
		fuzz(t, dir, patch(a, editsA, cutA), patch(b, editsB, cutB))
	})
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
