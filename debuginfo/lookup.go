package debuginfo

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/index"
	"github.com/kdive/kdive/debuginfo/scan"
)

// ErrNoType is in the error chain where the debug info has no type of a name.
var ErrNoType = errors.New("no such type")

// kindsOf are the kinds of records that a kind of type may come from.
func kindsOf(k ctype.Kind) []scan.Kind {
	switch k {
	case ctype.Struct:
		return []scan.Kind{scan.Struct}
	case ctype.Union:
		return []scan.Kind{scan.Union}
	case ctype.Enum:
		return []scan.Kind{scan.Enum}
	case ctype.Typedef:
		return []scan.Kind{scan.Typedef}
	case ctype.Int, ctype.Bool, ctype.Float:
		return []scan.Kind{scan.Base}
	case ctype.Unknown:
		return []scan.Kind{scan.Struct, scan.Union, scan.Enum, scan.Typedef, scan.Base}
	}
	return nil
}

// Types is all different definitions of a name, complete ones first, a bare
// declaration only if there is no definition. kind is one of Struct, Union,
// Enum, Typedef, Int (any base type), or Unknown for all of them.
func (in *Info) Types(kind ctype.Kind, name string) ([]*ctype.Type, error) {
	var list []*ctype.Type
	err := guard(func() error {
		for _, k := range kindsOf(kind) {
			set, err := in.definitions(k, name)
			if err != nil {
				return err
			}
			offs := set.offs
			if len(offs) == 0 && set.declared != 0 {
				offs = []int{set.declared}
			}
			for _, off := range offs {
				t, err := in.typeAt(off)
				if err != nil {
					return err
				}
				list = append(list, t)
			}
		}
		return nil
	})
	return list, err
}

// Type is the type that C source spells like spec: "struct foo", "union u",
// "enum e", "foo_t", "unsigned long", "char *". Where units define a name
// differently, the definition that comes first in the debug info is taken;
// "struct foo@file.c" takes the one declared in that file, given by its last
// path elements, or seen by that unit. The error names what there is instead.
func (in *Info) Type(spec string) (*ctype.Type, error) {
	words, stars := splitSpec(spec)
	if len(words) == 0 {
		return nil, fmt.Errorf("%q: %w", spec, ErrNoType)
	}
	t, err := in.named(words, spec)
	if err != nil {
		return nil, err
	}
	for range stars {
		t = ctype.PointerTo(t)
	}
	return t, nil
}

// splitSpec drops qualifiers and counts stars.
func splitSpec(spec string) (words []string, stars int) {
	stars = strings.Count(spec, "*")
	words = strings.Fields(strings.ReplaceAll(spec, "*", " "))
	words = slices.DeleteFunc(words, func(w string) bool { return w == "const" || w == "volatile" || w == "__restrict" })
	return words, min(stars, 16)
}

var tagKinds = map[string]ctype.Kind{"struct": ctype.Struct, "union": ctype.Union, "enum": ctype.Enum}

func (in *Info) named(words []string, spec string) (*ctype.Type, error) {
	last := len(words) - 1
	name, file, _ := strings.Cut(words[last], "@")
	kind, tagged := tagKinds[words[0]]
	switch {
	case tagged && len(words) == 2:
		return in.choose(name, file, spec, kind)
	case len(words) == 1 && name == "void":
		return ctype.VoidType(), nil
	case len(words) == 1:
		if t, err := in.choose(name, file, spec, ctype.Typedef); !errors.Is(err, ErrNoType) {
			return t, err
		}
	}
	for _, s := range baseSpellings(words) {
		if t, err := in.choose(s, "", spec, ctype.Int); !errors.Is(err, ErrNoType) {
			return t, err
		}
	}
	return nil, in.noType(name, spec)
}

// choose takes one of the definitions of a name.
func (in *Info) choose(name, file, spec string, kind ctype.Kind) (*ctype.Type, error) {
	list, err := in.Types(kind, name)
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return nil, in.noType(name, spec)
	case file == "":
		return list[0], nil
	}
	for _, t := range list {
		if sameFile(t.Origin().File, file) {
			return t, nil
		}
	}
	if t := in.seenBy(name, file, kind); t != nil {
		return t, nil
	}
	var places []string
	for _, t := range list {
		places = append(places, t.Origin().File)
	}
	return nil, fmt.Errorf("%s: %w in that file; defined in %s", spec, ErrNoType, strings.Join(places, ", "))
}

// sameFile reports whether want names path by its last elements.
func sameFile(name, want string) bool {
	return name == want || strings.HasSuffix(name, "/"+want)
}

// seenBy is the definition that a unit contains, wherever it is declared.
func (in *Info) seenBy(name, file string, kind ctype.Kind) (found *ctype.Type) {
	_ = guard(func() error {
		x, err := in.index()
		if err != nil {
			return err
		}
		d, err := in.sections()
		if err != nil {
			return err
		}
		for i := range x.Units() {
			xu, _ := x.Unit(i)
			if !sameFile(path.Clean(string(d.String(xu.Name))), file) {
				continue
			}
			u, err := in.unitAt(xu.Off)
			if err != nil {
				return err
			}
			root := u.Root()
			for e, err := range root.Kids() {
				if err != nil {
					return err
				}
				if slices.Contains(kindsOf(kind), kindOf(e.Tag)) && e.Name() == name {
					found, err = in.typeAt(e.Off)
					return err
				}
			}
		}
		return nil
	})
	return found
}

// noType says that there is no such type, and what has the name instead.
func (in *Info) noType(name, spec string) error {
	var also []string
	all, err := in.Types(ctype.Unknown, name)
	if err != nil {
		return err
	}
	for _, t := range all {
		if s := t.String(); !slices.Contains(also, s) {
			also = append(also, s)
		}
	}
	if len(also) > 0 {
		return fmt.Errorf("%s: %w; there is %s", spec, ErrNoType, strings.Join(also, ", "))
	}
	return fmt.Errorf("%s: %w", spec, ErrNoType)
}

func (in *Info) indexAndData() (*index.Index, *die.Data, error) {
	x, err := in.index()
	if err != nil {
		return nil, nil, err
	}
	d, err := in.sections()
	return x, d, err
}

// Enumerator is the value of an enumerator and the enum it belongs to; of
// several of that name the one that comes first in the debug info.
func (in *Info) Enumerator(name string) (value int64, enum *ctype.Type, ok bool) {
	_ = guard(func() error {
		x, d, err := in.indexAndData()
		if err != nil {
			return err
		}
		for _, r := range x.Lookup(&d.Sections, name) {
			if r.Kind != scan.Enumerator {
				continue
			}
			if enum, err = in.typeAt(r.Off); err != nil {
				return err
			}
			for _, e := range enum.Enumerators() {
				if e.Name == name {
					value, ok = e.Value, true
					return nil
				}
			}
		}
		return nil
	})
	return value, enum, ok
}
