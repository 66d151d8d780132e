package debuginfo

import (
	"iter"
	"slices"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/scan"
)

// TypeNames runs over the names of types that begin with prefix, in no order:
// "struct list_head", "union ...", "enum ...", typedefs and base types bare.
func (in *Info) TypeNames(prefix string) iter.Seq[string] {
	return func(yield func(string) bool) {
		tag, rest, tagged := strings.Cut(prefix, " ")
		want, isTag := tagKinds[tag]
		if !tagged || !isTag {
			rest = prefix
		}
		for name, kinds := range in.names() {
			if !strings.HasPrefix(name, rest) {
				continue
			}
			for _, k := range kinds {
				s := spell(k, name)
				if tagged && isTag && !slices.Contains(kindsOf(want), k) || s == "" {
					continue
				}
				if !yield(s) {
					return
				}
			}
		}
	}
}

func spell(k scan.Kind, name string) string {
	switch k {
	case scan.Struct, scan.Union, scan.Enum:
		return k.String() + " " + name
	case scan.Typedef, scan.Base:
		return name
	}
	return ""
}

// AllTypes runs over every named type, in no order: each different definition
// of each name.
func (in *Info) AllTypes() iter.Seq[*ctype.Type] {
	return func(yield func(*ctype.Type) bool) {
		for name, kinds := range in.names() {
			for _, k := range kinds {
				if spell(k, name) == "" {
					continue
				}
				list, _ := in.Types(typeKind[k], name)
				for _, t := range list {
					if !yield(t) {
						return
					}
				}
			}
		}
	}
}

var typeKind = map[scan.Kind]ctype.Kind{
	scan.Struct: ctype.Struct, scan.Union: ctype.Union, scan.Enum: ctype.Enum, scan.Typedef: ctype.Typedef, scan.Base: ctype.Int,
}

// VariableNames runs over the names of variables that begin with prefix, in no
// order.
func (in *Info) VariableNames(prefix string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name, kinds := range in.names() {
			if strings.HasPrefix(name, prefix) && slices.Contains(kinds, scan.Variable) && !yield(name) {
				return
			}
		}
	}
}

// names runs over all names and the kinds of their records. It reads in
// batches, so that the caller's code does not run under the guard.
func (in *Info) names() iter.Seq2[string, []scan.Kind] {
	return func(yield func(string, []scan.Kind) bool) {
		x, d, err := in.indexAndData()
		if err != nil {
			return
		}
		const batch = 256
		var names [batch]string
		var kinds [batch][]scan.Kind
		for first := 0; first < x.Names(); first += batch {
			n := min(batch, x.Names()-first)
			err := guard(func() error {
				for i := range n {
					ref, recs := x.Name(first + i)
					names[i], kinds[i] = string(d.String(ref)), kinds[i][:0]
					for _, r := range recs {
						if !slices.Contains(kinds[i], r.Kind) {
							kinds[i] = append(kinds[i], r.Kind)
						}
					}
				}
				return nil
			})
			if err != nil {
				return
			}
			for i := range n {
				if !yield(names[i], kinds[i]) {
					return
				}
			}
		}
	}
}
