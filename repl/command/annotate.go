package command

import (
	"fmt"

	"github.com/kdive/kdive/repl/output"
)

// annotator says what a word is if it is the address of something known. It is
// the seam for models that know more than symbols, such as caches of objects.
type annotator interface {
	annotate(word uint64) (annotation, bool)
}

// annotation is what a word points to.
type annotation struct {
	name   string // of the symbol
	offset uint64 // from its start
}

// text is how crash shows it in place of the digits.
func (a *annotation) text() string {
	if a.offset == 0 {
		return a.name
	}
	return fmt.Sprintf("%s+%d", a.name, a.offset)
}

func (a *annotation) value() output.Value {
	return output.Object(output.Field{Name: "symbol", Value: output.String(a.name)},
		output.Field{Name: "offset", Value: output.Uint(a.offset)})
}

// symbolAnnotator knows the symbols of the kernel and its modules.
type symbolAnnotator struct {
	at func(addr uint64) (name string, offset uint64, ok bool)
}

func (s symbolAnnotator) annotate(word uint64) (annotation, bool) {
	name, offset, ok := s.at(word)
	return annotation{name, offset}, ok
}

// annotator is what rd -s and -S ask about words.
func (t *Target) annotator() (annotator, error) {
	k, err := t.kernel()
	if err != nil {
		return nil, err
	}
	return symbolAnnotator{k.SymbolAt}, nil
}
