package judge

import (
	"strings"
	"testing"
)

func TestValue(t *testing.T) {
	rules, err := ParseRules(testRules)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, kdive, drgn             string
		equal, explained, unexplained int
	}{
		{"numbers", `{"a":1,"b":-2}`, `{"a":1,"b":-2}`, 2, 0, 0},
		{"a number differs", `{"a":1}`, `{"a":2}`, 0, 0, 1},
		{"large numbers are strings", `{"a":"18446744073709551615"}`, `{"a":18446744073709551615}`, 1, 0, 0},
		{"the last digit counts", `{"a":"18446744073709551615"}`, `{"a":18446744073709551614}`, 0, 0, 1},
		{"pointers", `{"a":{"addr":"0xff","symbol":"x"}}`, `{"a":255}`, 1, 0, 0},
		{"enumerators", `{"a":{"value":2,"name":"B"}}`, `{"a":2}`, 1, 0, 0},
		{"truth", `{"a":true,"b":false}`, `{"a":true,"b":0}`, 2, 0, 0},
		{"text", `{"a":"hi"}`, `{"a":[104,105,0,0]}`, 4, 0, 0},
		{"text with more behind", `{"a":"hi"}`, `{"a":[104,105,0,7]}`, 3, 0, 1},
		{"bytes", `{"a":{"text":"h","hex":"6800ff"}}`, `{"a":[104,0,-1]}`, 3, 0, 0},
		{"arrays", `{"a":[1,{"addr":"0x2"}]}`, `{"a":[1,2]}`, 2, 0, 0},
		{"a cut-off array", `{"a":[1,{"omitted":2}]}`, `{"a":[1,2,3]}`, 0, 0, 3},
		{"flexible array", `{"a":{"addr":"0xff"}}`, `{"a":[]}`, 0, 0, 0},
		{"nested", `{"a":{"b":{"c":1}}}`, `{"a":{"b":{"c":1}}}`, 1, 0, 0},
		{"a member is missing", `{"a":1}`, `{"a":1,"b":{"c":1,"d":2}}`, 1, 0, 2},
		{"a member is new", `{"a":1,"b":2}`, `{"a":1}`, 1, 0, 1},
		{"explained", `{"a":1,"flex":{"addr":"0x1"}}`, `{"a":1}`, 1, 1, 0},
		{"a fault is no value", `{"a":{"type":"fault","reason":"excluded","addr":"0x0"}}`, `{"a":0}`, 0, 0, 1},
		{"a fault is no structure", `{"a":{"type":"fault","reason":"excluded","addr":"0x0"}}`, `{"a":{"b":0}}`, 0, 0, 4},
		{"nothing", `{"a":null}`, `{"a":null}`, 0, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, d := row(t, tt.kdive), row(t, tt.drgn)
			got := rules.Value("any", "struct s", "s", k, d)
			if got.Equal != tt.equal || got.Explained != tt.explained || got.Unexplained != tt.unexplained {
				t.Errorf("%s, want %d %d %d: %q", got.Summary(), tt.equal, tt.explained, tt.unexplained, got.Diffs)
			}
		})
	}
}

func row(t *testing.T, text string) map[string]any {
	t.Helper()
	rows, others := Rows(text)
	if len(rows) != 1 || len(others) > 0 {
		t.Fatalf("%q is no object", text)
	}
	return rows[0]
}

func TestKept(t *testing.T) {
	dir := t.TempDir()
	want := Kept{Dump: "d", Crash: "crash> sys\n\nx\n", CrashVersion: "1", Drgn: strings.Repeat("{}\n\n", 1000), DrgnVersion: "2",
		More: More{Wide: "w\n\n", Stacks: "s", DrgnWide: "{}"}}
	if err := want.Write(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadKept(dir, "d"); err != nil || got != want {
		t.Errorf("%v: %v", got, err)
	}
	if _, err := ReadKept(dir, "e"); err == nil {
		t.Error("no error for a file that is not there")
	}
}

// facts of a system with one task.
const testFacts = `{"kind":"meta","drgn":"0"}
{"kind":"system","present":2,"online":1,"date":10,"uptime":5.5,"load":[0.5,0,0],"nodename":"n","release":"r","version":"v","machine":"m","tasks":1,"panic":null}
{"kind":"task","task":16,"pid":1,"tgid":1,"ppid":0,"cpu":0,"comm":"init","state":"S","kernel":false,"vsz":8,"rss":4,"active":true,"start_time":3,"utime":1,"stime":2,"last":null,"args":["a","b"],"env":null}
{"kind":"module","module":32,"name":"m","base":4096,"regions":[[4096,4096],[8192,4096]]}
{"kind":"log","sequence":0,"time":7,"level":6,"facility":0,"caller":"T1","text":"hello","subsystem":"","device":""}
{"kind":"struct","task":16,"value":{"pid":1}}
`

var testAnswers = map[string]string{
	"sys":                   `{"type":"system","cpus":2,"offline":1,"date":"1970-01-01T00:00:10Z","uptime":5.1,"load_average":[0.5,0,0],"nodename":"n","release":"r","version":"v","machine":"m","tasks":1}`,
	"log":                   `{"type":"log","sequence":0,"time":7,"level":6,"facility":0,"caller":"T1","text":"hello","subsystem":null,"device":null}`,
	"ps":                    `{"type":"task","task":"0x10","pid":1,"tgid":1,"ppid":0,"cpu":0,"comm":"init","state":"IN","kernel":false,"vsz":8,"rss":4,"active":true}`,
	"ps -t":                 `{"type":"task_times","task":"0x10","start_time":3,"utime":1,"stime":2}`,
	"ps -a":                 `{"type":"task_args","task":"0x10","args":["a","b"],"env":[]}`,
	"mod":                   `{"type":"module","module":"0x20","name":"m","base":"0x1000","size":8192}`,
	"struct task_struct 10": `{"type":"struct","value":{"pid":1}}`,
}

func TestFacts(t *testing.T) {
	f, err := ParseFacts(testFacts)
	if err != nil {
		t.Fatal(err)
	}
	said := func(change func(command, answer string) string) string {
		var b strings.Builder
		for c, a := range testAnswers {
			b.WriteString(Prompt + c + " | json\n" + change(c, a) + "\n")
		}
		return b.String()
	}
	unexplained := func(kdive string) (n, compared int) {
		for _, c := range Compare(nil, "d", "", f, kdive) {
			n += c.Tally.Unexplained
			compared += c.Tally.Compared()
		}
		return n, compared
	}
	same := func(_, a string) string { return a }
	if n, compared := unexplained(said(same)); n != 0 || compared < 30 {
		t.Errorf("%d differences in %d values", n, compared)
	}
	for command, edit := range map[string][2]string{
		"sys": {`"uptime":5.1`, `"uptime":50`}, "log": {"hello", "hallo"}, "ps": {`"state":"IN"`, `"state":"RU"`}, "ps -t": {`"utime":1`, `"utime":2`},
		"ps -a": {`"b"`, `"c"`}, "mod": {"8192", "4096"}, "struct task_struct 10": {`"pid":1`, `"pid":2`},
	} {
		n, _ := unexplained(said(func(c, a string) string {
			if c != command {
				return a
			}
			return strings.Replace(a, edit[0], edit[1], 1)
		}))
		if n != 1 {
			t.Errorf("%s: %d differences after a change", command, n)
		}
		if n, _ := unexplained(said(func(c, a string) string {
			if c != command {
				return a
			}
			return "oops"
		})); n == 0 {
			t.Errorf("%s: no difference without an answer", command)
		}
	}
}
