package repl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// LineEditor reads command lines.
type LineEditor interface {
	// ReadLine returns the next line without its end. It returns io.EOF at the
	// end of the input and errInterrupted when the user gave up the line.
	ReadLine(prompt string) (string, error)
	Close() error
}

// openEditor is the line editor for a person at a terminal, a plain reader for
// everything else.
func (sh *Shell) openEditor() LineEditor {
	if sh.interactive {
		ed, err := sh.openReadline()
		if err == nil {
			return ed
		}
		fmt.Fprintf(sh.stderr, "kdive: no line editing: %v\n", err)
	}
	r := &plainReader{in: bufio.NewReaderSize(sh.stdin, 4096)}
	if isTerminal(sh.stdin) {
		r.prompt = sh.stderr
	}
	return r
}

// plainReader reads lines from a pipe or a file.
type plainReader struct {
	in     *bufio.Reader
	prompt io.Writer // where to ask, nil for nowhere
}

func (r *plainReader) ReadLine(prompt string) (string, error) {
	if r.prompt != nil {
		fmt.Fprint(r.prompt, prompt)
	}
	var line []byte
	for {
		part, err := r.in.ReadSlice('\n')
		if len(line) <= maxLine { // Exec refuses what is longer; the rest of the line is skipped
			line = append(line, part...)
		}
		switch {
		case err == nil:
			return strings.TrimRight(string(line), "\r\n"), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return string(line), nil
		default:
			return "", err
		}
	}
}

func (r *plainReader) Close() error { return nil }
