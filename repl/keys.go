package repl

import (
	"bytes"
	"io"
	"sync/atomic"
	"unicode"

	"github.com/chzyer/readline"
)

// keyReader stands between the terminal and the line editor's library and keeps
// from it what it takes in a wrong way: keys that make it panic, and keys that
// it takes for the end of the input.
type keyReader struct {
	io.ReadCloser
	ended  atomic.Bool  // the input has really ended
	ctrlD  atomic.Int64 // Ctrl-D characters that the library has still to see
	length atomic.Int64 // of the line being edited
}

func (k *keyReader) Read(p []byte) (int, error) {
	n, err := k.ReadCloser.Read(p)
	k.ctrlD.Add(int64(bytes.Count(p[:n], []byte{readline.CharDelete})))
	if err != nil {
		k.ended.Store(true)
	}
	return n, err
}

// OnChange is told of every change of the line.
func (k *keyReader) OnChange(line []rune, _ int, _ rune) ([]rune, int, bool) {
	k.length.Store(int64(len(line)))
	return nil, 0, false
}

// filter tells whether the library may see a key.
func (k *keyReader) filter(r rune) (rune, bool) {
	switch {
	case r == readline.CharTranspose, r == readline.CharFwdSearch:
		return r, false // panic on a short line, and in an empty history
	case r == 0:
		return r, k.ended.Load() // an unknown key with Alt reads as zero, and zero as the end
	case r == readline.CharDelete:
		if k.ctrlD.Load() > 0 {
			k.ctrlD.Add(-1)
			return r, true
		}
		return r, k.length.Load() > 0 // the Delete key: on an empty line it would end the session
	}
	return r, !unicode.IsPrint(r) || k.length.Load() < maxEdited
}
