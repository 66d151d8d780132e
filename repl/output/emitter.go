package output

import (
	"fmt"
	"io"
	"sync"
	"unicode/utf8"
)

// flushAt is how many bytes are gathered before they are written.
const flushAt = 32 << 10

// Emitter takes what one command has to say and writes it as text or JSON. Its
// methods may be called from several goroutines; a row is never torn.
//
// A failed write (the reader of a pipe went away, the disk is full) is kept in
// Err, stops all further writing and calls the stop function, so that commands
// need not look at every single write.
type Emitter struct {
	mu     sync.Mutex
	w      io.Writer
	json   bool
	live   bool
	buf    []byte
	text   []byte // scratch for text before it is cleaned
	err    error
	stop   func(error)
	closed bool
}

// NewEmitter writes to w. With live set every row is written at once, as a
// reader at a terminal expects. stop, which may be nil, is called once with the
// first write error.
func NewEmitter(w io.Writer, json, live bool, stop func(error)) *Emitter {
	return &Emitter{w: w, json: json, live: live, stop: stop}
}

// JSON tells whether rows are printed as JSON. Commands need it only to avoid
// work that is for one of the forms.
func (o *Emitter) JSON() bool { return o.json }

// SetJSON switches the form; the shell does so when it meets --json.
func (o *Emitter) SetJSON(on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.json = on
}

// Print writes text that is no datum: headings, blank lines, decoration. JSON
// leaves it out.
func (o *Emitter) Print(s string) {
	if o.json {
		return
	}
	o.emit(nil, func(b []byte) []byte { return append(b, s...) })
}

// Printf is Print with a format.
func (o *Emitter) Printf(format string, args ...any) {
	if o.json {
		return
	}
	o.emit(nil, func(b []byte) []byte { return fmt.Appendf(b, format, args...) })
}

// Note tells the reader something about the rows: how many pages could not be
// seen, what was assumed. A line in text, {"type":"note"} in JSON.
func (o *Emitter) Note(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	o.emit(
		func(b []byte) []byte {
			b = append(b, `{"type":"note","text":`...)
			return append(AppendString(b, s), '}', '\n')
		},
		func(b []byte) []byte { return append(append(b, s...), '\n') },
	)
}

// Fault reports what could not be read where a row or a part of it should
// stand: "subject: reason" in text, {"type":"fault"} in JSON.
func (o *Emitter) Fault(subject string, err error) {
	o.emit(
		func(b []byte) []byte {
			b = append(b, `{"type":"fault","subject":`...)
			b = AppendString(b, subject)
			return append(appendFaultFields(b, err), '}', '\n')
		},
		func(b []byte) []byte {
			return append(append(append(append(b, subject...), ": "...), err.Error()...), '\n')
		},
	)
}

// Object prints one JSON object that is no row: an error of the session. It
// prints nothing in text.
func (o *Emitter) Object(typ string, fields ...Field) {
	o.emit(func(b []byte) []byte {
		all := append([]Field{{"type", String(typ)}}, fields...)
		return append(appendObject(b, all), '\n')
	}, nil)
}

func (o *Emitter) emit(json, text func([]byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil || o.closed {
		return
	}
	switch {
	case o.json && json != nil:
		o.buf = json(o.buf)
	case !o.json && text != nil:
		o.text = text(o.text[:0])
		o.buf = appendClean(o.buf, o.text)
	default:
		return
	}
	if o.live || len(o.buf) >= flushAt {
		o.flush()
	}
}

// Flush writes what is gathered.
func (o *Emitter) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flush()
}

func (o *Emitter) flush() {
	if len(o.buf) == 0 || o.err != nil {
		return
	}
	_, o.err = o.w.Write(o.buf)
	o.buf = o.buf[:0]
	if o.err != nil && o.stop != nil {
		o.stop(o.err)
	}
}

// Err is the first write error.
func (o *Emitter) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// Close flushes and drops everything that comes later, from a command that was
// given up for instance.
func (o *Emitter) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flush()
	o.closed = true
	return o.err
}

// appendClean appends text in which control characters are replaced by '.':
// names and messages come from the dump, and what a terminal would obey is not
// for them to say. Line ends and tabs stay.
func appendClean(b, text []byte) []byte {
	start := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= 0x20 && c < 0x7f || c == '\n' || c == '\t' {
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(text[i:])
			if r != utf8.RuneError && r >= 0xa0 {
				i += size - 1
				continue
			}
			b = append(b, text[start:i]...)
			b = append(b, '.')
			i += size - 1
			start = i + 1
			continue
		}
		b = append(b, text[start:i]...)
		b = append(b, '.')
		start = i + 1
	}
	return append(b, text[start:]...)
}

// Clean replaces the control characters of a message for the terminal.
func Clean(s string) string { return string(appendClean(nil, []byte(s))) }
