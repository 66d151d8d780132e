package output

import (
	"sync"
	"unicode/utf8"
)

// Column is one field of a row: a member of the JSON object, a cell of the text
// line, or both.
type Column[R any] struct {
	Name string // JSON name; "" keeps the column out of JSON
	Head string // heading, verbatim with its blanks; the headings joined make the heading line
	Verb string // format of the cell with the literal text around it ("%8d ", "  %-16s", "%^18x"); "" keeps the column out of the text
	Help string // what the field holds, with its unit; for help and the manual
	None string // text of a null cell, "(none)" and the like

	Get  func(*R) Value  // the datum
	Text func(*R) string // if set, what the cell shows instead of the datum, formatted with Verb as a string
}

// Record declares one type of row. Declare it once, as a package variable, and
// emit rows through it.
type Record[R any] struct {
	Type    string // JSON "type"
	Help    string // one line: what a row stands for
	Columns []Column[R]

	// Text, if set, appends the complete text of a row, line ends included,
	// in place of the columns' cells.
	Text func(b []byte, row *R) []byte

	once sync.Once
	head string
	cols []compiled
	open []byte // {"type":"task"
}

// compiled is what is worked out once for a column.
type compiled struct {
	key  []byte // ,"name":
	verb verb
	text bool
}

func (r *Record[R]) compile() {
	r.open = AppendString([]byte(`{"type":`), r.Type)
	r.cols = make([]compiled, len(r.Columns))
	for i, c := range r.Columns {
		r.head += c.Head
		if c.Name != "" {
			k := AppendString([]byte{','}, c.Name)
			r.cols[i].key = append(k, ':')
		}
		if c.Verb == "" {
			continue
		}
		v, err := parseVerb(c.Verb)
		if err != nil {
			panic(r.Type + "." + c.Name + ": " + err.Error()) // a bug in the declaration; every test meets it
		}
		r.cols[i].verb, r.cols[i].text = v, true
	}
}

// Head prints the heading line; JSON has none.
func (r *Record[R]) Head(o *Emitter) {
	r.once.Do(r.compile)
	o.Print(r.head + "\n")
}

// Emit prints one row.
func (r *Record[R]) Emit(o *Emitter, row *R) {
	r.once.Do(r.compile)
	o.emit(
		func(b []byte) []byte { return r.appendJSON(b, row) },
		func(b []byte) []byte { return r.appendText(b, row) },
	)
}

func (r *Record[R]) appendJSON(b []byte, row *R) []byte {
	b = append(b, r.open...)
	for i := range r.Columns {
		if key := r.cols[i].key; key != nil {
			b = append(b, key...)
			b = r.Columns[i].Get(row).AppendJSON(b)
		}
	}
	return append(b, '}', '\n')
}

func (r *Record[R]) appendText(b []byte, row *R) []byte {
	if r.Text != nil {
		return r.Text(b, row)
	}
	for i := range r.Columns {
		if !r.cols[i].text {
			continue
		}
		c := &r.Columns[i]
		if c.Text != nil {
			b = r.cols[i].verb.appendCell(b, String(c.Text(row)), c.None)
		} else {
			b = r.cols[i].verb.appendCell(b, c.Get(row), c.None)
		}
	}
	return append(b, '\n')
}

// Value is the row as an object, for rows nested in another row.
func (r *Record[R]) Value(row *R) Value {
	var f []Field
	for _, c := range r.Columns {
		if c.Name != "" {
			f = append(f, Field{c.Name, c.Get(row)})
		}
	}
	return Object(f...)
}

// Width returns a copy of r in which the named column is width characters wide
// and its heading padded alike, for tables whose columns fit their contents.
func (r *Record[R]) Width(name string, width int) *Record[R] {
	r.once.Do(r.compile)
	c := &Record[R]{Type: r.Type, Help: r.Help, Text: r.Text}
	c.Columns = append([]Column[R](nil), r.Columns...)
	// Not compiled anew: r may have got widths itself.
	c.once.Do(func() { c.open, c.cols = r.open, append([]compiled(nil), r.cols...) })
	for i := range c.Columns {
		v := &c.cols[i].verb
		if c.Columns[i].Name == name {
			grow := width - v.width
			v.width = width
			c.Columns[i].Head = padHead(c.Columns[i].Head, grow, v.align)
		}
		c.head += c.Columns[i].Head
	}
	return c
}

// padHead widens a heading by n blanks on the side where the column grows.
func padHead(head string, n int, a align) string {
	b := []byte(head)
	v := verb{width: utf8.RuneCountInString(head) + n, align: a}
	return string(v.pad(b, 0, KindString))
}

// FieldDoc describes one JSON field.
type FieldDoc struct {
	Name, Help string
	Kind       string // "" where the declaration does not tell
}

// RecordDoc describes one type of JSON object.
type RecordDoc struct {
	Type, Help string
	Fields     []FieldDoc
}

// Describer is a Record of any row type, as help and the manual see it.
type Describer interface {
	Describe() RecordDoc
}

// Describe documents the JSON form of r.
func (r *Record[R]) Describe() RecordDoc {
	d := RecordDoc{Type: r.Type, Help: r.Help}
	for i := range r.Columns {
		if c := &r.Columns[i]; c.Name != "" {
			d.Fields = append(d.Fields, FieldDoc{Name: c.Name, Help: c.Help, Kind: kindOf(c.Get)})
		}
	}
	return d
}
