package identify

import (
	"strconv"

	"github.com/kdive/kdive/ctype"
)

// Member is what lies at an offset of a type.
type Member struct {
	Path   string      // "vm_file", "thread.sp", "fd_array[3]"; "" for the whole of a type without members
	Type   *ctype.Type // of it
	Offset int64       // of the address in it
}

// maxVisits bounds the look into one type: a damaged one may contain itself.
const maxVisits = 4096

// MemberAt is the innermost member of t at an offset in bytes. Of the members of
// a union it is the one that begins nearest to the offset, a pointer if there is
// one; ok is false in padding, and beyond the type.
func MemberAt(t *ctype.Type, off int64) (Member, bool) {
	d := memberDescent{budget: maxVisits}
	d.visit(t, off, nil, 0)
	return d.best, d.found
}

// memberDescent looks for the best member.
type memberDescent struct {
	best   Member
	score  int
	found  bool
	budget int
}

const maxNesting = 24

func (d *memberDescent) visit(t *ctype.Type, off int64, path []byte, depth int) {
	if d.budget--; t == nil || d.budget < 0 || depth > maxNesting {
		return
	}
	u := t.Underlying()
	switch u.Kind() {
	case ctype.Struct, ctype.Union:
		d.members(u, off, path, depth)
	case ctype.Array:
		size := u.Elem().Size()
		if size <= 0 || u.Count() != ctype.Flexible && off/size >= u.Count() {
			return
		}
		at := strconv.AppendInt(append(path[:len(path):len(path)], '['), off/size, 10)
		d.visit(u.Elem(), off%size, append(at, ']'), depth+1)
	default:
		d.leaf(t, u, off, path)
	}
}

func (d *memberDescent) members(u *ctype.Type, off int64, path []byte, depth int) {
	for _, m := range u.Members() {
		if m.Type == nil || m.Name == "" && m.BitSize > 0 {
			continue
		}
		size := m.Type.Size()
		if a := m.Type.Underlying(); a.Kind() == ctype.Array && (a.Count() == ctype.Flexible || a.Count() == 0) {
			size = 1 << 40 // goes on behind the structure
		}
		if off < m.Offset || off-m.Offset >= size {
			continue
		}
		if m.BitSize > 0 && off-m.Offset > (m.BitOffset+m.BitSize-1)/8 {
			continue
		}
		to := path
		if m.Name != "" {
			if to = path[:len(path):len(path)]; len(path) > 0 {
				to = append(to, '.')
			}
			to = append(to, m.Name...)
		}
		d.visit(m.Type, off-m.Offset, to, depth+1)
	}
}

// leaf considers a member without members.
func (d *memberDescent) leaf(t, u *ctype.Type, off int64, path []byte) {
	if off >= max(u.Size(), 1) {
		return
	}
	score := 1
	if off == 0 {
		score += 4
	}
	if u.Kind() == ctype.Pointer {
		score += 2
	}
	if u.Size() == 8 {
		score++
	}
	if score > d.score {
		d.best, d.score, d.found = Member{string(path), t, off}, score, true
	}
}
