package command

import (
	"strings"
	"testing"

	"github.com/kdive/kdive/ctype"
)

func TestWhatis(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"whatis list_head", "struct list_head {\n    struct list_head *next;\n    struct list_head *prev;\n}\nSIZE: 16\n"},
		{"whatis -o struct list_head", "struct list_head {\n   [0] struct list_head *next;\n   [8] struct list_head *prev;\n}\nSIZE: 16\n"},
		{"whatis page.lru", "struct page {\n   [8]             struct list_head lru;\n}\n"},
		{"whatis jiffies", "volatile unsigned long jiffies;\n"},
		{"whatis init_task", "struct task_struct init_task;\n"},
		{"whatis schedule", "void schedule(void);\n"},
		{"whatis runqueues", "struct rq runqueues;\n"},
		{"whatis pid_t", "typedef int pid_t;\nSIZE: 4\n"},
		{"whatis unsigned long", "unsigned long\nSIZE: 8\n"},
		{"whatis struct task_struct *", "struct task_struct *\n"},
		{"whatis init_task.comm", "char [16]\n"},
		{"whatis init_task.tasks.next->prev", "struct list_head *\n"},
		{"whatis &init_task", "struct task_struct *\n"},
		{"whatis *init_task.mm", "struct mm_struct\n"},
		{"whatis jiffies+1", "unsigned long\n"},
		{"whatis TASK_COMM_LEN", "enum (unknown) = 16\n"},
		{"whatis enum module_state", "enum module_state {\n  MODULE_STATE_LIVE = 0\n  MODULE_STATE_COMING = 1\n  MODULE_STATE_GOING = 2\n  MODULE_STATE_UNFORMED = 3\n};\n"},
		{"whatis MODULE_STATE_GOING", "enum module_state = 2\nenum module_state {\n  MODULE_STATE_LIVE = 0\n  MODULE_STATE_COMING = 1\n  MODULE_STATE_GOING = 2\n  MODULE_STATE_UNFORMED = 3\n};\n"},
		{"whatis shmbug_write", "ssize_t shmbug_write(struct file *, const char *, size_t, loff_t *);\n"},
		{"whatis -r 9999999", "(none found)\n"},
	} {
		if got, _ := tinyCheck(t, tt.line, "definition.name", "declaration.ctype"); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.line, got, tt.want)
		}
	}
}

func TestWhatisFind(t *testing.T) {
	got, rows := tinyCheck(t, "whatis -r 16-24 -m list_head")
	if !strings.HasPrefix(got, "SIZE  TYPE\n") || !strings.Contains(got, "\n  24  semaphore\n") || len(rows) < 10 {
		t.Error(got)
	}
	for _, r := range rows {
		if s := r["size"].(interface{ String() string }).String(); len(s) != 2 || s < "16" || s > "24" || r["name"] == "" {
			t.Errorf("%v", r)
		}
	}
	if got := tinyText(t, "whatis -m 'struct rb_node *' -r 8"); !strings.Contains(got, "   8  rb_root\n") {
		t.Error(got)
	}
	if got := tinyText(t, "whatis -r 100000-100000000"); !strings.HasPrefix(got, "  SIZE  TYPE\n") {
		t.Error(got)
	}
}

func TestWhatisFails(t *testing.T) {
	for line, want := range map[string]string{
		"whatis":                    "missing",
		"whatis nosuch":             "nosuch is no variable, function, enumerator or type",
		"whatis struct nosuch":      "no such type",
		"whatis task_struct.nosuch": "no such member",
		"whatis -r x-y":             "x",
		"whatis -r 20-10":           "no range",
	} {
		if got := tinyFailure(t, line); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// A damaged structure that contains itself, and more than once, has an end.
func TestDamagedTypes(t *testing.T) {
	var s *ctype.Type
	s = ctype.NewLazy(ctype.Struct, "", ctype.Origin{}, func(d *ctype.Def) error {
		d.Size = 8
		for range 10 {
			d.Members = append(d.Members, ctype.Member{Type: s})
		}
		return nil
	})
	budget := maxMembers
	if hasMember(s, "x", 0, &budget) || len(memberNames(s, 0, &budget)) != 0 {
		t.Error("a member x of nothing")
	}
	budget = 1000
	if v := memberList(s, 0, 0, &budget); len(v.AppendJSON(nil)) > 1<<20 {
		t.Error("too long")
	}
	if _, err := memberPath(s, "x.y"); err == nil {
		t.Error("found x.y")
	}
	d := &definition{typ: s, name: "struct s", offsets: true, radix: 10}
	if n := len(d.lines()); n > 1<<18 {
		t.Errorf("%d lines", n)
	}
}

func FuzzTypeSpec(f *testing.F) {
	for _, s := range []string{"task_struct.pid,comm", "a@b.c", "a@b.c.d,e", "page.lru.next->prev[3]", ".", "a.", "a,b"} {
		f.Add(s)
	}
	inner := ctype.New(ctype.Struct, "inner", ctype.Def{Size: 8, Members: []ctype.Member{{Name: "pid", Type: ctype.PointerTo(nil)}}})
	typ := ctype.New(ctype.Struct, "a", ctype.Def{Size: 16, Members: []ctype.Member{{Name: "d", Type: ctype.PointerTo(inner)}, {Name: "e", Type: ctype.ArrayOf(inner, 2), Offset: 8}}})
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := parseTypeSpec(text)
		if err != nil {
			return
		}
		m, err := memberPaths(typ, spec)
		if err == nil && len(m) != len(spec.members) {
			t.Errorf("%d members of %d", len(m), len(spec.members))
		}
	})
}

// The whole debug info is searched for types: it must not take long.
func BenchmarkWhatisMember(b *testing.B) {
	tinyText(b, "whatis -r 8")
	for b.Loop() {
		tinyText(b, "whatis -m list_head")
	}
}
