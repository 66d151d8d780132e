package index

import (
	"bytes"
	"debug/elf"
	"slices"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/elffile"
)

// Symbols is a symbol table in two orders.
type Symbols struct {
	addrs, index   []byte
	buckets, names []byte
}

// wanted leaves out what names no place: undefined symbols, files, sections.
func wanted(s *elffile.Symbol) bool {
	if len(s.Name) == 0 || s.Undefined() {
		return false
	}
	t := elf.ST_TYPE(s.Info)
	return t != elf.STT_FILE && t != elf.STT_SECTION
}

// SortSymbols orders a symbol table by address and by name.
func SortSymbols(t *elffile.SymbolTable) *Symbols {
	keys := make([]key, 0, t.Len())
	hashes := make([]uint64, 0, t.Len())
	for i, s := range t.All() {
		if wanted(&s) {
			keys = append(keys, key{t.Addr(&s), uint32(i)})
			hashes = append(hashes, die.Hash(s.Name))
		}
	}
	out := &Symbols{}
	order, starts := distribute(len(keys), func(i int) uint64 { return hashes[i] })
	out.buckets = make([]byte, 0, 4*len(starts))
	for _, s := range starts {
		out.buckets = le.AppendUint32(out.buckets, s)
	}
	out.names = make([]byte, 0, 8*len(keys))
	for _, i := range order {
		out.names = le.AppendUint32(out.names, uint32(hashes[i]))
		out.names = le.AppendUint32(out.names, keys[i].index)
	}
	keys = sortKeys(keys)
	name := func(k key) []byte { s := t.At(int(k.index)); return s.Name }
	for run := keys; len(run) > 0; { // few symbols share an address
		n := 1
		for n < len(run) && run[n].addr == run[0].addr {
			n++
		}
		if n > 1 {
			slices.SortStableFunc(run[:n], func(a, b key) int { return bytes.Compare(name(a), name(b)) })
		}
		run = run[n:]
	}
	out.addrs = make([]byte, 0, 8*len(keys))
	out.index = make([]byte, 0, 4*len(keys))
	for _, k := range keys {
		out.addrs = le.AppendUint64(out.addrs, k.addr)
		out.index = le.AppendUint32(out.index, k.index)
	}
	return out
}

// Symbols is the number of symbols.
func (x *Index) Symbols() int { return len(x.table(tSymIndex)) / 4 }

// Symbol is the address and the index in the symbol table of symbol i in the
// order of addresses; symbols of one address are in the order of their names.
func (x *Index) Symbol(i int) (addr uint64, index int) {
	return u64(x.table(tSymAddrs), i), int(u32(x.table(tSymIndex), i))
}

// SymbolAfter is the number of symbols with addresses up to addr.
func (x *Index) SymbolAfter(addr uint64) int {
	t := x.table(tSymAddrs)
	lo, hi := 0, len(t)/8
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if le.Uint64(t[mid*8:]) <= addr {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// SymbolNames is the indexes in the symbol table of symbols whose names may be
// name, in the order of the table.
func (x *Index) SymbolNames(name string) []int {
	hash := die.Hash([]byte(name))
	first, end := bucket(x.table(tSymBuckets), hash)
	t := x.table(tSymNames)
	end = min(end, len(t)/8)
	var list []int
	for i := first; i < end; i++ {
		if le.Uint32(t[i*8:]) == uint32(hash) {
			list = append(list, int(le.Uint32(t[i*8+4:])))
		}
	}
	return list
}

// key is a symbol's address and its index in the symbol table.
type key struct {
	addr  uint64
	index uint32
}

// sortKeys sorts by address, digit after digit of 16 bits; equal ones stay in order.
// Most digits of a kernel's addresses have few values, so that this costs a fraction of
// comparing.
func sortKeys(keys []key) []key {
	other := make([]key, len(keys))
	next := make([]uint32, 1<<16)
	for shift := 0; shift < 64; shift += 16 {
		clear(next)
		for i := range keys {
			next[uint16(keys[i].addr>>shift)]++
		}
		if len(keys) == 0 || int(next[uint16(keys[0].addr>>shift)]) == len(keys) {
			continue
		}
		sum := uint32(0)
		for d, n := range next {
			next[d], sum = sum, sum+n
		}
		for _, k := range keys {
			d := uint16(k.addr >> shift)
			other[next[d]] = k
			next[d]++
		}
		keys, other = other, keys
	}
	return keys
}
