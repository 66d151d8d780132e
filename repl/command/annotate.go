package command

import (
	"fmt"

	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/slab"
)

// annotator says what a word is if it is the address of something known. It is
// the seam for models that know more than symbols, such as caches of objects.
type annotator interface {
	annotate(word uint64) (annotation, bool)
}

// annotation is what a word points to: into a symbol or into an object of a
// cache.
type annotation struct {
	name   string // of the symbol
	offset uint64 // from its start

	word    uint64
	object  *slab.Object // nil: a symbol
	address bool         // show the word beside the cache
}

// text is how crash shows it in place of the digits.
func (a *annotation) text() string {
	switch {
	case a.object != nil && a.address:
		return fmt.Sprintf("[%x:%s]", a.word, a.object.Slab.Cache.Name)
	case a.object != nil:
		return "[" + a.object.Slab.Cache.Name + "]"
	case a.offset == 0:
		return a.name
	}
	return fmt.Sprintf("%s+%d", a.name, a.offset)
}

func (a *annotation) value() output.Value {
	if a.object == nil {
		return output.Object(output.Field{Name: "symbol", Value: output.String(a.name)},
			output.Field{Name: "offset", Value: output.Uint(a.offset)})
	}
	object := output.Null() // an address between objects
	if a.object.Index >= 0 {
		object = output.Addr(a.object.Addr)
	}
	return output.Object(output.Field{Name: "cache", Value: output.String(a.object.Slab.Cache.Name)},
		output.Field{Name: "object", Value: object})
}

// symbolAnnotator knows the symbols of the kernel and its modules.
type symbolAnnotator struct {
	at func(addr uint64) (name string, offset uint64, ok bool)
}

func (s symbolAnnotator) annotate(word uint64) (annotation, bool) {
	name, offset, ok := s.at(word)
	return annotation{name: name, offset: offset, word: word}, ok
}

// objectAnnotator knows the objects of caches, too.
type objectAnnotator struct {
	symbols annotator
	slabs   *slab.Model
	address bool
}

func (o objectAnnotator) annotate(word uint64) (annotation, bool) {
	if a, ok := o.symbols.annotate(word); ok {
		return a, true
	}
	if found, ok := o.slabs.Find(word); ok {
		return annotation{word: word, object: &found, address: o.address}, true
	}
	return annotation{}, false
}

// annotator is what rd -s asks about words.
func (t *Target) annotator() (annotator, error) {
	k, err := t.kernel()
	if err != nil {
		return nil, err
	}
	return symbolAnnotator{k.SymbolAt}, nil
}

// objectAnnotator is what rd -S asks about words; with address, what rd -SS
// shows of an object has its address, too.
func (t *Target) objectAnnotator(address bool) (annotator, error) {
	symbols, err := t.annotator()
	if err != nil {
		return nil, err
	}
	slabs, err := t.slabs()
	if err != nil {
		return nil, err
	}
	return objectAnnotator{symbols, slabs, address}, nil
}
