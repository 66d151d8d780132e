package repl

import (
	"fmt"
	"os"
	"sort"
	"strconv"
)

// Settings are the variables of a session that commands look at.
type Settings struct {
	Radix      int    // 10 or 16: how numbers of values print
	PrintMax   int    // elements of an array or characters of a string that print
	PrintArray bool   // one array element a line
	NullStop   bool   // character arrays end at the first NUL
	Hash       bool   // long walks remember what they met, to find loops
	Inline     bool   // stack frames of inlined functions are shown
	Offline    bool   // CPUs that are off line are shown
	Scroll     bool   // long output goes through the pager
	Pager      string // command line of the pager, "" for the one of the environment
	Silent     bool   // scripts are not echoed
	JSON       bool   // every command prints JSON
	Errors     string // "default", "redirect" or a file
}

func defaultSettings() *Settings {
	return &Settings{Radix: 10, PrintMax: 256, Hash: true, Inline: true, Offline: true, Scroll: true, Errors: "default"}
}

// Variable is one name that the set command knows.
type Variable struct {
	Name   string
	Help   string
	Values []string              // what it can be set to, for help and completion; nil: see Help
	Get    func() string         // value as "set -v" shows it
	Set    func(string) error    // nil: cannot be set
	Said   func() string         // what "set name" answers; nil: "name: value"
	Config func() (value string) // value alone, for JSON; nil: Get
}

// AddVariable makes v known to the set command.
func (sh *Shell) AddVariable(v Variable) {
	if _, ok := sh.Variable(v.Name); ok {
		panic("variable declared twice: " + v.Name)
	}
	sh.variables = append(sh.variables, v)
}

// Variables are all variables in the order in which they were added.
func (sh *Shell) Variables() []Variable { return sh.variables }

// Variable finds a variable by name.
func (sh *Shell) Variable(name string) (Variable, bool) {
	for _, v := range sh.variables {
		if v.Name == name {
			return v, true
		}
	}
	return Variable{}, false
}

var onOff = []string{"on", "off"}

func showBool(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// BoolVariable is a variable that is on or off.
func BoolVariable(name, help string, p *bool) Variable {
	return Variable{
		Name: name, Help: help, Values: onOff,
		Get: func() string { return showBool(*p) },
		Set: func(s string) error {
			switch s {
			case "on", "1":
				*p = true
			case "off", "0":
				*p = false
			default:
				return fmt.Errorf("%s is on or off, not %s", name, s)
			}
			return nil
		},
	}
}

// addVariables declares the variables of the shell itself.
func (sh *Shell) addVariables() {
	s := sh.Settings
	sh.AddVariable(scrollVariable(sh))
	sh.AddVariable(radixVariable(s))
	sh.AddVariable(Variable{
		Name: "print_max", Help: "how many array elements or characters of a string print; 0 is no limit",
		Get: func() string { return strconv.Itoa(s.PrintMax) },
		Set: func(v string) error {
			n, err := ParseNumber(v)
			if err != nil || n > 1<<30 {
				return fmt.Errorf("invalid print_max: %s", v)
			}
			s.PrintMax = int(n)
			return nil
		},
	})
	sh.AddVariable(BoolVariable("print_array", "one array element a line", &s.PrintArray))
	sh.AddVariable(BoolVariable("null-stop", "character arrays print up to the first NUL", &s.NullStop))
	sh.AddVariable(BoolVariable("hash", "list walks remember every address, to find loops at once", &s.Hash))
	sh.AddVariable(BoolVariable("inline", "back traces show inlined functions", &s.Inline))
	sh.AddVariable(BoolVariable("silent", "commands from files are not echoed", &s.Silent))
	sh.AddVariable(BoolVariable("json", "every command prints JSON", &s.JSON))
	sh.AddVariable(Variable{
		Name: "offline", Help: "whether copies and tasks of CPUs that are off line are shown", Values: []string{"show", "hide"},
		Get: func() string {
			if s.Offline {
				return "show"
			}
			return "hide"
		},
		Set: func(v string) error {
			if v != "show" && v != "hide" {
				return fmt.Errorf("offline is show or hide, not %s", v)
			}
			s.Offline = v == "show"
			return nil
		},
	})
	sh.AddVariable(Variable{
		Name: "error", Help: "where error messages go: to the terminal (default), to where the output goes (redirect), or into a file",
		Values: []string{"default", "redirect"},
		Get:    func() string { return s.Errors },
		Set: func(v string) error {
			if v != "default" && v != "redirect" && sh.restricted {
				return errRestricted("writing a file")
			}
			s.Errors = v
			return nil
		},
	})
}

func radixVariable(s *Settings) Variable {
	return Variable{
		Name: "radix", Help: "how numbers print: 10 or 16", Values: []string{"10", "16"},
		Get: func() string {
			if s.Radix == 16 {
				return "16 (hexadecimal)"
			}
			return "10 (decimal)"
		},
		Config: func() string { return strconv.Itoa(s.Radix) },
		Said: func() string {
			if s.Radix == 16 {
				return "output radix: 16 (hex)"
			}
			return "output radix: 10 (decimal)"
		},
		Set: func(v string) error {
			switch v {
			case "10", "dec":
				s.Radix = 10
			case "16", "0x10", "hex":
				s.Radix = 16
			default:
				return fmt.Errorf("radix is 10 or 16, not %s", v)
			}
			return nil
		},
	}
}

// variableNames are the names of all variables, sorted.
func (sh *Shell) variableNames() []string {
	var names []string
	for _, v := range sh.variables {
		names = append(names, v.Name)
	}
	sort.Strings(names)
	return names
}

// setScroll is "set scroll": on and off, or the program to scroll with.
func (sh *Shell) setScroll(v string) error {
	s := sh.Settings
	switch v {
	case "off", "0":
		s.Scroll = false
		return nil
	case "on", "1":
	case "less":
		s.Pager = lessCommand
	case "more":
		s.Pager = "more"
	case "CRASHPAGER":
		p := os.Getenv("CRASHPAGER")
		if p == "" {
			return fmt.Errorf("the environment has no CRASHPAGER")
		}
		s.Pager = p
	default:
		return fmt.Errorf("scroll is on, off, less, more or CRASHPAGER, not %s", v)
	}
	s.Scroll = true
	return nil
}
