package command

import (
	"slices"
	"strings"
	"testing"
)

// comms are the command names in the last column of ps.
func comms(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && f[len(f)-1] != "COMM" {
			names = append(names, f[len(f)-1])
		}
	}
	return names
}

func TestForeachSelection(t *testing.T) {
	all := len(comms(tinyText(t, "foreach ps")))
	if direct := comms(tinyText(t, "ps")); len(direct) != all {
		t.Errorf("%d tasks, ps has %d", all, len(direct))
	}
	user, kernel := comms(tinyText(t, "foreach user ps")), comms(tinyText(t, "foreach kernel ps"))
	if len(user)+len(kernel) != all || slices.Contains(user, "[kthreadd]") || !slices.Contains(kernel, "[kthreadd]") || !slices.Contains(kernel, "[swapper/0]") {
		t.Errorf("user %v, kernel %v", user, kernel)
	}
	if leaders := comms(tinyText(t, "foreach gleader ps")); len(leaders) >= len(user) || slices.Contains(leaders, "thr0") || !slices.Contains(leaders, "threads") {
		t.Errorf("leaders %v", leaders)
	}
	tests := []struct {
		words string
		want  []string
	}{
		{"active", []string{"victim", "spinner"}},
		{"active kernel", nil},
		{"ZO", []string{"work"}},
		{"user ZO", []string{"work"}},
		{"kernel ZO", nil},
		{"1 2", []string{"init", "[kthreadd]"}},
		{"1 2 kernel", []string{"[kthreadd]"}},
		{"2 1 work", nil},
		{"'^shmuser[12]$'", []string{"shmuser1", "shmuser2"}},
		{`\victim`, []string{"victim"}},
		{"ffff9b6d001a6040", []string{"init"}},
		{"RU user IN ZO '^victim$|^work$'", nil},
	}
	for _, tt := range tests {
		text := tinyText(t, "foreach "+tt.words+" ps")
		switch got := comms(text); {
		case tt.words == "2 1 work":
			if !slices.Equal(got[:2], []string{"init", "[kthreadd]"}) || !slices.Contains(got, "work") {
				t.Errorf("%s: %v", tt.words, got)
			}
		case tt.words[0] == 'R':
			if len(got) < 2 || slices.ContainsFunc(got, func(s string) bool { return s != "work" && s != "victim" }) {
				t.Errorf("%s: %v", tt.words, got)
			}
		case tt.words == "ZO" || tt.words == "user ZO":
			if len(got) == 0 || strings.Count(text, " ZO ") != len(got) {
				t.Errorf("%s: %s", tt.words, text)
			}
		case tt.words == "active":
			if len(got) != 2 || strings.Count(text, "\n>") != 2 {
				t.Errorf("%s: %s", tt.words, text)
			}
		case tt.words == "active kernel":
			if len(got) > 1 {
				t.Errorf("%s: %v", tt.words, got)
			}
		case !slices.Equal(got, tt.want):
			t.Errorf("%s: %v, want %v", tt.words, got, tt.want)
		}
	}
	for _, line := range []string{"foreach", "foreach 1", "foreach user kernel ps", "foreach nosuch ps", "foreach vm -l", "foreach ps 1", "foreach 1 vtop", "foreach '(' ps", "foreach vm -p -v"} {
		tinyFailure(t, line)
	}
}

func TestForeachCommands(t *testing.T) {
	// What the commands print by themselves, with empty lines between tasks.
	for _, name := range []string{"vm", "vm -p", "task -R pid,comm"} {
		direct := tinyText(t, name+" 1", name+" 2")
		if got := tinyText(t, "foreach 1 2 "+name); strings.ReplaceAll(got, "\n\nPID", "\nPID") != strings.ReplaceAll(direct, "\n\nPID", "\nPID") {
			t.Errorf("%s: %s", name, got)
		}
	}
	text, rows := tinyCheck(t, "foreach work files")
	if strings.Contains(text, "\n\n\n") || strings.HasSuffix(text, "\n\n") || !strings.HasPrefix(text, "PID: ") || len(rows) < 4 {
		t.Errorf("%s", text)
	}
	text = tinyText(t, "foreach files -R console")
	if n := strings.Count(text, "PID: "); n < 3 || strings.Count(text, "\n\n") != n || strings.Count(text, "/dev/console\n") < n {
		t.Errorf("%s", text)
	}
	if text := tinyText(t, "foreach files -R nosuch"); text != "" {
		t.Errorf("%q", text)
	}
	text = tinyText(t, "foreach 1 work vtop -u 400000 401000")
	if strings.Count(text, "VIRTUAL     PHYSICAL") < 4 || !strings.Contains(text, "/bin/work\n") || !strings.Contains(text, "/bin/busybox\n") {
		t.Errorf("%s", text)
	}
	if text := tinyText(t, "foreach 1 2 vm set"); strings.Count(text, "PID: 1 ") != 2 || strings.Count(text, "PID: 2 ") != 2 || strings.Index(text, "PID: 2 ") < strings.LastIndex(text, "PID: 1 ") {
		t.Errorf("%s", text)
	}
	if text := tinyText(t, "foreach ps -t"); strings.Index(text, "swapper/1") > strings.Index(text, `"init"`) {
		t.Error("foreach ps -t is sorted")
	}
}

func TestTaskMembers(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"task -R thread_info,pid 1", "  },\n  pid = 1,\n\n"},
		{"task -R pid,thread 1", "\n  }\n\n"},
		{"task -R cpu,pid 1", "\n  cpu = 0\n  pid = 1,\n\n"},
		{"task pid,tgid 1", "\n  pid = 1,\n  tgid = 1,\n\n"},
		{`task -R "pid, tgid" 1`, "\n  pid = 1,\n  tgid = 1,\n\n"},
		{"task -R pid -R tgid 1", "\n  pid = 1,\n  tgid = 1,\n\n"},
	} {
		if text, _ := tinyCheck(t, tt.line); !strings.HasSuffix(text, tt.want) {
			t.Errorf("%s: %q", tt.line, text)
		}
	}
	tinyFailure(t, "task nosuch 1")
}
