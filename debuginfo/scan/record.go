package scan

import (
	"github.com/kdive/kdive/debuginfo/die"
)

// Key tells apart the definitions of one kind and name: where in the source
// they stand and how large they are. Source files that several units include
// are made to be compiled differently (fs/binfmt_elf.c), so a definition in one
// (file is odd, see line.FileIDs) counts once per unit. It is part of the
// stored index.
func Key(kind Kind, size, file, line, column uint64, unit int) uint64 {
	if file&1 != 0 {
		file += uint64(unit) << 1
	}
	return die.Mix(die.Mix(uint64(kind)<<56^size, file), line<<16^column)
}

// uniqueKey is for what must never be taken for a repetition.
func uniqueKey(off int) uint64 { return die.Mix(0x5eed, uint64(off)) }

func (f *fields) key(w *worker, kind Kind) uint64 {
	var file uint64
	if f[fLine] != 0 && f[fFile] < uint64(len(w.files)) {
		file = w.files[f[fFile]]
	}
	size := f[fSize]
	if kind == Base {
		size |= f[fEncoding] << 32
	}
	return Key(kind, size, file, f[fLine], f[fColumn], w.root.Off)
}

// record notes an entry at start; false if it is a repetition or has no name.
// Enumerations without a name count, as their enumerators have one.
func (w *worker) record(p *program, f *fields, start int) bool {
	r := Record{Off: uint32(start), Kind: p.kind}
	switch p.kind {
	case Struct, Union, Enum:
		if f[fDeclared] != 0 {
			r.Flags = Declared
			r.Key = Key(p.kind, 0, 0, 0, 0, 0)
			break
		}
		r.Key = f.key(w, p.kind)
	case Typedef, Base:
		r.Key = f.key(w, p.kind)
	case Variable, Function:
		if f[fOrigin] != 0 && f[fName] == 0 && !w.origin(p, f) {
			return false
		}
		switch {
		case p.located && !p.inline:
			r.Flags, r.Key = Located, uniqueKey(start)
		default:
			if f[fDeclared] != 0 {
				r.Flags = Declared
			}
			r.Key = f.key(w, p.kind) + uint64(r.Flags)
		}
	default:
		return false
	}
	if f[fName] == 0 && p.kind != Enum {
		return false
	}
	return w.add(f, r)
}

// maxOrigin bounds chains of DW_AT_specification and DW_AT_abstract_origin.
const maxOrigin = 4

// origin takes the name from the entry that this one completes.
func (w *worker) origin(p *program, f *fields) bool {
	b := w.d.Info[:w.root.End]
	for range maxOrigin {
		off := int(min(f[fOrigin], 1<<32))
		if p.refAddr {
			return w.farOrigin(off, f)
		}
		off += w.root.Off
		if off < w.root.First || off >= len(b) {
			return false
		}
		code, pos := leb(b, off)
		if pos < 0 {
			return false
		}
		var o fields
		if p = w.compiler.program(code); p == nil || w.run(p, b, pos, &o) < 0 {
			return false
		}
		if o[fName] != 0 {
			f[fName] = o[fName]
			return true
		}
		if f[fOrigin] = o[fOrigin]; o[fOrigin] == 0 {
			return false
		}
	}
	return false
}

// farOrigin takes the name from an entry of another unit.
func (w *worker) farOrigin(off int, f *fields) bool {
	u, err := w.d.UnitOf(off)
	if err != nil {
		return false
	}
	e, err := u.Entry(off)
	if err != nil || !e.Valid() {
		return false
	}
	ref, err := e.NameRef()
	f[fName] = uint64(ref)
	return err == nil && ref != 0
}

// add notes a record unless its like was noted before.
func (w *worker) add(f *fields, r Record) bool {
	if r.Flags&Located == 0 && !w.seen.insert(die.Mix(f[fName], r.Key)+uint64(r.Kind)) {
		return false
	}
	r.Name = die.StrRef(f[fName])
	if f[fName]&inlineName != 0 {
		r.Name = die.InfoRef(w.nameOff)
	}
	r.Hash = die.Hash(w.d.String(r.Name))
	if f[fName] != 0 && w.count < maxRecords {
		w.records[PartOf(r.Hash)].add(&r)
		w.count++
	}
	return true
}

// table is a set of digests.
type table struct {
	slots []uint64
	used  int
}

// insert adds a digest; false if it is there already.
func (t *table) insert(h uint64) bool {
	if h == 0 {
		h = 1
	}
	if t.used*4 >= len(t.slots)*3 {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		switch t.slots[i] {
		case h:
			return false
		case 0:
			t.slots[i] = h
			t.used++
			return true
		}
	}
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]uint64, max(1<<12, 4*len(old)))
	// A page that is read before it is written costs a second fault, and a message to
	// all processors.
	for i := 0; i < len(t.slots); i += 4096 / 8 {
		t.slots[i] = 0
	}
	mask := uint64(len(t.slots) - 1)
	for _, h := range old {
		if h == 0 {
			continue
		}
		i := h & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = h
	}
}

// chunks is a list that grows without copying.
type chunks struct {
	list [][]Record
}

const (
	firstChunk = 8
	maxChunk   = 128
	maxRecords = 1 << 21 // of one worker; kernels have 200,000 in all
)

func (c *chunks) add(r *Record) {
	n := len(c.list)
	if n == 0 || len(c.list[n-1]) == cap(c.list[n-1]) {
		c.list = append(c.list, make([]Record, 0, min(firstChunk<<min(n, 8), maxChunk)))
		n++
	}
	c.list[n-1] = append(c.list[n-1], *r)
}
