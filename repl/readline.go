package repl

import (
	"errors"
	"math"
	"os"
	"os/signal"

	"github.com/chzyer/readline"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// maxEdited bounds the line being edited: the library draws the whole line anew
// at every key, so that very long ones would take minutes to paste.
const maxEdited = 2048

// lineEditor is the readline library behind LineEditor.
type lineEditor struct {
	rl    *readline.Instance
	keys  *keyReader
	fd    int
	state *term.State // of the terminal as it was found
	temp  string      // history file to remove, if the user has none
}

func (sh *Shell) openReadline() (*lineEditor, error) {
	fd := int(os.Stdin.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	e := &lineEditor{fd: fd, state: state}
	path := prepareHistory(sh.opts.HistoryFile)
	if path == "" {
		// The library needs a file: without one, Ctrl-R in an empty history panics.
		f, err := os.CreateTemp("", "kdive-history-")
		if err != nil {
			return nil, err
		}
		_ = f.Close()
		path, e.temp = f.Name(), f.Name()
	}
	keys := &keyReader{ReadCloser: readline.NewCancelableStdin(os.Stdin)}
	e.keys = keys
	e.rl, err = readline.NewEx(&readline.Config{
		Stdin:               keys,
		Prompt:              Prompt,
		HistoryFile:         path,
		HistoryLimit:        math.MaxInt32, // prepareHistory keeps it short; the library would rewrite it under other sessions
		AutoComplete:        &completer{sh},
		InterruptPrompt:     "^C",
		EOFPrompt:           "q",
		FuncFilterInputRune: keys.filter,
		Listener:            keys,

		DisableAutoSaveHistory: true,
	})
	if err != nil {
		e.removeTemp()
		return nil, err
	}
	e.restoreOnSignal()
	return e, nil
}

// restoreOnSignal gives the terminal back as it was found when the process is
// told to end while it waits for a line.
func (e *lineEditor) restoreOnSignal() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	go func() {
		s, ok := (<-c).(unix.Signal)
		if !ok {
			return
		}
		_ = term.Restore(e.fd, e.state)
		e.removeTemp()
		os.Exit(128 + int(s))
	}()
}

func (e *lineEditor) ReadLine(prompt string) (string, error) {
	e.rl.SetPrompt(prompt)
	line, err := e.rl.Readline()
	if errors.Is(err, readline.ErrInterrupt) {
		return "", errInterrupted
	}
	if err == nil && line != "" && !isBlank(line[0]) { // a leading blank keeps a line private
		_ = e.rl.SaveHistory(line)
	}
	return line, err
}

func (e *lineEditor) Close() error {
	// The closed library reads zeros without end, and draws the prompt for each
	// that the filter keeps from it.
	e.keys.ended.Store(true)
	err := e.rl.Close()
	_ = term.Restore(e.fd, e.state)
	e.removeTemp()
	return err
}

func (e *lineEditor) removeTemp() {
	if e.temp != "" {
		_ = os.Remove(e.temp)
	}
}
