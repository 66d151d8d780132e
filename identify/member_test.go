package identify

import (
	"slices"
	"testing"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel/kerneltest"
)

const shapes = `
struct list_head { struct list_head *next; struct list_head *prev; };
struct ops { void *open; };
struct inner { int a; int b; };
struct thing {
	int n;
	struct list_head link;
	struct inner pair[3];
	struct ops *ops;
	union { struct thing *up; long id; };
	struct inner nested;
	char name[8];
	unsigned long tail[];
};`

func TestMemberAt(t *testing.T) {
	k := kerneltest.New(t, shapes)
	thing, err := k.StructType("thing")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		off  int64
		path string
		in   int64
		ok   bool
	}{
		{0, "n", 0, true},
		{2, "n", 2, true},
		{4, "", 0, false}, // padding
		{8, "link.next", 0, true},
		{20, "link.prev", 4, true},
		{24, "pair[0].a", 0, true},
		{36, "pair[1].b", 0, true},
		{48, "ops", 0, true},
		{56, "up", 0, true}, // the pointer of the union
		{64, "nested.a", 0, true},
		{75, "name[3]", 0, true},
		{80, "tail[0]", 0, true},
		{104, "tail[3]", 0, true}, // behind the structure
		{-1, "", 0, false},
	}
	for _, test := range tests {
		m, ok := MemberAt(thing, test.off)
		if m.Path != test.path || m.Offset != test.in || ok != test.ok {
			t.Errorf("offset %d: %q+%d %v, want %q+%d %v", test.off, m.Path, m.Offset, ok, test.path, test.in, test.ok)
		}
	}
}

func TestPointersOf(t *testing.T) {
	k := kerneltest.New(t, shapes)
	thing, err := k.StructType("thing")
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, p := range pointersOf(thing) {
		got = append(got, p.off)
	}
	if want := []int64{8, 16, 48}; !slices.Equal(got, want) { // none of the union
		t.Errorf("pointers at %d, want %d", got, want)
	}
	call := ctype.PointerTo(ctype.New(ctype.Func, "", ctype.Def{}))
	ops := ctype.New(ctype.Struct, "ops", ctype.Def{Size: 8, Members: []ctype.Member{{Name: "open", Type: call}}})
	if p := pointersOf(ops); len(p) != 1 || !p[0].code {
		t.Errorf("struct ops: %+v", p)
	}
}

func TestContains(t *testing.T) {
	k := kerneltest.New(t, shapes)
	thing, _ := k.StructType("thing")
	inner, _ := k.StructType("inner")
	list, _ := k.StructType("list_head")
	m := &Model{}
	tests := []struct {
		off     int64
		verdict int
	}{{24, 1}, {32, 1}, {28, -1}, {64, 1}, {8, -1}, {400, -1}}
	for _, test := range tests {
		if got := m.contains(thing, test.off, inner); got != test.verdict {
			t.Errorf("struct inner at %d: %d, want %d", test.off, got, test.verdict)
		}
	}
	if m.contains(thing, 8, list) != 1 || m.contains(thing, 0, thing) != 1 {
		t.Error("the list_head, or the structure itself, is not found")
	}
}

func TestStructNames(t *testing.T) {
	tests := []struct{ cache, want string }{
		{"vm_area_struct", "vm_area_struct"},
		{"filp", "file"},
		{"filp_cachep", "file"},
		{"signal_cache", "signal_struct"},
		{"kernfs_node_cache", "kernfs_node"},
		{"ext4_inode_cache", "ext4_inode_info"},
		{"anon_vma", "anon_vma"},
		{"mm_cachep", "mm_struct"},
		{"pid_2", "pid"},
		{"dentry_cache", "dentry"},
	}
	for _, test := range tests {
		if names := structNames(test.cache); !slices.Contains(names, test.want) {
			t.Errorf("%s: %v, want %s among them", test.cache, names, test.want)
		}
	}
}
