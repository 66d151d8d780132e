package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// typeSpec is the operand that names a structure and members of it, as in
// task_struct.pid,comm or task_struct@kernel/fork.c.
type typeSpec struct {
	name    string
	file    string   // "" for any
	members []string // as typed; none for all of it
}

func parseTypeSpec(text string) (typeSpec, error) {
	var s typeSpec
	front, file, _ := strings.Cut(text, "@")
	// Members may stand in front of the file or, as habit has it, at the end.
	for _, ext := range [...]string{".c.", ".h.", ".S."} {
		if i := strings.Index(file, ext); i >= 0 {
			front += "." + file[i+len(ext):]
			file = file[:i+2]
			break
		}
	}
	name, members, dotted := strings.Cut(front, ".")
	s.name, s.file = name, file
	if dotted {
		s.members = strings.Split(members, ",")
	}
	if name == "" || slices.Contains(s.members, "") {
		return s, fmt.Errorf("%s is not the name of a structure with members", text)
	}
	return s, nil
}

// String is the spec as kdive spells it, without the members.
func (s typeSpec) String() string {
	if s.file != "" {
		return s.name + "@" + s.file
	}
	return s.name
}

// aggregate finds the struct, union or typedef of one that s names; keyword
// ("struct", "union") says which comes first. Modules are asked, too.
func (t *Target) aggregate(keyword string, s typeSpec) (*ctype.Type, error) {
	k, err := t.kernel()
	if err != nil {
		return nil, err
	}
	other := "union"
	if keyword == "union" {
		other = "struct"
	}
	var bad error
	find := func() *ctype.Type {
		for _, spec := range [...]string{keyword + " " + s.String(), other + " " + s.String(), s.String()} {
			found, err := k.Type(spec)
			if err != nil {
				if bad == nil || errors.Is(bad, kernel.ErrNoDebugInfo) {
					bad = err
				}
				continue
			}
			switch u := found.Underlying(); {
			case u.Kind() != ctype.Struct && u.Kind() != ctype.Union:
				bad = fmt.Errorf("%s is not a structure or union but %s", s, u)
			case u.Err() != nil:
				bad = fmt.Errorf("%s: %w", s, u.Err())
			case u.Incomplete():
				bad = fmt.Errorf("%s is only declared, not defined, in the debug info", found)
			default:
				return found
			}
		}
		return nil
	}
	if found := find(); found != nil {
		return found, nil
	}
	if t.useModules() {
		if found := find(); found != nil {
			return found, nil
		}
	}
	return nil, bad
}

// useModules adds the types of all loaded modules whose debug files are found.
// It reports whether that was done just now: whoever missed a name tries again.
func (t *Target) useModules() bool {
	k, _, err := t.info()
	if err != nil || t.modulesUsed {
		return false
	}
	t.modulesUsed = true
	list, _ := k.Modules()
	for _, m := range list {
		_ = k.UseModuleTypes(m) // a module without a debug file has no types
	}
	return len(list) > 0
}

// member is a path to a member of a structure, checked against its type.
type member struct {
	path  string // as typed
	steps []value.Step
	place place
}

// place is where a member path ends.
type place struct {
	owner  *ctype.Type // the structure that offset counts from: the last one behind a pointer
	inside string      // the path within owner
	offset int64       // bytes
	typ    *ctype.Type // of the member
	bits   int64       // size of a bit-field
	depth  int         // anonymous structures between owner and the member
	last   bool        // the last one of the braces it stands in
}

// memberPaths parses and checks the members of s in typ. A member that is a
// field of an anonymous structure needs no path.
func memberPaths(typ *ctype.Type, s typeSpec) ([]member, error) {
	var out []member
	for _, path := range s.members {
		m, err := memberPath(typ, path)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", s.name, path, err)
		}
		out = append(out, m)
	}
	return out, nil
}

func memberPath(typ *ctype.Type, path string) (member, error) {
	steps, err := value.ParsePath(path)
	if err != nil {
		return member{}, err
	}
	m := member{path: path, steps: steps, place: place{owner: typ, typ: typ}}
	for i, s := range steps {
		if err := m.place.step(s); err != nil && i < len(steps)-1 {
			return m, fmt.Errorf("%s: %w", value.PathString(steps[:i+1]), err)
		} else if err != nil {
			return m, err
		}
	}
	if len(steps) > 1 {
		m.place.depth = 0
	}
	return m, nil
}

// step follows one step of a path in types alone.
func (p *place) step(s value.Step) error {
	u := p.typ.Underlying()
	if u.Kind() == ctype.Pointer {
		*p = place{owner: u.Elem(), typ: u.Elem()}
		if s.Name == "" { // an element of what it points to
			p.offset = s.Index * u.Elem().Size()
			p.inside = fmt.Sprintf("[%d]", s.Index)
			return nil
		}
		u = u.Elem().Underlying()
	}
	if s.Name == "" {
		if u.Kind() != ctype.Array {
			return fmt.Errorf("%s has no elements", p.typ)
		}
		p.typ, p.bits = u.Elem(), 0
		p.offset += s.Index * u.Elem().Size()
		p.inside += fmt.Sprintf("[%d]", s.Index)
		return nil
	}
	m, ok := p.typ.Find(s.Name)
	switch {
	case u.Kind() != ctype.Struct && u.Kind() != ctype.Union:
		return fmt.Errorf("%s has no members", p.typ)
	case !ok:
		return fmt.Errorf("%s has no such member", p.typ)
	}
	p.depth, p.last = nesting(u, s.Name, 0)
	if p.inside != "" {
		p.inside += "."
	}
	p.inside += s.Name
	p.typ, p.bits = m.Type, m.BitSize
	p.offset += m.Offset
	if m.BitSize != 0 {
		p.offset += m.BitOffset >> 3
	}
	return nil
}

// nesting is how many anonymous structures of u are around the member, and
// whether it is the last one of the innermost.
func nesting(u *ctype.Type, name string, depth int) (levels int, last bool) {
	members := u.Members()
	for i, m := range members {
		if m.Name == name {
			return depth, i == len(members)-1
		}
	}
	for _, m := range members {
		if _, ok := m.Type.Find(name); ok && m.Name == "" && m.BitSize == 0 && depth < maxMemberDepth {
			return nesting(m.Type.Underlying(), name, depth+1)
		}
	}
	return depth, false
}

// completeStruct completes the name of a structure, or behind a dot the name of
// a member.
func (t *Target) completeStruct(prefix string) []string {
	_, info, err := t.info()
	if err != nil {
		return nil
	}
	if i := strings.LastIndexAny(prefix, ".,"); i >= 0 {
		return t.completeMember(prefix, i)
	}
	var names []string
	for _, word := range [...]string{"struct ", "union "} {
		for name := range info.TypeNames(word + prefix) {
			if names = append(names, strings.TrimPrefix(name, word)); len(names) == maxCompletions {
				return names
			}
		}
	}
	return names
}

// completeMember completes the member behind the dot or comma at i.
func (t *Target) completeMember(prefix string, i int) []string {
	dot := strings.IndexByte(prefix, '.')
	spec, err := parseTypeSpec(prefix[:max(dot, 0)])
	if err != nil {
		return nil
	}
	typ, err := t.aggregate("struct", spec)
	if err != nil {
		return nil
	}
	// Between the last comma and the last dot is the path that leads there.
	if from := strings.LastIndexByte(prefix[:i], ','); prefix[i] == '.' && max(from, dot) < i {
		m, err := memberPath(typ, prefix[max(from, dot)+1:i])
		if err != nil {
			return nil
		}
		if typ = m.place.typ; typ.Underlying().Kind() == ctype.Pointer {
			typ = typ.Underlying().Elem()
		}
	}
	return membersFrom(typ.Underlying(), prefix[:i+1], prefix[i+1:])
}

// memberNames are the members of u, those of anonymous structures among them.
func memberNames(u *ctype.Type, depth int, budget *int) []string {
	var names []string
	if k := u.Kind(); k != ctype.Struct && k != ctype.Union || depth > maxMemberDepth {
		return nil
	}
	for _, m := range u.Members() {
		if *budget--; *budget < 0 {
			break
		}
		if m.Name != "" {
			names = append(names, m.Name)
		} else {
			names = append(names, memberNames(m.Type.Underlying(), depth+1, budget)...)
		}
	}
	return names
}
