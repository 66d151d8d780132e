package ctype

// Find looks a member up by name, as C does: the members of anonymous structs
// and unions are members of the enclosing type. The Offset of the result counts
// from the start of t. t may be a typedef of, or qualified, struct or union.
func (t *Type) Find(name string) (Member, bool) {
	if t == nil || name == "" {
		return Member{}, false
	}
	budget := maxFind
	return t.find(name, 0, &budget)
}

// maxFind bounds how many anonymous members one Find looks into: a damaged type
// that contains itself twice would double the work at every level.
const maxFind = 10000

func (t *Type) find(name string, depth int, budget *int) (Member, bool) {
	u := t.Underlying()
	*budget--
	if u.kind != Struct && u.kind != Union || depth > maxDepth || *budget < 0 {
		return Member{}, false
	}
	members := u.Members()
	for _, m := range members {
		if m.Name == name {
			return m, true
		}
	}
	for _, m := range members {
		if m.Name != "" || m.BitSize != 0 || m.Type == nil {
			continue
		}
		if in, ok := m.Type.find(name, depth+1, budget); ok {
			in.Offset += m.Offset
			return in, true
		}
	}
	return Member{}, false
}

// EnumName is the name of the enumerator of t with value v.
func (t *Type) EnumName(v int64) (string, bool) {
	for _, e := range t.Underlying().Enumerators() {
		if e.Value == v {
			return e.Name, true
		}
	}
	return "", false
}

// FlagEnum reports whether the enumerators of t are bits to be combined, as gdb
// decides: each is zero or a single bit.
func (t *Type) FlagEnum() bool {
	u := t.Underlying()
	if u.kind != Enum {
		return false
	}
	for _, e := range u.Enumerators() {
		if e.Value < 0 || e.Value&(e.Value-1) != 0 {
			return false
		}
	}
	return true
}
