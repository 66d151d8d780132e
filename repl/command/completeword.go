package command

import (
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/expr"
)

// completeWord completes an operand: a symbol, or the last member of a path that
// begins with a structure (task_struct.pid) or a variable (init_task.mm->pgd).
// Behind struct, union or enum it is the name of a type.
func (t *Target) completeWord(args []string, prefix string) []string {
	if len(args) > 0 {
		word := args[len(args)-1]
		switch word[strings.LastIndexByte(word, '(')+1:] {
		case "struct", "union":
			return t.completeStruct(prefix)
		case "enum":
			return t.completeEnum(prefix)
		}
	}
	from := nameStart(prefix)
	path := prefix[from:]
	var words []string
	switch dot, arrow := strings.LastIndexByte(path, '.'), strings.LastIndex(path, "->"); {
	case dot < 0 && arrow < 0:
		words = t.completeSymbols(path)
	case arrow > dot:
		words = t.completePath(path, arrow, arrow+2)
	default:
		if words = t.completeStruct(path); words == nil {
			words = t.completePath(path, dot, dot+1)
		}
	}
	for i := range words {
		words[i] = prefix[:from] + words[i]
	}
	return words
}

// nameStart is where in text the name or member path begins that it ends with:
// behind the last operator.
func nameStart(text string) int {
	i := len(text)
	for i > 0 {
		switch c := text[i-1]; {
		case c == '_', c == '.', c == ',', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			i--
		case c == '>' && i > 1 && text[i-2] == '-':
			i -= 2
		case c == ']' && strings.LastIndexByte(text[:i], '[') >= 0:
			i = strings.LastIndexByte(text[:i], '[')
		default:
			return i
		}
	}
	return i
}

// completePath completes path[from:], a member of the expression path[:to] or of
// what that points to. No memory is read.
func (t *Target) completePath(path string, to, from int) []string {
	s, err := t.scope()
	if err != nil {
		return nil
	}
	typ, err := expr.Type(s, path[:to])
	if err != nil {
		return nil
	}
	u := typ.Underlying()
	if u.Kind() == ctype.Pointer {
		u = u.Elem().Underlying()
	}
	return membersFrom(u, path[:from], path[from:])
}

// membersFrom are the members of u that begin with prefix, each behind front.
func membersFrom(u *ctype.Type, front, prefix string) []string {
	var names []string
	budget := maxMembers
	for _, name := range memberNames(u, 0, &budget) {
		if strings.HasPrefix(name, prefix) {
			names = append(names, front+name)
		}
	}
	return names
}

func (t *Target) completeEnum(prefix string) []string {
	_, info, err := t.info()
	if err != nil {
		return nil
	}
	var names []string
	for name := range info.TypeNames("enum " + prefix) {
		if names = append(names, strings.TrimPrefix(name, "enum ")); len(names) == maxCompletions {
			break
		}
	}
	return names
}
