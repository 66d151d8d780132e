package repl

import (
	"fmt"
	"sort"
	"strings"
)

// Alias is a short word for the beginning of a command line.
type Alias struct {
	Name   string
	Text   string
	Origin string // "builtin", "runtime", or the file that defined it
}

// builtinOrder lists the aliases of crash in its order. The one for gdb is missing:
// there is no gdb here.
var builtinOrder = []Alias{
	{Name: "man", Text: "help"}, {Name: "?", Text: "help"}, {Name: "quit", Text: "q"},
	{Name: "sf", Text: "set scroll off"}, {Name: "sn", Text: "set scroll on"},
	{Name: "hex", Text: "set radix 16"}, {Name: "dec", Text: "set radix 10"},
	{Name: "px", Text: "p -x"}, {Name: "pd", Text: "p -d"},
	{Name: "for", Text: "foreach"}, {Name: "size", Text: "*"},
	{Name: "dmesg", Text: "log"}, {Name: "lsmod", Text: "mod"}, {Name: "last", Text: "ps -l"},
}

func builtinAliases() map[string]Alias {
	m := map[string]Alias{}
	for _, a := range builtinOrder {
		a.Origin = "builtin"
		m[a.Name] = a
	}
	return m
}

// Aliases are all aliases: those of crash in its order, then the user's by name.
func (sh *Shell) Aliases() []Alias {
	var all, own []Alias
	for _, b := range builtinOrder {
		if a, ok := sh.aliases[b.Name]; ok && a.Origin == "builtin" {
			all = append(all, a)
		}
	}
	for _, a := range sh.aliases {
		if a.Origin != "builtin" {
			own = append(own, a)
		}
	}
	sort.Slice(own, func(i, j int) bool { return own[i].Name < own[j].Name })
	return append(all, own...)
}

// SetAlias defines an alias; an empty text removes it.
func (sh *Shell) SetAlias(name, text string) error {
	if name == "" || strings.ContainsAny(name, " \t|<>;#!\\'\"()/") {
		return fmt.Errorf("not a name for an alias: %s", name)
	}
	old, known := sh.aliases[name]
	switch {
	case text == "" && !known:
		return fmt.Errorf("alias does not exist: %s", name)
	case text == "":
		delete(sh.aliases, name)
		return nil
	case known && old.Origin == "builtin":
		return fmt.Errorf("cannot redefine the built-in alias %s", name)
	case sh.commands[name] != nil && strings.Fields(text)[0] != name:
		return fmt.Errorf("%s is a command", name)
	}
	origin := "runtime"
	if n := len(sh.inputs); n > 0 {
		origin = sh.inputs[n-1]
	}
	sh.aliases[name] = Alias{Name: name, Text: text, Origin: origin}
	return nil
}
