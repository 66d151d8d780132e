package vmcore_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/kdive/kdive/vmcore"
	"github.com/kdive/kdive/vmcore/vmcoretest"
)

// tebibyte writes a sparse dump of 1 TiB of RAM, of which every page is said
// to be in the dump; the pages returned have bytes.
func tebibyte(t testing.TB) (path string, pages map[uint64][]byte) {
	t.Helper()
	const (
		frames  = 1 << 28
		bitmap  = frames / 8
		bitmaps = 2 * page // where they start: header, sub-header
		table   = bitmaps + 2*bitmap
		data    = table + 24*frames
	)
	small := &vmcoretest.Memory{VMCoreInfo: sampleInfo}
	small.Write(0, []byte{1})
	head := small.Kdump(vmcoretest.Kdump{})[:2*page]
	le := binary.LittleEndian
	le.PutUint32(head[436:], 2*bitmap/page)
	le.PutUint32(head[440:], frames)
	le.PutUint64(head[page+96:], frames)

	path = filepath.Join(t.TempDir(), "sparse")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	put := func(b []byte, at int64) {
		if _, err := f.WriteAt(b, at); err != nil {
			t.Skip(err) // no room, or no sparse files
		}
	}
	put(head, 0)
	ones := bytes.Repeat([]byte{0xff}, 1<<20)
	for at := int64(0); at < 2*bitmap; at += int64(len(ones)) {
		put(ones, bitmaps+at)
	}
	pages = map[uint64][]byte{}
	for i, pfn := range []uint64{0, 1, 4095, 4096, frames / 2, frames - 2, frames - 1} {
		p := bytes.Repeat([]byte(fmt.Sprintf("page %d ", i)), page)[:page]
		pages[pfn] = p
		at := data + int64(pfn)*page // as if no page compressed
		d := make([]byte, 24)
		le.PutUint64(d, uint64(at))
		le.PutUint32(d[8:], page)
		put(d, table+24*int64(pfn))
		put(p, at)
	}
	return path, pages
}

// resident returns fields of /proc/self/status in bytes.
func resident(t testing.TB, field string) uint64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	t.Skip("no " + field)
	return 0
}

// A dump of 1 TiB costs at most 100 MiB of resident memory to open, mapped
// pages of the file included.
func TestOpenTebibyte(t *testing.T) {
	path, pages := tebibyte(t)
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // resets VmHWM
		t.Skip(err)
	}
	before := resident(t, "VmHWM")
	d, err := vmcore.Open([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	peak := resident(t, "VmHWM")
	if peak-before > 100<<20 {
		t.Errorf("opening costs %d MiB", (peak-before)>>20)
	}
	if d.Info().MaxPhys != 1<<40 || len(d.Warnings()) != 0 {
		t.Errorf("%+v, warnings %q", d.Info(), d.Warnings())
	}
	for pfn, want := range pages {
		got := make([]byte, page)
		if err := d.ReadPhys(got, pfn*page); err != nil || !bytes.Equal(got, want) {
			t.Errorf("frame %#x: %v", pfn, err)
		}
	}
	runs := 0
	for run := range d.Runs() {
		if runs++; run.End != 1<<40 {
			t.Errorf("run %x", run)
		}
	}
	t.Logf("opening costs %d KiB; resident are %d MiB, %d of them anonymous", (peak-before)>>10, peak>>20, resident(t, "RssAnon")>>20)
}

func BenchmarkOpenTebibyte(b *testing.B) {
	path, _ := tebibyte(b)
	for b.Loop() {
		d, err := vmcore.Open([]string{path})
		if err != nil {
			b.Fatal(err)
		}
		d.Close()
	}
}
