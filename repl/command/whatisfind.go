package command

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// typeSize is one type that whatis found.
type typeSize struct {
	name string
	kind string
	size int64
}

var typeSizeRecord = &output.Record[typeSize]{
	Type: "type",
	Help: "a type that was searched for",
	Columns: []output.Column[typeSize]{
		{Name: "size", Head: "SIZE", Verb: "%4d", Help: "bytes", Get: func(r *typeSize) output.Value { return output.Int(r.size) }},
		{Name: "name", Head: "  TYPE", Verb: "  %s", Help: "name of the type", Get: func(r *typeSize) output.Value { return output.String(r.name) }},
		{Name: "kind", Help: "struct, union, enum, typedef or base type", Get: func(r *typeSize) output.Value { return output.String(r.kind) }},
	},
}

// findTypes lists types by size and member.
func findTypes(ctx context.Context, t *Target, c *repl.Call) error {
	low, high := int64(1), int64(1<<62)
	if text, ok := c.Value("r"); ok {
		var err error
		if low, high, err = sizeRange(text); err != nil {
			return err
		}
	}
	member, byMember := c.Value("m")
	_, info, err := t.info()
	if err != nil {
		return err
	}
	var found []typeSize
	for typ := range info.AllTypes() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		size := typ.Size()
		if size < low || size > high || typ.Name() == "" {
			continue
		}
		if budget := maxMembers; byMember && !hasMember(typ, member, 0, &budget) {
			continue
		}
		found = append(found, typeSize{typ.Name(), kindName(typ), size})
	}
	slices.SortFunc(found, func(a, b typeSize) int {
		return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.name, b.name))
	})
	found = slices.CompactFunc(found, func(a, b typeSize) bool { return a.size == b.size && a.name == b.name })
	if len(found) == 0 {
		c.Out.Note("(none found)")
		return nil
	}
	width := max(4, len(strconv.FormatInt(found[len(found)-1].size, 10)))
	record := typeSizeRecord.Width("size", width)
	record.Head(c.Out)
	for i := range found {
		record.Emit(c.Out, &found[i])
	}
	return nil
}

// sizeRange reads "size" or "low-high".
func sizeRange(text string) (low, high int64, err error) {
	a, b, ranged := strings.Cut(text, "-")
	if !ranged {
		b = a
	}
	l, err1 := repl.ParseNumber(a)
	h, err2 := repl.ParseNumber(b)
	if err := errors.Join(err1, err2); err != nil {
		return 0, 0, err
	}
	if l > h || h > 1<<62 {
		return 0, 0, errors.New(text + " is no range of sizes")
	}
	return int64(l), int64(h), nil
}

// hasMember reports whether a structure has a member whose name, or the name of
// whose type, contains text. Of pointers and arrays it is the name of what
// they point to or hold. Members of anonymous structures count.
func hasMember(typ *ctype.Type, text string, depth int, budget *int) bool {
	if k := typ.Kind(); k != ctype.Struct && k != ctype.Union || depth > maxMemberDepth {
		return false
	}
	for _, m := range typ.Members() {
		if *budget--; *budget < 0 {
			break
		}
		if m.Name == "" && m.Type.Name() == "" && hasMember(m.Type, text, depth+1, budget) {
			return true
		}
		if strings.Contains(m.Name, text) || strings.Contains(targetName(m.Type), text) || strings.Contains(text, " ") && strings.Contains(m.Type.String(), text) {
			return true
		}
	}
	return false
}

// targetName is the name of a type behind pointers, arrays and qualifiers.
func targetName(typ *ctype.Type) string {
	for range maxMemberDepth {
		switch typ.Kind() {
		case ctype.Pointer, ctype.Array, ctype.Const, ctype.Volatile, ctype.Restrict, ctype.Atomic:
			typ = typ.Elem()
		default:
			return typ.Name()
		}
	}
	return ""
}
