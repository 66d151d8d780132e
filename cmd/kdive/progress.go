package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/kdive/kdive/debuginfo/find"
	"golang.org/x/term"
)

// progress shows on a terminal how far the unpacking of a kernel has come, if
// it takes more than a second. It is nil where nobody watches.
func progress(w io.Writer) find.Progress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	var mu sync.Mutex
	start, shown := time.Now(), time.Time{}
	return func(path string, done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		switch {
		case total <= 0 || now.Sub(start) < time.Second:
		case done >= total && !shown.IsZero():
			fmt.Fprintf(w, "\r\x1b[K")
			shown = time.Time{}
		case done < total && now.Sub(shown) > 200*time.Millisecond:
			shown = now
			fmt.Fprintf(w, "\r\x1b[Kunpacking %s: %d%%", filepath.Base(path), 100*done/total)
		}
	}
}
