package command

import (
	"strings"

	"github.com/kdive/kdive/repl"
)

// Banner is the line that greets the user of an interactive session.
const Banner = "sys; set"

// NewShell makes a session with all commands on a target.
func NewShell(o repl.Options, t *Target) *repl.Shell {
	sh := repl.New(o)
	sh.Add(All(t)...)
	if t.Opened != nil {
		sh.CompleteWords(t.completeWord)
		sh.Fallback(t.bareWord)
	}
	return sh
}

// maxCompletions is how many candidates a completion offers at most.
const maxCompletions = 500

// completeSymbols lists symbols of the kernel image that begin with prefix.
func (t *Target) completeSymbols(prefix string) []string {
	_, info, err := t.info()
	if err != nil || prefix == "" {
		return nil
	}
	var names []string
	for s := range info.Symbols() {
		if strings.HasPrefix(s.Name, prefix) {
			if names = append(names, s.Name); len(names) == maxCompletions {
				break
			}
		}
	}
	return names
}

// bareWord says what a line means whose first word is no command: the name of
// a structure or union, with members or not, is short for struct, that of a
// symbol for p. p/x is p with a format.
func (t *Target) bareWord(text string) (line string, ok bool) {
	if format, ok := strings.CutPrefix(text, "p/"); ok {
		return "p /" + format, true
	}
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	word = strings.TrimPrefix(word, "*")
	name := word
	if i := strings.IndexAny(word, ".@"); i >= 0 {
		name = word[:i]
	}
	k, err := t.kernel()
	if err != nil || name == "" {
		return "", false
	}
	if _, err := k.StructType(name); err == nil {
		return "struct " + strings.TrimPrefix(strings.TrimSpace(text), "*"), true
	}
	name, _, _ = strings.Cut(name, ":")
	if _, ok := k.Symbol(name); ok {
		return "p " + text, true
	}
	return "", false
}
