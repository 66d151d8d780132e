package repl

import (
	"fmt"
	"strings"
)

// parsedOption is one option as it was given.
type parsedOption struct {
	name, value string
}

// universal are the options that every command has.
var universal = []Option{
	{Name: "json", Help: "print one JSON object a line instead of text"},
	{Name: "help", Help: "print the help of the command"},
}

// parsedArgs is what is left of a command's words.
type parsedArgs struct {
	options    []parsedOption
	operands   []word
	rest       string
	json, help bool
}

// parseArgs sorts the text behind a command's name into options and operands.
// Options may follow operands, as in crash, unless what follows is text; "--" ends them. A word such as -5
// that is no declared option is an operand.
func (cmd *Command) parseArgs(text string) (parsedArgs, error) {
	if cmd.Expr {
		return cmd.parseExpr(text)
	}
	words, err := splitWords(text)
	if err != nil {
		return parsedArgs{}, err
	}
	var p parsedArgs
	from := -1
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w.raw == "--":
			p.operands = append(p.operands, words[i+1:]...)
			if from < 0 && i+1 < len(words) {
				from = words[i+1].pos
			}
			i = len(words)
		case isOption(w) && !(cmd.Text && len(p.operands) > 0):
			used, err := cmd.option(&p, w.text, words[i+1:])
			if err != nil {
				return p, err
			}
			if used < 0 { // a negative number
				p.operands = append(p.operands, w)
				used = 0
				if from < 0 {
					from = w.pos
				}
			}
			i += used
		default:
			p.operands = append(p.operands, w)
			if from < 0 {
				from = w.pos
			}
		}
	}
	if from >= 0 {
		p.rest = strings.TrimRight(text[from:], " \t")
	}
	return p, nil
}

func isOption(w word) bool {
	return w.quote == 0 && len(w.text) > 1 && w.text[0] == '-' && !isBlank(w.text[1])
}

// parseExpr reads options in front of an expression. The first word that is no
// option begins the expression; --json may also end it.
func (cmd *Command) parseExpr(text string) (parsedArgs, error) {
	var p parsedArgs
	text = strings.TrimSpace(text)
	for text != "" {
		end := strings.IndexAny(text, " \t")
		if end < 0 {
			end = len(text)
		}
		w := text[:end]
		if w == "--" {
			text = strings.TrimSpace(text[end:])
			break
		}
		if len(w) < 2 || w[0] != '-' || !cmd.isDeclared(w) {
			break
		}
		after := strings.TrimSpace(text[end:])
		next := after
		if i := strings.IndexAny(after, " \t"); i >= 0 {
			next = after[:i]
		}
		used, err := cmd.option(&p, w, []word{{text: next}})
		if err != nil {
			return p, err
		}
		text = after
		if used > 0 {
			text = strings.TrimSpace(after[len(next):])
		}
	}
	if s, ok := strings.CutSuffix(text, " --json"); ok {
		p.json = true
		text = strings.TrimSpace(s)
	}
	p.rest = text
	if text != "" {
		p.operands = []word{{text: text, raw: text}}
	}
	return p, nil
}

// isDeclared tells whether every part of a dashed word is an option.
func (cmd *Command) isDeclared(w string) bool {
	name := strings.TrimPrefix(w[1:], "-")
	name, _, _ = strings.Cut(name, "=")
	if cmd.find(name) != nil {
		return true
	}
	if w[1] == '-' {
		return false
	}
	for i := range w[1:] {
		o := cmd.find(w[i+1 : i+2])
		if o == nil {
			return false
		}
		if o.Arg != "" {
			return true
		}
	}
	return true
}

// find returns the declaration of an option by its exact name.
func (cmd *Command) find(name string) *Option {
	for i := range cmd.Options {
		if o := &cmd.Options[i]; o.Name == name && !o.Number {
			return o
		}
	}
	if len(name) > 1 {
		for i := range universal {
			if universal[i].Name == name {
				return &universal[i]
			}
		}
	}
	return nil
}

// option reads one dashed word; following are the words behind it. It returns
// how many of them it used as argument, or -1 if the word is an operand.
func (cmd *Command) option(p *parsedArgs, w string, following []word) (used int, err error) {
	body := w[1:]
	if name, ok := strings.CutPrefix(body, "-"); ok {
		return cmd.long(p, name, following)
	}
	if name, value, ok := strings.Cut(body, "="); ok {
		if o := cmd.find(name); o != nil && o.Assign != "" {
			if value == "" {
				return 0, &UsageError{cmd, fmt.Sprintf("option -%s= needs an argument: %s", o.Name, o.Assign)}
			}
			return cmd.add(p, o, value, true, following)
		}
	}
	if o := cmd.find(body); o != nil && (len(body) > 1 || o.Arg == "") {
		return cmd.add(p, o, "", false, following)
	}
	if isNumber(body) {
		for _, o := range cmd.Options {
			if o.Number {
				p.options = append(p.options, parsedOption{o.Name, body})
				return 0, nil
			}
		}
	}
	return cmd.cluster(p, w, following)
}

// cluster reads -xyz, the last of which may take the rest of the word or the
// next word as its argument.
func (cmd *Command) cluster(p *parsedArgs, w string, following []word) (used int, err error) {
	before := len(p.options)
	for i := 1; i < len(w); i++ {
		o := cmd.find(w[i : i+1])
		if o == nil {
			p.options = p.options[:before]
			if isNumber(w[1:]) {
				return -1, nil
			}
			return 0, &UsageError{cmd, fmt.Sprintf("invalid option -- '%s'", firstRune(w[i:]))}
		}
		if o.Arg != "" {
			return cmd.add(p, o, w[i+1:], i+1 < len(w), following)
		}
		p.options = append(p.options, parsedOption{name: o.Name})
	}
	return 0, nil
}

// long reads --name, --name=value or --name value.
func (cmd *Command) long(p *parsedArgs, name string, following []word) (used int, err error) {
	name, value, given := strings.Cut(name, "=")
	o := cmd.find(name)
	if o == nil {
		return 0, &UsageError{cmd, fmt.Sprintf("unknown option --%s", name)}
	}
	if given && o.Arg == "" && o.Assign == "" {
		return 0, &UsageError{cmd, fmt.Sprintf("option --%s takes no argument", name)}
	}
	return cmd.add(p, o, value, given, following)
}

// add records option o. The argument is value if given, else the next word.
func (cmd *Command) add(p *parsedArgs, o *Option, value string, given bool, following []word) (used int, err error) {
	switch {
	case o == &universal[0]:
		p.json = true
	case o == &universal[1]:
		p.help = true
	case o.Arg == "" && (!given || o.Assign == ""):
		p.options = append(p.options, parsedOption{name: o.Name})
	case given:
		p.options = append(p.options, parsedOption{o.Name, value})
	case len(following) == 0 || following[0].raw == "" && following[0].text == "":
		return 0, &UsageError{cmd, fmt.Sprintf("option -%s needs an argument: %s", o.Name, o.Arg)}
	default:
		p.options = append(p.options, parsedOption{o.Name, following[0].text})
		return 1, nil
	}
	return 0, nil
}

// isNumber tells whether s looks like a number behind a minus sign.
func isNumber(s string) bool {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return false
	}
	_, err := ParseNumber(s)
	return err == nil
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}
