package repl

import (
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// maxCandidates bounds what completion offers.
const maxCandidates = 200

// completer offers words to the line editor.
type completer struct{ sh *Shell }

// Do is called by the line editor with the line and the cursor. It returns what
// each candidate adds behind the cursor. It runs in the editor's goroutine, where a
// panic or a fault in a mapped file would end the session: then there are none.
func (c *completer) Do(line []rune, pos int) (tails [][]rune, length int) {
	if pos > len(line) {
		return nil, 0
	}
	var words []string
	var start int
	err := guarded(func() error {
		words, start = c.sh.Complete(string(line[:pos]))
		return nil
	})
	if err != nil {
		return nil, 0
	}
	typed := len([]rune(string(line[:pos])[start:]))
	for _, w := range words {
		r := []rune(w)
		if len(r) < typed {
			continue
		}
		tail := r[typed:]
		if len(words) == 1 && !strings.HasSuffix(w, "/") && !strings.HasSuffix(w, ".") {
			tail = append(tail, ' ')
		}
		tails = append(tails, tail)
	}
	return tails, typed
}

// Complete returns the words that can stand where text ends, sorted, and where
// in text the word begins that they replace.
func (sh *Shell) Complete(text string) (words []string, start int) {
	begin := strings.LastIndexByte(text, ';') + 1
	if i := strings.LastIndexAny(text, "|<>"); i >= begin && !isArrow(text, i) {
		start = wordStart(text, i+1)
		if text[i] == '|' {
			return matching([]string{"json"}, text[start:]), start
		}
		return completeFile(text[start:]), start
	}
	line := strings.TrimLeft(text[begin:], " \t")
	at := len(text) - len(line)
	if line == "" {
		return sh.commandNames(""), at
	}
	name, end := commandName(line)
	if end == len(line) && name != "*" {
		words := sh.commandNames(name)
		if words == nil && sh.words != nil { // the name of a structure or variable alone is a command, too
			words = matching(sh.words(nil, name), name)
		}
		return words, at + end - len(name)
	}
	expanded, err := expandAliases(line, sh)
	if err != nil || expanded == "" {
		return nil, len(text)
	}
	name, end = commandName(expanded)
	start = wordStart(text, begin)
	if name == "*" && start == at {
		start++
	}
	return sh.completeOperand(name, strings.Fields(expanded[end:]), text[start:]), start
}

// wordStart is where the last word of text begins, not before from.
func wordStart(text string, from int) int {
	i := strings.LastIndexAny(text[from:], " \t(") // a parenthesis begins an expression
	return from + i + 1
}

func (sh *Shell) completeOperand(name string, args []string, prefix string) []string {
	if len(args) > 0 && prefix != "" {
		args = args[:len(args)-1]
	}
	cmd, ok := sh.commands[name]
	switch {
	case !ok:
		return nil
	case strings.HasPrefix(prefix, "-"):
		return matching(cmd.flags(), prefix)
	case cmd.Complete != nil:
		return matching(cmd.Complete(sh, args, prefix), prefix)
	case sh.words != nil && prefix != "":
		return matching(sh.words(args, prefix), prefix)
	}
	return nil
}

// flags are all options of a command as they are typed.
func (cmd *Command) flags() []string {
	var f []string
	for _, o := range cmd.Options {
		if !o.Number {
			f = append(f, "-"+o.Name)
		}
	}
	return append(f, "--json", "--help")
}

func (sh *Shell) commandNames(prefix string) []string {
	var names []string
	for n, c := range sh.commands {
		if !c.Hidden {
			names = append(names, n)
		}
	}
	for n := range sh.aliases {
		names = append(names, n)
	}
	return matching(names, prefix)
}

// CommandNames completes the name of a command, for help.
func (sh *Shell) CommandNames(prefix string) []string { return sh.commandNames(prefix) }

// VariableNames completes "set NAME" and "set NAME VALUE".
func (sh *Shell) VariableNames(args []string, prefix string) []string {
	if len(args) == 0 {
		return matching(sh.variableNames(), prefix)
	}
	v, _ := sh.Variable(args[0])
	return matching(v.Values, prefix)
}

func matching(words []string, prefix string) []string {
	var m []string
	for _, w := range words {
		if strings.HasPrefix(w, prefix) {
			m = append(m, w)
		}
	}
	sort.Strings(m)
	return bound(slices.Compact(m))
}

func bound(words []string) []string { return words[:min(len(words), maxCandidates)] }

// completeFile lists files that begin with prefix.
func completeFile(prefix string) []string {
	dir, base := filepath.Split(prefix)
	list, err := os.ReadDir(filepath.Clean(expandHome(dir + ".")))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range list {
		name := e.Name()
		if !strings.HasPrefix(name, base) || base == "" && name[0] == '.' || strings.ContainsAny(name, " \t|<>;'\"\\") {
			continue
		}
		if e.IsDir() {
			name += "/"
		}
		names = append(names, dir+name)
	}
	sort.Strings(names)
	return bound(names)
}
