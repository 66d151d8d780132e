// Package expr evaluates C expressions over the objects of a dump: casts, member
// access, pointers, arithmetic and comparison typed as C types them, with gdb's
// additions (object@count, {type} address, 'file.c'::variable, $history).
//
// It knows C. What names mean (variables, types, enumerators, per-CPU copies,
// history, registers) it asks of a Scope; memory it reads only through
// value.Value. Nothing can be assigned: a dump is read-only. Expressions are
// hostile input: nesting and length are bounded. Start from Eval.
package expr

import (
	"errors"
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/value"
)

// Scope gives names their meaning. The methods that return an error report
// ErrUnknown, wrapped or not, for a name they do not know.
type Scope interface {
	// Memory that integers cast to pointers point into.
	Memory() value.Memory
	// Variable finds a variable or function (a value of function type). file
	// selects by source file, a path or its tail; empty means any.
	Variable(name, file string) (value.Value, error)
	// Type finds a type by its spelling without pointers and arrays: "struct foo",
	// "enum e", "foo_t", "unsigned long", "struct foo@file.c".
	Type(spec string) (*ctype.Type, error)
	// Enumerator finds a constant of an enum.
	Enumerator(name string) (value int64, enum *ctype.Type, ok bool)
	// PerCPU finds the copies of a per-CPU variable that a specification names:
	// "0", "0,2-3", "a", "" for the current CPU. ErrUnknown if the variable
	// is not per CPU.
	PerCPU(name, file, cpus string) ([]PerCPU, error)
	// History is result number n for n > 0, and -n before the last for n <= 0.
	History(n int) (value.Value, bool)
	// Register of the current context, without the $.
	Register(name string) (value.Value, bool)
}

// PerCPU is one CPU's copy of a per-CPU variable.
type PerCPU struct {
	CPU   int
	Value value.Value
}

// ErrUnknown is in the chain of errors about names that mean nothing.
var ErrUnknown = errors.New("unknown name")

// unknownError says in its own words that a name means nothing.
type unknownError string

func (e unknownError) Error() string { return string(e) }

// Unwrap makes it an ErrUnknown.
func (e unknownError) Unwrap() error { return ErrUnknown }

// Error is an expression that cannot be evaluated. Failed reads of memory are in
// the chain of Err.
type Error struct {
	Column int    // of the token, from 1, in bytes
	Token  string // what stands there; empty at the end of the text
	Err    error
}

func (e *Error) Error() string {
	if e.Token == "" {
		return fmt.Sprintf("column %d: %v", e.Column, e.Err)
	}
	return fmt.Sprintf("column %d: %q: %v", e.Column, e.Token, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Bounds on the text of an expression.
const (
	maxText  = 1 << 16 // bytes
	maxDepth = 400     // nested parentheses, unary operators, conditionals
)

// Eval evaluates one expression. A per-CPU variable with several CPUs gives the
// first.
func Eval(scope Scope, text string) (value.Value, error) {
	v, _, err := eval(scope, text, 0)
	return v, err
}

// Result is the value of an expression for one CPU.
type Result struct {
	CPU   int // -1 if the expression names no CPU
	Value value.Value
	Err   error
}

// EvalAll evaluates an expression once for each CPU that it names by a suffix
// on a per-CPU variable (runqueues:0-3.nr_running), once if it names none.
func EvalAll(scope Scope, text string) ([]Result, error) {
	v, cpus, err := eval(scope, text, 0)
	if len(cpus) == 0 {
		if err != nil {
			return nil, err
		}
		return []Result{{CPU: -1, Value: v}}, nil
	}
	results := []Result{{cpus[0], v, err}}
	for i := 1; i < len(cpus); i++ {
		v, _, err := eval(scope, text, i)
		results = append(results, Result{cpus[i], v, err})
	}
	return results, nil
}

// Type evaluates the type of an expression without reading memory, as sizeof
// does; text may also be the name of a type.
func Type(scope Scope, text string) (*ctype.Type, error) {
	p, err := newParser(scope, text)
	if err != nil {
		return nil, err
	}
	p.skip++
	if p.startsType() {
		t, err := p.typeName()
		if err == nil {
			err = p.end()
		}
		return t, err
	}
	v, err := p.all()
	return v.Type(), err
}

// Address evaluates an address operand: the value of a pointer or integer, the
// address of a struct, union, array or function.
func Address(scope Scope, text string) (uint64, error) {
	v, err := Eval(scope, text)
	if err != nil {
		return 0, err
	}
	switch v.Type().Underlying().Kind() {
	case ctype.Struct, ctype.Union, ctype.Array, ctype.Func:
		addr, ok := v.Addr()
		if !ok {
			return 0, fmt.Errorf("%s has no address", text)
		}
		return addr, nil
	}
	u, err := v.Uint()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", text, err)
	}
	return u, nil
}

func eval(scope Scope, text string, cpu int) (value.Value, []int, error) {
	p, err := newParser(scope, text)
	if err != nil {
		return value.Value{}, nil, err
	}
	p.nth = cpu
	v, err := p.all()
	return v, p.cpus, err
}

// parser evaluates while it parses: nothing is built, so long expressions cost
// no memory and only nesting needs a bound.
type parser struct {
	scope Scope
	lexer
	tok     token // the next one
	depth   int
	skip    int   // > 0: operands are typed but not read (sizeof, the branch not taken)
	ternary int   // > 0: a colon belongs to a conditional
	nth     int   // which CPU to take where several are named
	cpus    []int // the CPUs that a suffix named
}

func newParser(scope Scope, text string) (*parser, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("expression is longer than %d bytes", maxText)
	}
	p := &parser{scope: scope, lexer: lexer{src: text}}
	return p, p.next()
}

func (p *parser) all() (value.Value, error) {
	v, err := p.comma()
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return value.Value{}, err
	}
	return v, nil
}

func (p *parser) end() error {
	switch {
	case p.tok.kind == tokEnd:
		return nil
	case p.tok.is("="), p.tok.is("++"), p.tok.is("--"), p.tok.kind == tokPunct && len(p.tok.text) > 1 && p.tok.text[len(p.tok.text)-1] == '=':
		return p.errorf(p.tok, "a dump cannot be written to")
	}
	return p.errorf(p.tok, "an operator or the end was expected")
}

func (p *parser) next() (err error) {
	p.tok, err = p.lex()
	return err
}

// accept consumes the next token if it is the operator op.
func (p *parser) accept(op string) (bool, error) {
	if !p.tok.is(op) {
		return false, nil
	}
	return true, p.next()
}

func (p *parser) expect(op string) error {
	if ok, err := p.accept(op); ok || err != nil {
		return err
	}
	return p.errorf(p.tok, "%q was expected", op)
}

func (p *parser) errorf(t token, format string, args ...any) error {
	return p.fail(t, fmt.Errorf(format, args...))
}

// fail puts an error in its place, unless it has one.
func (p *parser) fail(t token, err error) error {
	if e := (*Error)(nil); err == nil || errors.As(err, &e) {
		return err
	}
	return &Error{Column: t.at + 1, Token: t.text, Err: err}
}

// enter counts one level of nesting; the caller calls leave.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return p.errorf(p.tok, "nested more than %d deep", maxDepth)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }
