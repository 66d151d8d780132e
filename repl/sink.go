package repl

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// sink is where the output of one statement goes.
type sink struct {
	w      io.Writer
	live   bool // somebody is watching
	direct bool // w is the session's own output
	pager  *pager
	end    func() error
}

func (s *sink) close() error {
	if s.end == nil {
		return nil
	}
	return s.end()
}

// openSink opens the file, pipeline, pager or terminal a statement writes to.
func (sh *Shell) openSink(st *statement) (*sink, error) {
	switch {
	case st.output != "":
		return sh.openFile(st.output, st.appends)
	case st.pipe != "":
		return sh.openPipe(st.pipe)
	}
	if sh.interactive && sh.Settings.Scroll && !sh.restricted {
		if p := sh.newPager(); p != nil {
			return &sink{w: p, live: true, direct: true, pager: p, end: p.close}, nil
		}
	}
	return &sink{w: sh.stdout, live: isTerminal(sh.stdout), direct: true}, nil
}

func isTerminal(x any) bool {
	f, ok := x.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (sh *Shell) openFile(name string, appends bool) (*sink, error) {
	f, err := sh.createFile(name, appends)
	if err != nil {
		return nil, err
	}
	return &sink{w: f, end: f.Close}, nil
}

// CreateFile opens a file for a command that writes one (rd -r): it refuses in
// a restricted session and for the files of the dump.
func (sh *Shell) CreateFile(name string) (*os.File, error) {
	return sh.createFile(expandHome(name), false)
}

func (sh *Shell) createFile(name string, appends bool) (*os.File, error) {
	if sh.restricted {
		return nil, errRestricted("writing a file")
	}
	if st, err := os.Stat(name); err == nil {
		for _, p := range sh.opts.Protected {
			if ps, err := os.Stat(p); err == nil && os.SameFile(st, ps) {
				return nil, fmt.Errorf("%s is a file of this session's dump: it is never written to", name)
			}
		}
	}
	mode := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if appends {
		mode = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	return os.OpenFile(name, mode, 0o666)
}

// openPipe starts a shell pipeline that reads the command's output.
func (sh *Shell) openPipe(pipeline string) (*sink, error) {
	if sh.restricted {
		return nil, errRestricted("a pipe to a program")
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c := shellCommand(pipeline)
	c.Stdin, c.Stdout, c.Stderr = r, sh.stdout, sh.stderr
	err = c.Start()
	_ = r.Close()
	if err != nil {
		_ = w.Close()
		return nil, err
	}
	return &sink{w: w, end: func() error {
		_ = w.Close()
		return pipelineError(c.Wait())
	}}, nil
}

// pipelineError keeps what says that the pipeline could not run. That grep found
// nothing is no error, and that a program died of a signal is the user's doing.
func pipelineError(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	switch code := exit.ExitCode(); {
	case code == 126 || code == 127:
		return fmt.Errorf("the pipeline failed with status %d", code)
	case code < 0:
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signal() != syscall.SIGINT && ws.Signal() != syscall.SIGPIPE {
			return fmt.Errorf("the pipeline ended: %v", err)
		}
	}
	return nil
}

// expandHome replaces a leading ~/ by the home directory.
func expandHome(name string) string {
	rest, ok := strings.CutPrefix(name, "~/")
	if !ok {
		return name
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return name
	}
	return filepath.Join(home, rest)
}
