package command

import (
	"fmt"

	"github.com/kdive/kdive/identify"
	"github.com/kdive/kdive/kernel/scope"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/value"
)

// annotator says what a word is if it is the address of something known.
type annotator interface {
	annotate(word uint64) (annotation, bool)
}

// annotation is what a word points to: into a symbol or into a slab.
type annotation struct {
	identify.Place
	m       *identify.Model
	address bool // show the word beside the cache
}

// text is how crash shows it in place of the digits.
func (a *annotation) text() string {
	switch {
	case a.Kind != identify.Symbol && a.address:
		return fmt.Sprintf("[%x:%s]", a.Addr, a.Object.Slab.Cache.Name)
	case a.Kind != identify.Symbol:
		return "[" + a.Object.Slab.Cache.Name + "]"
	case a.Offset() == 0:
		return a.Symbol.Name
	}
	return fmt.Sprintf("%s+%d", a.Symbol.Name, a.Offset())
}

func (a *annotation) value() output.Value {
	if a.Kind == identify.Symbol {
		return output.Object(output.Field{Name: "symbol", Value: output.String(a.Symbol.Name)},
			output.Field{Name: "offset", Value: output.Int(int(a.Offset()))})
	}
	object, typ := output.Null(), output.Null() // an address between objects
	if a.Kind == identify.Object {
		object = output.Addr(a.Object.Addr)
		if t, ok := a.m.TypeAt(&a.Place); ok {
			typ = typingValue(&t)
		}
	}
	return output.Object(output.Field{Name: "cache_name", Value: output.String(a.Object.Slab.Cache.Name)},
		output.Field{Name: "object", Value: object}, output.Field{Name: "ctype", Value: typ})
}

// wordAnnotator asks the model of the session.
type wordAnnotator struct {
	m                *identify.Model
	objects, address bool
}

func (w wordAnnotator) annotate(word uint64) (annotation, bool) {
	p, ok := w.m.Point(word, w.objects)
	return annotation{p, w.m, w.address}, ok
}

// annotator is what rd -s asks about words: which symbols they point to.
func (t *Target) annotator() (annotator, error) {
	m, err := t.identify()
	return wordAnnotator{m: m}, err
}

// objectAnnotator is what rd -S asks about words; with address, what rd -SS
// shows of an object has its address, too.
func (t *Target) objectAnnotator(address bool) (annotator, error) {
	m, err := t.identify()
	if err != nil {
		return nil, err
	}
	if _, err := t.slabs(); err != nil {
		return nil, err
	}
	return wordAnnotator{m, true, address}, nil
}

// pointerNames says of pointers in values which symbol they point to, and if none,
// which object of a cache (struct -A, p -A).
type pointerNames struct {
	scope.Names
	m *identify.Model
}

// ObjectAt implements value.Objects.
func (n pointerNames) ObjectAt(addr uint64) (value.Object, bool) {
	p := n.m.Find(addr)
	if p.Kind != identify.Object {
		return value.Object{}, false
	}
	o := value.Object{Cache: p.Object.Slab.Cache.Name, Addr: p.Base, Offset: p.Offset()}
	if t, ok := n.m.TypeAt(&p); ok {
		if o.Type = t.Name(); !t.Certain {
			o.Type += "?"
		}
	}
	return o, true
}

// objectNames are names with those of objects, as far as they are known.
func (t *Target) objectNames(names scope.Names) value.Names {
	if m, err := t.identify(); err == nil {
		return pointerNames{names, m}
	}
	return names
}
