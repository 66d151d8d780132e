package value

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kdive/kdive/ctype"
)

// Step is one step of a member path: a member by name, or an element if Name is
// empty.
type Step struct {
	Name  string
	Index int64
}

// maxPath bounds member paths.
const maxPath = 256

// ParsePath splits "a.b[3].c->d" into steps.
func ParsePath(path string) ([]Step, error) {
	var steps []Step
	rest := path
	for rest != "" || len(steps) == 0 {
		if len(steps) >= maxPath {
			return nil, fmt.Errorf("member path has more than %d steps", maxPath)
		}
		at := len(path) - len(rest)
		if strings.HasPrefix(rest, "[") && len(steps) > 0 {
			text, after, ok := strings.Cut(rest[1:], "]")
			n, err := strconv.ParseInt(strings.TrimSpace(text), 0, 64)
			if !ok || err != nil {
				return nil, fmt.Errorf("member path %q: no index at column %d", path, at+1)
			}
			steps, rest = append(steps, Step{Index: n}), after
			continue
		}
		if len(steps) > 0 {
			switch {
			case strings.HasPrefix(rest, "->"):
				rest = rest[2:]
			case strings.HasPrefix(rest, "."):
				rest = rest[1:]
			default:
				return nil, fmt.Errorf("member path %q: unexpected %q at column %d", path, rest[:1], at+1)
			}
		}
		n := 0
		for n < len(rest) && isNameByte(rest[n], n == 0) {
			n++
		}
		if n == 0 {
			return nil, fmt.Errorf("member path %q: no member name at column %d", path, len(path)-len(rest)+1)
		}
		steps, rest = append(steps, Step{Name: rest[:n]}), rest[n:]
	}
	return steps, nil
}

func isNameByte(c byte, first bool) bool {
	return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || !first && c >= '0' && c <= '9'
}

// PathString spells steps with dots and brackets.
func PathString(steps []Step) string {
	var b strings.Builder
	for i, s := range steps {
		switch {
		case s.Name == "":
			fmt.Fprintf(&b, "[%d]", s.Index)
		case i > 0:
			b.WriteByte('.')
			fallthrough
		default:
			b.WriteString(s.Name)
		}
	}
	return b.String()
}

// Offset is where a path of embedded members and array elements (no pointers)
// leads: the offset in bytes from the start of typ, and the type there.
func Offset(typ *ctype.Type, path string) (int64, *ctype.Type, error) {
	steps, err := ParsePath(path)
	if err != nil {
		return 0, nil, err
	}
	v := New(nil, typ, 0)
	for i := range steps {
		if v.kind() == ctype.Pointer {
			return 0, nil, fmt.Errorf("%s: %s is a pointer", PathString(steps[:i+1]), PathString(steps[:i]))
		}
		if v, err = v.Follow(steps[i : i+1]); err != nil {
			return 0, nil, err
		}
	}
	if v.bit.size != 0 {
		return int64(v.addr) + v.bit.first>>3, v.typ, nil
	}
	return int64(v.addr), v.typ, nil
}
