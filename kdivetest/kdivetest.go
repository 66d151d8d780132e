// Package kdivetest opens the bundled dump for tests, and damages its memory.
//
// It knows where testdata/tiny is and which of its tasks ran; what is in the dump
// is the tests' business. Commands are tested with repltest, models on fake
// kernels with kerneltest. Start from Open.
package kdivetest

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
)

// Options are those that open the bundled dump; the unpacked kernel and its index
// go into the directory cache.
func Options(cache string) kdive.Options {
	dir := bundled()
	return kdive.Options{
		Files:      []string{filepath.Join(dir, "vmlinux.zst"), filepath.Join(dir, "vmcore.kdump")},
		ModuleDirs: []string{dir},
		Cache:      cache,
	}
}

// bundled is the directory of the dump, in the working directory of a test or above.
func bundled() string {
	tiny := filepath.Join("testdata", "tiny")
	for up := ""; len(up) < 64; up = filepath.Join(up, "..") {
		if _, err := os.Stat(filepath.Join(up, tiny, "vmcore.kdump")); err == nil {
			return filepath.Join(up, tiny)
		}
	}
	return tiny // opening it says what is missing
}

// Open opens the bundled dump until the test ends.
func Open(t testing.TB) *kdive.Target {
	t.Helper()
	return OpenAs(t, Options(t.TempDir()))
}

// OpenAs opens what the options name until the test ends.
func OpenAs(t testing.TB, opt kdive.Options) *kdive.Target {
	t.Helper()
	o, err := kdive.Open(context.Background(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// Threads are the tasks of a kernel in the order of its table, as the unwinder
// takes them, and how to unwind them. Each has its stack pointer, also those that ran.
func Threads(t testing.TB, k *kernel.Kernel) (*task.Table, []unwind.Thread, unwind.Config) {
	t.Helper()
	table, err := task.Load(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	config := unwind.Config{StackSize: table.StackSize(), Running: make([]unwind.Thread, len(table.Current))}
	threads := make([]unwind.Thread, len(table.Tasks))
	for i, x := range table.Tasks {
		h := unwind.Thread{Addr: x.Addr, Stack: x.Stack, CPU: x.CPU, PID: x.PID}
		if x.Stack != 0 {
			h.SP, _ = table.StackPointer(x) // a bad one shows when it is used
		}
		for cpu, y := range table.Current {
			if y == x {
				h.CPU, h.Running = cpu, true
				config.Running[cpu] = h
			}
		}
		threads[i] = h
	}
	return table, threads, config
}

// Damaged is a kernel with some bytes of its memory overwritten, by address.
type Damaged struct {
	*kernel.Kernel
	Bytes map[uint64]byte
}

// Damage is a kernel that can be damaged and is whole yet.
func Damage(k *kernel.Kernel) *Damaged { return &Damaged{k, map[uint64]byte{}} }

// Put overwrites the first n bytes at an address, of a little-endian word.
func (d *Damaged) Put(addr, v uint64, n int) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	for i := range n {
		d.Bytes[addr+uint64(i)] = b[i]
	}
}

// Read implements value.Memory. Memory that cannot be read stays so.
func (d *Damaged) Read(p []byte, addr uint64) error {
	if err := d.Kernel.Read(p, addr); err != nil {
		return err
	}
	for at, b := range d.Bytes {
		if off := at - addr; off < uint64(len(p)) {
			p[off] = b
		}
	}
	return nil
}
