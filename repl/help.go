package repl

import (
	"fmt"
	"io"
	"strings"

	"github.com/kdive/kdive/repl/output"
)

// HelpRecord prints the help of a command, generated from its declaration.
var HelpRecord = &output.Record[*Command]{
	Type: "help",
	Help: "one command",
	Columns: []output.Column[*Command]{
		{Name: "name", Help: "name of the command", Get: func(c **Command) output.Value { return output.String((*c).Name) }},
		{Name: "summary", Help: "what it does", Get: func(c **Command) output.Value { return output.String((*c).Summary) }},
		{Name: "synopsis", Help: "operands and options, one string a form", Get: func(c **Command) output.Value {
			return output.Strings(strings.Split((*c).Synopsis, "\n"))
		}},
		{Name: "options", Help: "options: name, argument and help", Get: func(c **Command) output.Value { return optionsValue(*c) }},
		{Name: "records", Help: "types of rows that it emits", Get: func(c **Command) output.Value { return recordsValue(*c) }},
	},
	Text: func(b []byte, c **Command) []byte { return append(b, helpText(*c)...) },
}

func optionsValue(c *Command) output.Value {
	var v []output.Value
	for _, o := range c.Options {
		v = append(v, output.Object(output.Field{Name: "name", Value: output.String(o.Name)},
			output.Field{Name: "argument", Value: output.String(o.Arg + o.Assign)},
			output.Field{Name: "help", Value: output.String(oneLine(o.Help))}))
	}
	return output.List(v...)
}

func recordsValue(c *Command) output.Value {
	var v []output.Value
	for _, r := range c.Records {
		d := r.Describe()
		var f []output.Value
		for _, x := range d.Fields {
			f = append(f, output.Object(output.Field{Name: "name", Value: output.String(x.Name)},
				output.Field{Name: "kind", Value: output.String(x.Kind)},
				output.Field{Name: "help", Value: output.String(x.Help)}))
		}
		v = append(v, output.Object(output.Field{Name: "type", Value: output.String(d.Type)},
			output.Field{Name: "fields", Value: output.List(f...)}))
	}
	return output.List(v...)
}

// oneLine joins the lines of a declaration's text.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// helpWidth is the width that help text is filled to.
const helpWidth = 78

// helpText is the page that "help NAME" prints.
func helpText(c *Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nNAME\n  %s - %s\n\nSYNOPSIS\n", c.Name, c.Summary)
	for _, line := range strings.Split(c.Synopsis, "\n") {
		b.WriteString(strings.TrimRight("  "+c.Name+" "+line, " ") + "\n")
	}
	if c.Detail != "" {
		b.WriteString("\nDESCRIPTION\n")
		writeDetail(&b, c.Detail, "  ")
	}
	b.WriteString("\nOPTIONS\n")
	for _, o := range append(append([]Option(nil), c.Options...), universal...) {
		writeOption(&b, o)
	}
	if len(c.Records) > 0 {
		b.WriteString("\nFIELDS (JSON)\n")
		for _, r := range c.Records {
			writeRecord(&b, r.Describe())
		}
	}
	if len(c.Examples) > 0 {
		b.WriteString("\nEXAMPLES\n")
		for _, e := range c.Examples {
			fmt.Fprintf(&b, "  %s\n", e.Line)
			writeFilled(&b, e.Help, "      ")
		}
	}
	b.WriteString("\n")
	return b.String()
}

// flag spells an option as the user types it.
func (o Option) flag() string {
	s := "-" + o.Name
	switch {
	case o.Number:
		s = "-" + strings.ToUpper(o.Name)
	case o.Name == "json" || o.Name == "help":
		s = "--" + o.Name
	}
	if o.Arg != "" {
		s += " " + o.Arg
	} else if o.Assign != "" {
		s += "[=" + o.Assign + "]"
	}
	return s
}

func writeOption(b *strings.Builder, o Option) {
	const column = 16
	flag := "  " + o.flag()
	indent := strings.Repeat(" ", column)
	lines := fill(o.Help, helpWidth-column)
	if len(flag) > column-2 {
		b.WriteString(flag + "\n")
	} else if len(lines) > 0 {
		b.WriteString(flag + strings.Repeat(" ", column-len(flag)) + lines[0] + "\n")
		lines = lines[1:]
	}
	for _, l := range lines {
		b.WriteString(indent + l + "\n")
	}
}

func writeRecord(b *strings.Builder, d output.RecordDoc) {
	fmt.Fprintf(b, "  %s: %s\n", d.Type, d.Help)
	width := 0
	for _, f := range d.Fields {
		width = max(width, len(f.Name))
	}
	for _, f := range d.Fields {
		kind := f.Kind
		if kind != "" {
			kind = " (" + kind + ")"
		}
		lines := fill(f.Help+kind, helpWidth-width-6)
		for i, l := range lines {
			name := f.Name
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(b, "    %-*s  %s\n", width, name, l)
		}
	}
}

// writeDetail fills paragraphs; lines that begin with a blank stay as they are.
func writeDetail(b *strings.Builder, text, indent string) {
	for i, par := range strings.Split(strings.Trim(text, "\n"), "\n\n") {
		if i > 0 {
			b.WriteString("\n")
		}
		if !strings.HasPrefix(par, " ") && !strings.Contains(par, "\n ") {
			writeFilled(b, par, indent)
			continue
		}
		for _, line := range strings.Split(par, "\n") {
			b.WriteString(strings.TrimRight(indent+line, " ") + "\n")
		}
	}
}

func writeFilled(b *strings.Builder, text, indent string) {
	for _, l := range fill(text, helpWidth-len(indent)) {
		b.WriteString(indent + l + "\n")
	}
}

// fill breaks text at blanks into lines of at most width bytes.
func fill(text string, width int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(text) {
		switch {
		case line == "":
			line = w
		case len(line)+1+len(w) <= width:
			line += " " + w
		default:
			lines = append(lines, line)
			line = w
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// Manual writes docs/commands.md: every command, from the same declarations.
func Manual(w io.Writer, commands []*Command) error {
	var b strings.Builder
	b.WriteString("# Commands\n\nThis file is generated from the declarations of the commands. ")
	b.WriteString("Every command takes `--json` (one JSON object a line) and `--help`.\n\n")
	for _, c := range commands {
		if !c.Hidden {
			fmt.Fprintf(&b, "- [`%s`](#%s): %s\n", c.Name, anchor(c.Name), c.Summary)
		}
	}
	for _, c := range commands {
		if !c.Hidden {
			manualEntry(&b, c)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func anchor(name string) string {
	if name == "*" {
		return "star"
	}
	return name
}

func manualEntry(b *strings.Builder, c *Command) {
	fmt.Fprintf(b, "\n<a id=\"%s\"></a>\n\n## %s\n\n%s.\n\n```\n", anchor(c.Name), c.Name, capital(c.Summary))
	for _, line := range strings.Split(c.Synopsis, "\n") {
		b.WriteString(strings.TrimRight(c.Name+" "+line, " ") + "\n")
	}
	b.WriteString("```\n")
	if c.Detail != "" {
		b.WriteString("\n" + manualDetail(c.Detail) + "\n")
	}
	if len(c.Options) > 0 {
		b.WriteString("\n| option | meaning |\n|---|---|\n")
		for _, o := range c.Options {
			fmt.Fprintf(b, "| `%s` | %s |\n", cell(o.flag()), cell(o.Help))
		}
	}
	for _, r := range c.Records {
		d := r.Describe()
		fmt.Fprintf(b, "\nJSON type `%s`: %s.\n\n| field | kind | meaning |\n|---|---|---|\n", d.Type, d.Help)
		for _, f := range d.Fields {
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.Name, f.Kind, cell(f.Help))
		}
	}
	if len(c.Examples) > 0 {
		b.WriteString("\nExamples:\n\n")
		for _, e := range c.Examples {
			fmt.Fprintf(b, "- `%s`: %s\n", e.Line, oneLine(e.Help))
		}
	}
}

// manualDetail indents preformatted paragraphs as Markdown wants them.
func manualDetail(text string) string {
	pars := strings.Split(strings.Trim(text, "\n"), "\n\n")
	for i, p := range pars {
		if strings.HasPrefix(p, " ") || strings.Contains(p, "\n ") {
			pars[i] = "```\n" + p + "\n```"
		}
	}
	return strings.Join(pars, "\n\n")
}

func cell(s string) string { return strings.ReplaceAll(oneLine(s), "|", `\|`) }

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
