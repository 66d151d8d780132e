package command

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl/output"
)

// pageMember is a member of struct page in a list of members.
type pageMember struct {
	name  string
	field kernel.Field
	kind  ctype.Kind
	hex   bool // in hexadecimal whatever the radix
	count bool // a counter: decimal whatever the radix
}

func newPageMember(k *kernel.Kernel, name string) (*pageMember, error) {
	name = strings.TrimPrefix(name, "page.")
	f, err := k.Field("page." + name)
	if err != nil {
		return nil, err
	}
	m := &pageMember{name: name, field: f, kind: f.Type.Underlying().Kind()}
	m.count = strings.HasPrefix(name, "_count") || strings.HasPrefix(name, "_mapcount")
	m.hex = name == "flags"
	return m, nil
}

// plain reports whether the member is one number.
func (m *pageMember) plain() bool {
	switch m.kind {
	case ctype.Struct, ctype.Union, ctype.Array:
		return m.count
	}
	return true
}

// words are the bytes of a member that is no number, eight at a time, or four
// where eight do not fit.
func (m *pageMember) words(obj []byte) (words []uint64, size int) {
	b := m.field.Bytes(obj)
	for _, size = range [...]int{8, 4, 2, 1} {
		if len(b)%size == 0 {
			break
		}
	}
	for ; len(b) > 0; b = b[size:] {
		var v [8]byte
		copy(v[:], b[:size])
		words = append(words, binary.LittleEndian.Uint64(v[:]))
	}
	return words, size
}

func (m *pageMember) append(b, obj []byte, hex bool) []byte {
	if !m.plain() {
		words, size := m.words(obj)
		for i, w := range words {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendHex(b, w, size*2, '0')
		}
		return append(b, "  "...)
	}
	v := m.field.In(obj)
	size := int(min(m.field.Size(), 8))
	u := m.field.Type.Underlying()
	switch {
	case m.count:
		b = strconv.AppendInt(b, int64(int32(v)), 10)
	case m.kind == ctype.Pointer:
		b = appendHex(b, v, 16, '0')
	case m.kind == ctype.Bool && v <= 1:
		b = strconv.AppendBool(b, v == 1)
	case m.hex || hex:
		if size < 8 {
			v &= 1<<(size*8) - 1
		}
		b = appendHex(b, v, size*2, '0')
	case u.Signed():
		b = strconv.AppendInt(b, int64(v), 10)
	default:
		b = strconv.AppendUint(b, v, 10)
	}
	return append(b, "  "...)
}

func (m *pageMember) value(obj []byte) output.Value {
	if !m.plain() {
		var list []output.Value
		words, _ := m.words(obj)
		for _, w := range words {
			list = append(list, output.Hex(w))
		}
		return output.List(list...)
	}
	v := m.field.In(obj)
	switch {
	case m.count:
		return output.Int(int32(v))
	case m.kind == ctype.Pointer:
		return output.Addr(v)
	case m.kind == ctype.Bool && v <= 1:
		return output.Bool(v == 1)
	case m.hex:
		return output.Hex(v)
	case m.field.Type.Underlying().Signed():
		return output.Int(int64(v))
	}
	return output.Uint(v)
}

// pageMembersRow is a page structure of which some members are shown.
type pageMembersRow struct {
	page    mm.Page
	obj     []byte
	members []*pageMember
	hex     bool
}

var pageMembersRecord = &output.Record[pageMembersRow]{
	Type: "page_members",
	Help: "members of the page structure of a page",
	Columns: []output.Column[pageMembersRow]{
		{Name: "page", Help: "address of the struct page", Get: func(r *pageMembersRow) output.Value { return output.Addr(r.page.Addr) }},
		{Name: "physical", Help: "physical address of the page", Get: func(r *pageMembersRow) output.Value { return output.Addr(r.page.Paddr) }},
		{Name: "members", Help: "the members by name; of structs, unions and arrays a list of words", Get: func(r *pageMembersRow) output.Value {
			var fields []output.Field
			for _, m := range r.members {
				fields = append(fields, output.Field{Name: m.name, Value: m.value(r.obj)})
			}
			return output.Object(fields...)
		}},
	},
	Text: func(b []byte, r *pageMembersRow) []byte {
		b = fmt.Appendf(b, "%016x  ", r.page.Addr)
		for _, m := range r.members {
			b = m.append(b, r.obj, r.hex)
		}
		return append(b, '\n')
	},
}
