// Package judge compares what kdive says of a dump with what crash and drgn say.
//
// It knows the layout of the peers' answers, how two texts or two trees of
// values are compared, and which differences are explained (explained.txt, with
// reasons). It must not know how the programs are run: package compare runs
// them, package realdump compares with answers that were kept. Start from Text
// and Facts.
package judge

import "strings"

// Tally is the outcome of one comparison, in lines of text or in values.
type Tally struct {
	Equal       int
	Explained   int
	Unexplained int
	Rules       map[string]int // by which rules how many were explained
	Diffs       []string       // the unexplained differences, for people; at most maxDiffs
}

// maxDiffs bounds the differences that are kept of one comparison.
const maxDiffs = 60

// Compared is how many lines or values were looked at.
func (t *Tally) Compared() int { return t.Equal + t.Explained + t.Unexplained }

// Add adds the outcome of another comparison.
func (t *Tally) Add(o Tally) {
	t.Equal += o.Equal
	t.Explained += o.Explained
	t.Unexplained += o.Unexplained
	for id, n := range o.Rules {
		t.explain(id, n)
	}
	for _, d := range o.Diffs {
		t.note(d)
	}
}

func (t *Tally) explain(id string, n int) {
	if t.Rules == nil {
		t.Rules = map[string]int{}
	}
	t.Rules[id] += n
}

func (t *Tally) note(diff string) {
	if len(t.Diffs) < maxDiffs {
		t.Diffs = append(t.Diffs, diff)
	}
}

// Fail counts a difference that nothing can explain.
func (t *Tally) Fail(diff string) {
	t.Unexplained++
	t.note(diff)
}

// Section is what one command printed.
type Section struct {
	Command string
	Text    string
}

// Sections cuts the output of a session in which a line "prompt + command"
// stands before what the command printed. What stands before the first command
// is returned as head.
func Sections(output, prompt string) (head string, sections []Section) {
	var b strings.Builder
	flush := func() {
		if n := len(sections); n > 0 {
			sections[n-1].Text = b.String()
		} else {
			head = b.String()
		}
		b.Reset()
	}
	for line := range strings.Lines(output) {
		if cmd, ok := strings.CutPrefix(line, prompt); ok {
			flush()
			sections = append(sections, Section{Command: strings.TrimSpace(cmd)})
			continue
		}
		b.WriteString(line)
	}
	flush()
	return head, sections
}

// answers are what a session printed, by command.
func answers(session, prompt string) map[string]string {
	said := map[string]string{}
	_, sections := Sections(session, prompt)
	for _, s := range sections {
		said[s.Command] = s.Text
	}
	return said
}

// Lines are the lines of a text with every run of blanks made one and none at
// the end of a line, and without empty lines at the end of the text.
func Lines(text string) []string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		indented := len(l) > 0 && (l[0] == ' ' || l[0] == '\t')
		lines[i] = strings.Join(strings.Fields(l), " ")
		if indented && lines[i] != "" {
			lines[i] = " " + lines[i]
		}
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
