package debuginfo

import (
	"debug/dwarf"
	"errors"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/scan"
)

// defName is a name in one of C's name spaces.
type defName struct {
	kind scan.Kind
	name string
}

// defSet is the different definitions of one name. Headers are compiled
// thousands of times, and the scan keeps one entry of each place in the
// source; where entries remain whose shapes are equal too, they are one
// definition here.
type defSet struct {
	offs     []int          // one entry of each definition
	byKey    map[uint64]int // scan.Key -> index in offs
	declared int            // entry of a declaration, if there is no definition
}

// definitions of a name. It reads entries, never ctype.Types, so that types
// that are just being decoded may ask.
func (in *Info) definitions(kind scan.Kind, name string) (*defSet, error) {
	key := defName{kind, name}
	in.mu.Lock()
	set := in.defs[key]
	in.mu.Unlock()
	if set != nil {
		return set, nil
	}
	x, err := in.index()
	if err != nil {
		return nil, err
	}
	d, err := in.sections()
	if err != nil {
		return nil, err
	}
	set = &defSet{byKey: make(map[uint64]int)}
	shapes := make(map[uint64]int)
	for _, r := range x.Lookup(&d.Sections, name) {
		if r.Kind != kind {
			continue
		}
		if r.Flags&scan.Declared != 0 {
			set.declared = r.Off
			continue
		}
		s, err := in.shapeAt(r.Off)
		if err != nil {
			s = uint64(r.Off)
		}
		i, ok := shapes[s]
		if !ok {
			i = len(set.offs)
			set.offs = append(set.offs, r.Off)
			shapes[s] = i
		}
		set.byKey[r.Key] = i
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.defs[key] = set
	return set, nil
}

// canonical is the entry that stands for the definition at e: the same for the
// same definition in every unit, and a definition where e is a declaration
// of a name that has exactly one.
func (in *Info) canonical(u *unit, e *die.Entry) (int, error) {
	kind, name := kindOf(e.Tag), e.Name()
	if kind == scan.None || name == "" {
		return e.Off, nil
	}
	set, err := in.definitions(kind, name)
	if err != nil {
		return e.Off, err
	}
	if e.Flag(dwarf.AttrDeclaration) {
		if len(set.offs) == 1 {
			return set.offs[0], nil
		}
		return e.Off, nil
	}
	if i, ok := set.byKey[in.key(u, e, kind)]; ok {
		return set.offs[i], nil
	}
	return e.Off, nil
}

// key is what the scan computes for an entry that defines a type.
func (in *Info) key(u *unit, e *die.Entry, kind scan.Kind) uint64 {
	size, _ := e.Uint(dwarf.AttrByteSize)
	file, _ := e.Uint(dwarf.AttrDeclFile)
	line, _ := e.Uint(dwarf.AttrDeclLine)
	column, _ := e.Uint(dwarf.AttrDeclColumn)
	if kind == scan.Base {
		enc, _ := e.Uint(dwarf.AttrEncoding)
		size |= enc << 32
	}
	var id uint64
	if line != 0 && file < uint64(len(u.ids)) {
		id = u.ids[file]
	}
	return scan.Key(kind, size, id, line, column, u.Off)
}

func kindOf(t dwarf.Tag) scan.Kind {
	switch t {
	case dwarf.TagStructType, dwarf.TagClassType:
		return scan.Struct
	case dwarf.TagUnionType:
		return scan.Union
	case dwarf.TagEnumerationType:
		return scan.Enum
	case dwarf.TagTypedef:
		return scan.Typedef
	case dwarf.TagBaseType:
		return scan.Base
	}
	return scan.None
}

// maxShape bounds nesting of what a shape looks at, maxShapeWork the number of
// entries. A shape that would need more differs from every other.
const (
	maxShape     = 24
	maxShapeWork = 1 << 17
)

type shaper struct{ left int }

var errShape = errors.New("type too large to compare")

// shapeAt is a digest of the layout that an entry describes: members with
// names, places and types, the types of members by name.
func (in *Info) shapeAt(off int) (uint64, error) {
	e, _, err := in.entry(off)
	if err != nil {
		return 0, err
	}
	s := shaper{left: maxShapeWork}
	return s.shape(&e, 0)
}

// shapeAttrs are the attributes that make up a layout.
var shapeAttrs = [...]dwarf.Attr{
	dwarf.AttrByteSize, dwarf.AttrBitSize, dwarf.AttrBitOffset, dwarf.AttrDataBitOffset, dwarf.AttrDataMemberLoc,
	dwarf.AttrUpperBound, dwarf.AttrCount, dwarf.AttrConstValue, dwarf.AttrEncoding,
}

// shape of an entry: its own attributes, its type, its children.
func (sh *shaper) shape(e *die.Entry, depth int) (uint64, error) {
	if sh.left--; sh.left < 0 {
		return 0, errShape
	}
	h := uint64(e.Tag)
	if depth > 0 && kindOf(e.Tag) != scan.None {
		if name := e.Name(); name != "" {
			return die.Mix(h, die.Hash([]byte(name))), nil
		}
	}
	if depth > maxShape {
		return h, nil
	}
	h = die.Mix(h, die.Hash([]byte(e.Name())))
	for i, a := range shapeAttrs {
		if v, ok := e.Attr(a); ok {
			if v.IsBlock() {
				v.U = die.Hash(v.Block)
			}
			h = die.Mix(h, v.U+uint64(i))
		}
	}
	if t, ok, err := e.Ref(dwarf.AttrType); err != nil {
		return 0, err
	} else if ok && t.Valid() {
		s, err := sh.shape(&t, depth+1)
		if err != nil {
			return 0, err
		}
		h = die.Mix(h, s)
	}
	for c, err := range e.Kids() {
		if err != nil {
			return 0, err
		}
		s, err := sh.shape(&c, depth+1)
		if err != nil {
			return 0, err
		}
		h = die.Mix(h, s)
	}
	return h, nil
}
