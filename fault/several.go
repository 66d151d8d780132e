package fault

import (
	"fmt"
	"strings"
)

// maxSeveral bounds the errors that Several keeps.
const maxSeveral = 16

// Several collects the errors of a long walk: a damaged list may give one for each
// of a million entries. It keeps the first ones and counts the rest. The zero
// value is ready for use.
type Several struct {
	errs []error
	all  int
}

// Add takes an error; nil is none.
func (s *Several) Add(err error) {
	if err == nil {
		return
	}
	if s.all++; len(s.errs) < maxSeveral {
		s.errs = append(s.errs, err)
	}
}

// Err is nil if there was no error, and else a *SeveralError.
func (s *Several) Err() error {
	if s.all == 0 {
		return nil
	}
	return &SeveralError{Errs: s.errs[:len(s.errs):len(s.errs)], All: s.all}
}

// SeveralError is what Several collected.
type SeveralError struct {
	Errs []error // the first ones
	All  int     // how many there were
}

func (e *SeveralError) Error() string {
	var b strings.Builder
	for i, err := range e.Errs {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(err.Error())
	}
	if n := e.All - len(e.Errs); n > 0 {
		fmt.Fprintf(&b, "\nand %d more", n)
	}
	return b.String()
}

// Unwrap makes errors.Is and errors.As look at the errors that were kept.
func (e *SeveralError) Unwrap() []error { return e.Errs }
