package repl

import (
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/term"
)

// pagerDelay is how long output that still fits on the screen is held back.
const pagerDelay = 250 * time.Millisecond

// pager is a writer that prints short output itself and starts a pager program
// as soon as the output is longer than the screen.
type pager struct {
	sh         *Shell
	tty        *os.File
	cols, rows int

	mu    sync.Mutex
	held  []byte
	lines int // of the screen that the output has filled
	col   int // bytes in the last of them
	timer *time.Timer
	plain bool // the held text has been printed: no pager for the rest of a screen
	cmd   *exec.Cmd
	pipe  *os.File
	err   error
}

// newPager returns nil if the output is no terminal.
func (sh *Shell) newPager() *pager {
	f, ok := sh.stdout.(*os.File)
	if !ok {
		return nil
	}
	cols, rows, err := term.GetSize(int(f.Fd()))
	if err != nil || rows < 3 || cols < 1 {
		return nil
	}
	return &pager{sh: sh, tty: f, cols: cols, rows: rows}
}

func (p *pager) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	if p.pipe != nil {
		n, err := p.pipe.Write(b)
		p.err = err
		return n, err
	}
	p.count(b)
	if p.plain {
		return p.tty.Write(b)
	}
	p.held = append(p.held, b...)
	if p.lines >= p.rows-1 {
		return len(b), p.start()
	}
	if p.timer == nil {
		p.timer = time.AfterFunc(pagerDelay, p.release)
	}
	return len(b), nil
}

// count adds what b fills of the screen; long lines take several of its lines.
func (p *pager) count(b []byte) {
	for _, c := range b {
		p.col++
		if c == '\n' || p.col > p.cols {
			p.lines++
			p.col = 0
		}
	}
}

// release hands over what is held when a command takes its time: to the pager,
// since nobody knows how much is to come.
func (p *pager) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pipe == nil && !p.plain && len(p.held) > 0 {
		p.err = p.start()
	}
}

// start runs the pager program and feeds it what is held.
func (p *pager) start() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command("/bin/sh", "-c", p.sh.pagerCommand())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, p.tty, p.sh.stderr
	err = cmd.Start()
	_ = r.Close()
	if err != nil {
		_ = w.Close()
		return p.printHeld()
	}
	p.cmd, p.pipe = cmd, w
	_, err = w.Write(p.held)
	p.held = nil
	return err
}

func (p *pager) printHeld() error {
	p.plain = true
	_, err := p.tty.Write(p.held)
	p.held = nil
	return err
}

func (p *pager) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pipe != nil
}

// close waits until the reader is done with the pager.
func (p *pager) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.pipe == nil {
		return p.printHeld()
	}
	_ = p.pipe.Close()
	err := p.cmd.Wait()
	p.sh.dropInterrupts()
	return pipelineError(err)
}

// lessCommand leaves the text on the screen and ends at its end, as crash does.
const lessCommand = "less -E -X"

// pagerCommand is what "set scroll" or "set pager" chose, else the environment's.
func (sh *Shell) pagerCommand() string {
	if sh.Settings.Pager != "" {
		return sh.Settings.Pager
	}
	for _, name := range []string{"KDIVE_PAGER", "PAGER"} {
		if v := os.Getenv(name); v != "" && v != "less" {
			return v
		}
	}
	if _, err := exec.LookPath("less"); err == nil {
		return lessCommand
	}
	if _, err := exec.LookPath("more"); err == nil {
		return "more"
	}
	return "cat"
}

// scrollVariable is "set scroll on|off|less|more|CRASHPAGER".
func scrollVariable(sh *Shell) Variable {
	s := sh.Settings
	return Variable{
		Name: "scroll", Help: "whether output longer than the screen goes through a pager, and through which",
		Values: []string{"on", "off", "less", "more", "CRASHPAGER"},
		Config: func() string { return showBool(s.Scroll) },
		Get: func() string {
			if !s.Scroll {
				return "off (none)"
			}
			return "on (" + sh.pagerCommand() + ")"
		},
		Set: func(v string) error { return sh.setScroll(v) },
	}
}

var _ io.Writer = (*pager)(nil)
