package repl

import (
	"strings"
	"testing"
)

// fakeDictionary has the expression command p and a few aliases.
type fakeDictionary map[string]string

func (d fakeDictionary) aliasText(name string) (string, bool) { s, ok := d[name]; return s, ok }
func (d fakeDictionary) isExpr(name string) bool              { return name == "p" || name == "eval" }

var testAliases = fakeDictionary{
	"px": "p -x", "top": "ps -l | head", "size": "*", "a": "b", "b": "a x", "two": "sys; set",
}

func TestStatement(t *testing.T) {
	tests := []struct {
		line string
		want statement
		rest string
	}{
		{"", statement{}, ""},
		{"   ", statement{}, ""},
		{"# comment; sys", statement{}, ""},
		{"// comment", statement{}, ""},
		{"sys", statement{text: "sys"}, ""},
		{" sys -c  ", statement{text: "sys -c"}, ""},
		{"sys ; ps", statement{text: "sys"}, "; ps"},
		{"; ps", statement{text: "ps"}, ""},
		{"ps | grep x", statement{text: "ps", pipe: "grep x"}, ""},
		{"ps|grep x|wc -l", statement{text: "ps", pipe: "grep x|wc -l"}, ""},
		{"ps | grep x; sys", statement{text: "ps", pipe: "grep x"}, "; sys"},
		{"ps | awk '{print $1; print $2}'; sys", statement{text: "ps", pipe: "awk '{print $1; print $2}'"}, "; sys"},
		{"ps | (cat; echo)", statement{text: "ps", pipe: "(cat; echo)"}, ""},
		{`ps | sed s/\;//`, statement{text: "ps", pipe: `sed s/\;//`}, ""},
		{"ps | cat > out", statement{text: "ps", pipe: "cat > out"}, ""},
		{"ps > out", statement{text: "ps", output: "out"}, ""},
		{"ps>out", statement{text: "ps", output: "out"}, ""},
		{"ps >> 'my file'; sys", statement{text: "ps", output: "my file", appends: true}, "; sys"},
		{"ps | json", statement{text: "ps", json: true}, ""},
		{"ps|json;sys", statement{text: "ps", json: true}, ";sys"},
		{"ps | json | jq .", statement{text: "ps", json: true, pipe: "jq ."}, ""},
		{"ps | json > out", statement{text: "ps", json: true, output: "out"}, ""},
		{"ps | jsonx", statement{text: "ps", pipe: "jsonx"}, ""},
		{"ps | json x", statement{text: "ps", pipe: "json x"}, ""},
		{"< file", statement{input: "file", hasIn: true}, ""},
		{"<file; sys", statement{input: "file", hasIn: true}, "; sys"},
		{"< file | wc", statement{input: "file", hasIn: true, pipe: "wc"}, ""},
		{"rd < file", statement{text: "rd", input: "file", hasIn: true}, ""},
		{"rd -p < file | wc", statement{text: "rd -p", input: "file", hasIn: true, pipe: "wc"}, ""},
		{"!ls; pwd", statement{escape: true, text: "ls; pwd"}, ""},
		{"!", statement{escape: true}, ""},
		// Protected operators.
		{"list 'a|b'", statement{text: "list 'a|b'"}, ""},
		{`search "a > b; c"`, statement{text: `search "a > b; c"`}, ""},
		{"rd (a | b) > f", statement{text: "rd (a | b)", output: "f"}, ""},
		{`ps \| x`, statement{text: `ps \| x`}, ""},
		{"struct a->b", statement{text: "struct a->b"}, ""},
		{"rd 1<<3", statement{text: "rd 1<<3"}, ""},
		{"foo a || b", statement{text: "foo a || b"}, ""},
		// Expressions.
		{"eval 8 >> 1", statement{text: "eval 8 >> 1"}, ""},
		{"eval 8>>1", statement{text: "eval 8>>1"}, ""},
		{"eval 8 > out", statement{text: "eval 8", output: "out"}, ""},
		{"eval 8 >> out", statement{text: "eval 8", output: "out", appends: true}, ""},
		{"eval 8 >> ./1", statement{text: "eval 8", output: "./1", appends: true}, ""},
		{"eval 8 | 1 | wc", statement{text: "eval 8 | 1", pipe: "wc"}, ""},
		{"p jiffies | wc", statement{text: "p jiffies", pipe: "wc"}, ""},
		{"p a | json", statement{text: "p a", json: true}, ""},
		{"p a < 5", statement{text: "p a < 5"}, ""},
		{"p a <= b", statement{text: "p a <= b"}, ""},
		{"p a >= b", statement{text: "p a >= b"}, ""},
		{"p a > (b)", statement{text: "p a > (b)"}, ""},
		{"p a > $1", statement{text: "p a > $1"}, ""},
		{"p a > $HOME", statement{text: "p a", output: "$HOME"}, ""},
		{"p a->b > out", statement{text: "p a->b", output: "out"}, ""},
		{"p a || b", statement{text: "p a || b"}, ""},
		{"p (a > b) > out", statement{text: "p (a > b)", output: "out"}, ""},
		{"p a[1] | -1", statement{text: "p a[1] | -1"}, ""},
		// Aliases and prefixes.
		{"px jiffies", statement{text: "p -x jiffies"}, ""},
		{"px 1 >> 2", statement{text: "p -x 1 >> 2"}, ""},
		{"top", statement{text: "ps -l", pipe: "head"}, ""},
		{`\px x`, statement{text: `\px x`}, ""},
		{"a", statement{text: "a x"}, ""},
		{"two", statement{text: "sys"}, "; set"},
		{"size list_head", statement{text: "* list_head"}, ""},
		{"*list_head 1", statement{text: "*list_head 1"}, ""},
	}
	for _, tt := range tests {
		got, rest, err := nextStatement(tt.line, testAliases)
		if err != nil || got != tt.want || rest != tt.rest {
			t.Errorf("%q:\n got %+v, rest %q, error %v\nwant %+v, rest %q", tt.line, got, rest, err, tt.want, tt.rest)
		}
	}
}

func TestStatementErrors(t *testing.T) {
	tests := []struct{ line, want string }{
		{"ps >", "no file name behind >"},
		{"ps >>", "no file name behind >>"},
		{"ps > a b", "text behind the output file"},
		{"ps > a | wc", "text behind the output file"},
		{"ps |", "nothing behind |"},
		{"| wc; ps", "no command in front of | wc; ps"},
		{"> f", "no command in front of > f"},
		{"ps 'x", "no closing '"},
		{`ps "x`, `no closing "`},
		{"ps > 'x", "no closing '"},
		{"rd < a < b", "more than one input file"},
		{"< a b", "operator expected"},
		{"<", "no file name behind <"},
	}
	for _, tt := range tests {
		_, _, err := nextStatement(tt.line, testAliases)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: error %v, want %q", tt.line, err, tt.want)
		}
	}
}

func FuzzStatement(f *testing.F) {
	f.Add("px a >> 1 | json | jq . ; ps > 'f' # x")
	f.Add(`\ps < in | (a; b) ; !x`)
	f.Fuzz(func(t *testing.T, line string) {
		for range len(line) + 2 {
			st, rest, err := nextStatement(line, testAliases)
			if err != nil {
				return
			}
			if st.empty() && strings.Trim(rest, " \t;") != "" {
				t.Fatalf("empty statement in front of %q", rest)
			}
			if line = rest; rest == "" {
				return
			}
		}
		t.Fatal("the line does not end")
	})
}
