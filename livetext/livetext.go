// Package livetext explains why the code in a dump is not that of the vmlinux.
//
// The kernel patches its own code: alternatives for the CPU, jump labels, static
// calls, ftrace, paravirt, retpolines and return thunks, lock prefixes, and it
// moves what is absolute with KASLR. For each of these the linker left a table of
// sites; livetext reads the tables out of the vmlinux and, at every difference,
// checks that the site's code is what this patching makes of it. What no table
// and no check explains is reported as such. It knows nothing of how it is
// printed. Start from Load and Model.Diff.
package livetext

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/kdive/kdive/kernel"
)

// Kind is what patched a place.
type Kind uint8

// Kinds, in the order in which they are tried.
const (
	Unexplained Kind = iota
	Ftrace           // __mcount_loc
	JumpLabel        // __jump_table
	StaticCall       // .static_call_sites, and the trampolines of static calls
	Return           // .return_sites
	Retpoline        // .retpoline_sites
	LockPrefix       // .smp_locks
	Endbr            // .ibt_endbr_seal
	Constant         // runtime_ptr_*, runtime_shift_*: a variable's value as a constant
	Paravirt         // .parainstructions
	Alternative      // .altinstructions
	Relocation       // KASLR
	Unreadable       // not in the dump
)

var kindNames = [...]string{"unexplained", "ftrace", "jump label", "static call", "return thunk", "retpoline", "lock prefix", "endbr", "constant",
	"paravirt", "alternative", "relocation", "unreadable"}

func (k Kind) String() string { return kindNames[k] }

// Place is a difference. Addresses are run-time addresses.
type Place struct {
	Addr   uint64
	Kind   Kind
	Detail string
	File   []byte // what the vmlinux has, at its link-time address
	Dump   []byte
	Link   uint64 // link-time address of Addr
}

// Model is the tables of one kernel image.
type Model struct {
	k     *kernel.Kernel
	slide uint64 // run-time minus link-time address
	low   uint64 // link-time range of the code
	high  uint64
	sites []site // by address
	long  uint64 // size of the longest
	needs needs
	errs  []error
}

// site is a place that a table names, by its link-time address.
type site struct {
	addr  uint64
	size  uint64
	kind  Kind
	entry uint64 // of an alternative, a jump label, a static call: address of its entry; of a trampoline: of its key
}

type needs struct {
	textNeeds
	tableNeeds
}

type textNeeds struct {
	Text    kernel.Sym `need:"_stext|_text"`
	TextEnd kernel.Sym `need:"_etext"`
}

// Load reads the tables of the kernel image. A table that cannot be read leaves
// its places unexplained; Errors says why. There are hundreds of thousands of
// places: it takes part of a second.
func Load(ctx context.Context, k *kernel.Kernel) (*Model, error) {
	m := &Model{k: k}
	if err := errors.Join(k.Bind(&m.needs.textNeeds), k.Bind(&m.needs.tableNeeds)); err != nil {
		return nil, err
	}
	if k.Info == nil {
		return nil, kernel.ErrNoDebugInfo
	}
	_, link, err := k.InfoAt(uint64(m.needs.Text))
	if err != nil {
		return nil, err
	}
	m.slide = uint64(m.needs.Text) - link
	m.low, m.high = link, uint64(m.needs.TextEnd)-m.slide
	if m.high <= m.low || m.high-m.low > 1<<28 {
		return nil, fmt.Errorf("the kernel's code from %#x to %#x", m.low, m.high)
	}
	m.tables(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(m.sites, func(a, b site) int { return cmp.Compare(a.addr, b.addr) })
	for _, s := range m.sites {
		m.long = max(m.long, s.size)
	}
	return m, nil
}

// Errors are the tables that could not be read.
func (m *Model) Errors() []error { return m.errs }

// Text is the run-time range of the kernel image's code.
func (m *Model) Text() (low, high uint64) { return m.low + m.slide, m.high + m.slide }

// ErrOutside is the error for code that is not the kernel image's.
var ErrOutside = errors.New("not in the kernel image's code")

const chunk = 64 << 10

// Diff yields the differences between run-time addresses, in order.
func (m *Model) Diff(ctx context.Context, low, high uint64) iter.Seq2[Place, error] {
	return func(yield func(Place, error) bool) {
		low, high := low-m.slide, high-m.slide
		if low < m.low || high > m.high || low >= high {
			yield(Place{}, ErrOutside)
			return
		}
		for at := low; at < high; {
			if err := ctx.Err(); err != nil {
				yield(Place{}, err)
				return
			}
			next, err := m.part(at, min(at+chunk, high), yield)
			if err != nil {
				yield(Place{}, err)
				return
			}
			if next == 0 {
				return
			}
			at = next
		}
	}
}

// part yields the differences of [at, end) and returns where to go on, which is
// behind a place that began there; 0 if the caller has enough.
func (m *Model) part(at, end uint64, yield func(Place, error) bool) (uint64, error) {
	file, err := m.file(at, end-at)
	if err != nil {
		return 0, err
	}
	dump := make([]byte, len(file))
	if err := m.k.Read(dump, at+m.slide); err != nil {
		return m.pages(at, end, file, yield)
	}
	for pos := at; pos < end; {
		n := uint64(mismatch(file[pos-at:], dump[pos-at:]))
		if pos += n; pos >= end {
			return pos, nil
		}
		p := m.explain(pos)
		if !yield(p, nil) {
			return 0, nil
		}
		if pos = max(p.Link+uint64(len(p.File)), pos+1); pos > end {
			return pos, nil
		}
	}
	return end, nil
}

// pages goes through a part that cannot be read as a whole page by page.
func (m *Model) pages(at, end uint64, file []byte, yield func(Place, error) bool) (uint64, error) {
	if end-at > kernel.PageSize {
		for pos := at; pos < end; {
			next, err := m.part(pos, min((pos|(kernel.PageSize-1))+1, end), yield)
			if next == 0 || err != nil {
				return 0, err
			}
			pos = next
		}
		return end, nil
	}
	err := m.k.Read(make([]byte, 1), at+m.slide)
	p := Place{Addr: at + m.slide, Link: at, Kind: Unreadable, File: file}
	if err != nil {
		p.Detail = err.Error()
	}
	if !yield(p, nil) {
		return 0, nil
	}
	return end, nil
}

func mismatch(a, b []byte) int {
	const step = 64
	i := 0
	for i+step <= len(a) && bytes.Equal(a[i:i+step], b[i:i+step]) {
		i += step
	}
	for i < len(a) && a[i] == b[i] {
		i++
	}
	return i
}

// file reads n bytes of the vmlinux at a link-time address.
func (m *Model) file(link, n uint64) ([]byte, error) {
	b, err := m.k.Info.ReadStatic(link, int(n))
	if err == nil && uint64(len(b)) < n {
		err = fmt.Errorf("the vmlinux has %d bytes at %#x, not %d", len(b), link, n)
	}
	return b, err
}

// both reads n bytes at a link-time address from the file and the dump.
func (m *Model) both(link, n uint64) (file, dump []byte, ok bool) {
	file, err := m.file(link, n)
	if err != nil {
		return nil, nil, false
	}
	dump = make([]byte, n)
	return file, dump, m.k.Read(dump, link+m.slide) == nil
}
