package judge

import "fmt"

// Text compares what a peer and kdive printed for one command on one dump, line
// by line after collapsing blanks. Where lines differ, the rules for that dump
// and command are applied to both sides and what is equal then is explained.
func (r Rules) Text(dump, command, peer, peerText, kdiveText string) Tally {
	var t Tally
	a, b := Lines(peerText), Lines(kdiveText)
	rules := r.of(dump, command)
	for _, h := range diff(a, b) {
		t.Equal += h.equal
		if len(h.a)+len(h.b) > 0 {
			rules.hunk(&t, h, peer)
		}
	}
	return t
}

// changed is a line after the rules were applied to it.
type changed struct {
	line string // after
	was  string
	by   []string // ids of the rules
}

// hunk judges lines that differ.
func (r Rules) hunk(t *Tally, h hunk, peer string) {
	a, b := r.apply(t, h.a, peer), r.apply(t, h.b, "kdive")
	i, j := 0, 0
	for _, h := range diff(plain(a), plain(b)) {
		for range h.equal {
			by := append(a[i].by, b[j].by...)
			for _, id := range by {
				t.explain(id, 1)
			}
			if len(by) > 0 {
				t.Explained++
			} else {
				t.Equal++
			}
			i++
			j++
		}
		n := max(len(h.a), len(h.b))
		t.Unexplained += n
		for range h.a {
			t.note(fmt.Sprintf("%-6s %s", peer, a[i].was))
			i++
		}
		for range h.b {
			t.note(fmt.Sprintf("%-6s %s", "kdive", b[j].was))
			j++
		}
	}
}

// apply changes the lines of one side as the rules say; a line that a rule drops
// is explained, and so is the empty line that parts it from others.
func (r Rules) apply(t *Tally, lines []string, side string) []changed {
	var out []changed
	dropped := "" // the rule that dropped the line before
	for i, l := range lines {
		c, by := r.applyTo(l, side)
		if by == "" && l == "" {
			if by = dropped; by == "" && i+1 < len(lines) {
				_, by = r.applyTo(lines[i+1], side)
			}
			dropped = "" // one empty line, not all
		} else {
			dropped = by
		}
		if by != "" {
			t.explain(by, 1)
			t.Explained++
			continue
		}
		out = append(out, c)
	}
	return out
}

// applyTo changes a line, or says which rule drops it.
func (r Rules) applyTo(line, side string) (c changed, dropped string) {
	c = changed{line: line, was: line}
	for _, rule := range r {
		for _, e := range rule.edits {
			if e.side != side || !e.pattern.MatchString(c.line) {
				continue
			}
			if e.drop {
				return c, rule.ID
			}
			c.line = e.pattern.ReplaceAllString(c.line, e.with)
			c.by = append(c.by, rule.ID)
		}
	}
	return c, ""
}

func plain(c []changed) []string {
	s := make([]string, len(c))
	for i := range c {
		s[i] = c[i].line
	}
	return s
}

// hunk is a number of equal lines and what differs behind them.
type hunk struct {
	equal int
	a, b  []string
}

// maxTable bounds the table that a comparison makes, in cells.
const maxTable = 30 << 20

// diff pairs up the lines of a and b by their longest common subsequence. Texts
// that would need too large a table differ as a whole between what they have in
// common at both ends.
func diff(a, b []string) []hunk {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	x, y := a[head:len(a)-tail], b[head:len(b)-tail]
	hunks := []hunk{{equal: head}}
	if len(x) > 0 && len(y) > 0 && len(x)*len(y) <= maxTable {
		hunks = append(hunks, common(x, y)...)
	} else {
		hunks = append(hunks, hunk{a: x, b: y})
	}
	return append(hunks, hunk{equal: tail})
}

func common(a, b []string) []hunk {
	w := len(b) + 1
	longest := make([]int32, (len(a)+1)*w)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				longest[i*w+j] = longest[(i+1)*w+j+1] + 1
			} else {
				longest[i*w+j] = max(longest[(i+1)*w+j], longest[i*w+j+1])
			}
		}
	}
	var hunks []hunk
	var h hunk
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			if len(h.a)+len(h.b) > 0 {
				hunks = append(hunks, h)
				h = hunk{}
			}
			h.equal++
			i++
			j++
		case j == len(b) || i < len(a) && longest[(i+1)*w+j] >= longest[i*w+j+1]:
			h.a = append(h.a, a[i])
			i++
		default:
			h.b = append(h.b, b[j])
			j++
		}
	}
	return append(hunks, h)
}

// Summary is a tally in one line.
func (t *Tally) Summary() string {
	return fmt.Sprintf("compared %d, equal %d, explained %d, unexplained %d", t.Compared(), t.Equal, t.Explained, t.Unexplained)
}
