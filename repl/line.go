package repl

import (
	"fmt"
	"strings"
)

// statement is one command of a line, with where its input comes from and
// where its output goes.
type statement struct {
	escape  bool   // !text: text is for the shell
	text    string // command and operands, or the shell's text
	input   string // < file
	hasIn   bool
	json    bool   // | json
	pipe    string // | shell pipeline
	output  string // > file
	appends bool   // >> file
}

func (st *statement) empty() bool { return !st.escape && st.text == "" && !st.hasIn }

// dictionary is what the grammar must know of commands.
type dictionary interface {
	aliasText(name string) (string, bool)
	isExpr(name string) bool
}

// nextStatement takes the first statement off a line. The grammar:
//
//	line      = statement { ";" statement }
//	statement = "!" shell text up to the end of the line
//	          | "<" file
//	          | command [ "<" file ] { "| json" } [ "|" shell pipeline | ">" file | ">>" file ]
//	          | "#" or "//" comment up to the end of the line
//
// Operators in quotes or parentheses, behind a backslash, and "->", "<<", "||"
// are text of the command. In the operand of an Expr command an operator is
// arithmetic if an operand follows that cannot be taken for a file or a program.
func nextStatement(line string, dict dictionary) (st statement, rest string, err error) {
	line = strings.TrimLeft(line, " \t;")
	line, err = expandAliases(line, dict)
	if err != nil {
		return st, "", err
	}
	switch {
	case line == "" || line[0] == '#' || strings.HasPrefix(line, "//"):
		return st, "", nil
	case line[0] == '!':
		return statement{escape: true, text: strings.TrimSpace(line[1:])}, "", nil
	}
	name, at := commandName(line)
	expr := dict.isExpr(name)
	i, err := operandsEnd(line, at, expr)
	if err != nil {
		return st, "", err
	}
	st.text = strings.TrimSpace(line[:i])
	i, err = st.operators(line, i)
	switch {
	case err != nil:
		return st, "", err
	case st.empty():
		return st, "", fmt.Errorf("no command in front of %s", line)
	}
	return st, line[i:], nil
}

// operators reads what follows a command's operands, from line[i] to the end of
// the statement.
func (st *statement) operators(line string, i int) (int, error) {
	for {
		i = skipBlanks(line, i)
		if i >= len(line) || line[i] == ';' {
			return i, nil
		}
		switch line[i] {
		case '|':
			at := skipBlanks(line, i+1)
			if end, ok := jsonStage(line, at); ok {
				st.json = true
				i = end
				continue
			}
			end := shellEnd(line, at)
			st.pipe = strings.TrimSpace(line[at:end])
			if st.pipe == "" {
				return 0, fmt.Errorf("nothing behind |")
			}
			return end, nil
		case '<':
			name, end, err := fileName(line, i+1, "<")
			if err != nil {
				return 0, err
			}
			if st.hasIn {
				return 0, fmt.Errorf("more than one input file")
			}
			st.input, st.hasIn = name, true
			i = end
		case '>':
			at, op := i+1, ">"
			if at < len(line) && line[at] == '>' {
				at, op = at+1, ">>"
			}
			name, end, err := fileName(line, at, op)
			if err != nil {
				return 0, err
			}
			st.output, st.appends = name, op == ">>"
			i = skipBlanks(line, end)
			if i < len(line) && line[i] != ';' {
				return 0, fmt.Errorf("text behind the output file: %s", line[i:])
			}
			return i, nil
		default:
			return 0, fmt.Errorf("operator expected: %s", line[i:])
		}
	}
}

// commandName is the first word of a statement and where it ends. "*name"
// without a blank is the command "*".
func commandName(line string) (name string, end int) {
	i := 0
	if line[0] == '\\' {
		i++
	}
	if i < len(line) && line[i] == '*' {
		return "*", i + 1
	}
	for i < len(line) && !isBlank(line[i]) && line[i] != ';' && line[i] != '(' {
		if strings.IndexByte("|<>", line[i]) >= 0 && !isArrow(line, i) {
			break
		}
		i++
	}
	return strings.TrimPrefix(line[:i], `\`), i
}

// expandAliases replaces the first word as long as it is an alias, each alias
// once. A backslash in front of the word forbids it.
func expandAliases(line string, dict dictionary) (string, error) {
	seen := map[string]bool{}
	for line != "" && strings.IndexByte("#!<\\", line[0]) < 0 {
		name, end := commandName(line)
		if seen[name] {
			break
		}
		text, ok := dict.aliasText(name)
		if !ok {
			break
		}
		seen[name] = true
		line = strings.TrimLeft(text+line[end:], " \t;")
		if len(line) > maxLine {
			return "", fmt.Errorf("alias %s makes the line too long", name)
		}
	}
	return line, nil
}

// operandsEnd finds the first operator that ends the operands of a command.
func operandsEnd(s string, i int, expr bool) (int, error) {
	depth := 0
	for i < len(s) {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			i += 2
			continue
		case c == '\'' || c == '"':
			end := strings.IndexByte(s[i+1:], c)
			if end < 0 {
				return 0, fmt.Errorf("no closing %c", c)
			}
			i += end + 2
			continue
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth > 0:
		case c == ';':
			return i, nil
		case c == '|' || c == '<' || c == '>':
			n := operatorText(s, i, expr)
			if n == 0 {
				return i, nil
			}
			i += n
			continue
		}
		i++
	}
	return i, nil
}

// operatorText returns how many bytes at s[i], a | < or >, are text of the
// command, 0 if they are an operator of the line.
func operatorText(s string, i int, expr bool) int {
	two := s[i:min(i+2, len(s))]
	switch {
	case isArrow(s, i):
		return 1
	case two == "||" || two == "<<":
		return 2
	case !expr:
		return 0
	case two == "<=" || two == ">=":
		return 2
	}
	n := 1
	if two == ">>" {
		n = 2
	}
	if beginsOperand(s, skipBlanks(s, i+n)) {
		return n
	}
	return 0
}

func isArrow(s string, i int) bool { return s[i] == '>' && i > 0 && s[i-1] == '-' }

// beginsOperand tells whether what follows an operator in an expression must be
// an operand: a digit, a parenthesis, a unary operator, a value of the history
// ($1, $$). A word could be a file or a program, so it is taken for one.
func beginsOperand(s string, i int) bool {
	if i >= len(s) {
		return false
	}
	switch c := s[i]; {
	case c >= '0' && c <= '9':
		return true
	case strings.IndexByte("(~-+*&!", c) >= 0:
		return true
	case c == '$':
		return i+1 >= len(s) || isBlank(s[i+1]) || s[i+1] == '$' || s[i+1] >= '0' && s[i+1] <= '9'
	}
	return false
}

func skipBlanks(s string, i int) int {
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	return i
}

// jsonStage recognises "json" as an element of a pipeline.
func jsonStage(s string, i int) (end int, ok bool) {
	if !strings.HasPrefix(s[i:], "json") {
		return 0, false
	}
	end = skipBlanks(s, i+4)
	if end >= len(s) || strings.IndexByte("|>;", s[end]) >= 0 {
		return end, true
	}
	return 0, false
}

// shellEnd finds the ; that ends a shell pipeline. The rest of its syntax is
// the shell's affair.
func shellEnd(s string, i int) int {
	depth := 0
	var quote byte
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '(' || c == '{':
			depth++
		case (c == ')' || c == '}') && depth > 0:
			depth--
		case c == ';' && depth == 0:
			return i
		}
	}
	return len(s)
}

// fileName reads the word behind a redirect.
func fileName(s string, i int, op string) (name string, end int, err error) {
	i = skipBlanks(s, i)
	var b strings.Builder
	for i < len(s) && !isBlank(s[i]) && strings.IndexByte(";|<>", s[i]) < 0 {
		switch c := s[i]; {
		case c == '\'' || c == '"':
			n := strings.IndexByte(s[i+1:], c)
			if n < 0 {
				return "", 0, fmt.Errorf("no closing %c", c)
			}
			b.WriteString(s[i+1 : i+1+n])
			i += n + 2
			continue
		case c == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
		i++
	}
	if b.Len() == 0 {
		return "", 0, fmt.Errorf("no file name behind %s", op)
	}
	return expandHome(b.String()), i, nil
}
