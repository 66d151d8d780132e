package repl

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kdive/kdive/repl/output"
)

// reporter carries what a command says besides its rows: errors, warnings and
// progress. It also stands between the emitter and the sink, so that a progress
// line is wiped before output appears.
type reporter struct {
	sh       *Shell
	sink     *sink
	out      *output.Emitter
	failures atomic.Int64

	begun   time.Time
	next    atomic.Int64 // when the next progress line is due, nanoseconds since begun
	mu      sync.Mutex
	shown   int // width of the progress line on the screen
	visible bool
}

func newReporter(sh *Shell, s *sink) *reporter {
	r := &reporter{sh: sh, sink: s, begun: time.Now(), visible: isTerminal(sh.stderr)}
	r.next.Store(int64(time.Second))
	return r
}

// Write passes output on to the sink.
func (r *reporter) Write(p []byte) (int, error) {
	r.clearProgress()
	return r.sink.w.Write(p)
}

// fail prints an error and counts it.
func (r *reporter) fail(name string, err error) {
	r.failures.Add(1)
	text := err.Error()
	var usage *UsageError
	hasUsage := errors.As(err, &usage)
	if r.out.JSON() {
		f := []output.Field{{Name: "command", Value: output.String(name)}, {Name: "message", Value: output.String(text)}}
		if hasUsage {
			f = append(f, output.Field{Name: "usage", Value: output.String(usage.Command.Name + " " + usage.Command.Synopsis)})
		}
		r.out.Object("error", f...)
		r.out.Flush()
	} else {
		var b strings.Builder
		if text != "" {
			b.WriteString(prefix(name) + text + "\n")
		}
		if hasUsage {
			b.WriteString(usage.usage())
		}
		r.say(b.String())
	}
	var bug *bugError
	if errors.As(err, &bug) {
		r.say(string(bug.stack))
	}
}

// warn prints a warning.
func (r *reporter) warn(name, text string) {
	if r.out.JSON() {
		r.out.Object("warning", output.Field{Name: "command", Value: output.String(name)},
			output.Field{Name: "text", Value: output.String(text)})
		return
	}
	r.say(prefix(name) + "warning: " + text + "\n")
}

func prefix(name string) string {
	if name == "" {
		name = "kdive"
	}
	return name + ": "
}

// say writes a message where errors go, behind the output so far.
func (r *reporter) say(text string) {
	r.out.Flush()
	r.clearProgress()
	w, done := r.errorWriter()
	_, _ = io.WriteString(w, output.Clean(text))
	done()
}

// errorWriter is what "set error" says: by default standard error, but the
// pager while it holds the screen.
func (r *reporter) errorWriter() (w io.Writer, done func()) {
	done = func() {}
	switch to := r.sh.Settings.Errors; {
	case to == "redirect", to == "default" && r.sink.pager != nil:
		return r.sink.w, done
	case to == "default":
		return r.sh.stderr, done
	default:
		f, err := r.sh.createFile(expandHome(to), true)
		if err != nil {
			fmt.Fprintf(r.sh.stderr, "set error: %v\n", err)
			return r.sh.stderr, done
		}
		return f, func() { _ = f.Close() }
	}
}

// progress shows how far a command has come, ten times a second, once it has
// worked for a second.
func (r *reporter) progress(name string, done, total uint64) {
	now := time.Since(r.begun)
	due := r.next.Load()
	if int64(now) < due || !r.next.CompareAndSwap(due, int64(now+100*time.Millisecond)) {
		return
	}
	r.out.Flush()
	if !r.visible || r.sink.pager != nil && r.sink.pager.running() {
		return
	}
	text := fmt.Sprintf("%s: %d", name, done)
	if total > 0 {
		text = fmt.Sprintf("%s: %.1f%%", name, 100*float64(min(done, total))/float64(total))
	}
	text += fmt.Sprintf("  %ds", int(now.Seconds()))
	r.mu.Lock()
	defer r.mu.Unlock()
	pad := max(0, r.shown-len(text))
	fmt.Fprintf(r.sh.stderr, "\r%s%s", text, strings.Repeat(" ", pad))
	r.shown = len(text)
}

func (r *reporter) clearProgress() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shown > 0 {
		fmt.Fprintf(r.sh.stderr, "\r%s\r", strings.Repeat(" ", r.shown))
		r.shown = 0
	}
}
