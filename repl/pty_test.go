package repl_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// session is the test binary as an interactive shell on a pseudo terminal.
type session struct {
	t    *testing.T
	tty  *os.File // our side
	cmd  *exec.Cmd
	mu   sync.Mutex
	seen bytes.Buffer
	from int // how much of seen has been expected
	done chan error
}

// openPty returns both sides of a new pseudo terminal.
func openPty(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	fd := int(ours.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// start runs the shell with the given arguments on a terminal.
func start(t *testing.T, env []string, args ...string) *session {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // testscript runs the program when it is called by its name
	shell := filepath.Join(dir, "shell")
	if err := os.Symlink(exe, shell); err != nil {
		t.Fatal(err)
	}
	ours, theirs := openPty(t)
	s := &session{t: t, tty: ours, done: make(chan error, 1)}
	s.cmd = exec.Command(shell, args...)
	s.cmd.Dir = dir
	s.cmd.Env = append(os.Environ(), "TERM=xterm", "PAGER=", "KDIVE_PAGER=", "SHELL=/bin/sh", "TMPDIR="+dir)
	s.cmd.Env = append(s.cmd.Env, env...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = theirs, theirs, theirs
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	go s.listen()
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.tty.Close()
	})
	return s
}

func (s *session) listen() {
	buf := make([]byte, 4096)
	for {
		n, err := s.tty.Read(buf)
		s.mu.Lock()
		s.seen.Write(buf[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// screen is everything the terminal has shown.
func (s *session) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}

// send types text.
func (s *session) send(text string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// expect waits until the terminal has shown text behind what was expected
// before.
func (s *session) expect(text string) {
	s.t.Helper()
	if s.shows(text, 10*time.Second) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t.Fatalf("%q did not appear; the terminal shows\n%q", text, s.seen.String()[s.from:])
}

// shows reports whether the terminal shows text within a time.
func (s *session) shows(text string, within time.Duration) bool {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		i := strings.Index(s.seen.String()[s.from:], text)
		if i >= 0 {
			s.from += i + len(text)
		}
		s.mu.Unlock()
		if i >= 0 {
			return true
		}
	}
	return false
}

// interrupt types Ctrl-C until the terminal shows text. On a busy machine one may
// reach the line editor, before the command runs, and two may become one.
func (s *session) interrupt(text string) {
	s.t.Helper()
	for range 20 {
		s.send("\x03")
		if s.shows(text, 500*time.Millisecond) {
			return
		}
	}
	s.expect(text)
}

// end waits for the shell and returns its exit status.
func (s *session) end() int {
	s.t.Helper()
	select {
	case <-s.done:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(10 * time.Second):
		s.t.Fatal("the session does not end")
		return -1
	}
}

const prompt = "kdive> "

func TestInteractive(t *testing.T) {
	s := start(t, nil)
	s.expect(prompt)
	s.send("echo one two\r")
	s.expect("\r\none two\r\n")
	s.expect(prompt)
	s.send("ev\t5\r") // completion adds "al "
	s.expect("decimal: 5")
	s.expect(prompt)
	s.send("echo init_t\t;h\r")
	s.expect("\r\ninit_task\r\n")
	s.expect(prompt)
	s.send("\x12one\r") // Ctrl-R
	s.expect("\r\none two\r\n")
	s.expect(prompt)
	s.send("!!\r")
	s.expect("one two\r\n")
	s.expect(prompt)
	s.send("garbage\x03") // Ctrl-C gives up the line
	s.expect(prompt)
	s.send("q\r")
	if status := s.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestInteractiveEnd(t *testing.T) {
	s := start(t, nil)
	s.expect(prompt)
	s.send("fail\r")
	s.expect("fail: on purpose")
	s.expect(prompt)
	s.send("\x04") // Ctrl-D
	s.expect("q")
	if status := s.end(); status != 1 {
		t.Errorf("status %d", status)
	}
	time.Sleep(100 * time.Millisecond) // for what is still on its way
	if rest := s.screen()[s.from:]; strings.Contains(rest, prompt) {
		t.Errorf("behind the end: %.200q", rest)
	}
}

// Keys that make the line editor's library panic, were they not filtered.
func TestDangerousKeys(t *testing.T) {
	s := start(t, nil)
	s.expect(prompt)
	s.send("a\x14\x7f")          // transpose on a line of one character
	s.send("\x12\x03\x13\x07")   // searches in an empty history, given up
	s.send("\x12\x07\t\t\t\x03") // completion with many candidates
	s.expect(prompt)
	// Delete, Ctrl-Space and unknown keys on an empty line do not end the input.
	s.send("\x1b[3~\x00\x1bz\x7f\x00\x1b\x1b\x03")
	s.expect("^C")
	s.send("echo alive\r")
	s.expect("\r\nalive\r\n")
}

func TestInterrupt(t *testing.T) {
	s := start(t, nil)
	if err := os.WriteFile(filepath.Join(s.cmd.Dir, "file"), []byte("wait\necho skipped\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.expect(prompt)
	s.send("wait\r")
	s.expect("waiting")
	s.send("\x03")
	s.expect(prompt)
	s.send("deaf\r")
	s.expect("hears nothing")
	s.interrupt("still stopping")
	s.interrupt("left behind")
	s.expect(prompt)
	s.send("repeat -1 echo again\r")
	s.expect("again\r\n")
	s.expect("again\r\n")
	s.send("\x03")
	s.expect(prompt)
	s.send("wait | cat\r")
	s.expect("wait | cat\r\n") // drawing the line shows prompts, too
	s.interrupt(prompt)
	s.send("wait; echo skipped\r") // the whole line and the files it runs
	s.expect("waiting")
	s.send("\x03")
	s.expect(prompt)
	s.send("< file\r")
	s.expect("waiting")
	s.send("\x03")
	s.expect(prompt)
	if strings.Contains(s.screen(), "\nskipped") {
		s.t.Error("the line went on")
	}
	s.send("echo still here\r")
	s.expect("\r\nstill here\r\n")
}

func TestInterruptedScript(t *testing.T) {
	s := start(t, nil, "-e", "wait", "-e", "echo no")
	s.expect("waiting")
	s.send("\x03")
	if status := s.end(); status != 1 {
		t.Errorf("status %d", status)
	}
	if strings.Contains(s.screen(), "no\r\n") {
		t.Error("the script went on")
	}
}

func TestPager(t *testing.T) {
	if _, err := exec.LookPath("less"); err != nil {
		t.Skip("no less here")
	}
	s := start(t, []string{"LESS="})
	s.expect(prompt)
	s.send("echo short\r") // no pager
	s.expect("\r\nshort\r\n")
	s.expect(prompt)
	s.send("lines\r")
	s.expect("line 22")
	s.send(" ")
	s.expect("line 40")
	s.send("q")
	s.expect(prompt)
	s.send("endless\r")
	s.expect("line 22")
	s.send("q")
	s.expect(prompt)
	s.send("endless\r")
	s.expect("line 22")
	s.send("\x03") // stops the command, not the pager
	time.Sleep(300 * time.Millisecond)
	s.send("q")
	s.expect(prompt)
	s.send("set scroll off\r")
	s.expect("scroll: off (none)")
	s.expect(prompt)
	s.send("lines\r")
	s.expect("line 199")
	s.expect(prompt)
}

func TestProgress(t *testing.T) {
	s := start(t, nil)
	s.expect(prompt)
	s.send("work\r")
	s.expect("work: ")
	s.expect("%")
	s.expect("done")
}

func TestHistoryFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "state", "history")
	for i, line := range []string{"echo first", " echo private"} {
		s := start(t, nil, "-history", file)
		s.expect(prompt)
		if i == 1 {
			s.send("\x1b[A\x1b[A\r") // arrow up: q, and the line in front of it
			s.expect("\r\nfirst\r\n")
			s.expect(prompt)
		}
		s.send(line + "\r")
		s.expect(prompt)
		s.send("q\r")
		s.end()
	}
	st, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	text, _ := os.ReadFile(file)
	if !strings.Contains(string(text), "echo first") || strings.Contains(string(text), "private") {
		t.Errorf("history %q", text)
	}
}

// A pasted line longer than the editor takes is cut, and the session lives.
func TestLongLine(t *testing.T) {
	s := start(t, nil)
	s.expect(prompt)
	s.send("sf\r")
	s.expect("scroll: off")
	s.expect(prompt)
	s.send("echo " + strings.Repeat("x", 3000))
	s.send("\r")
	s.expect("xxx\r\n")
	s.expect(prompt)
	s.send("echo alive\r")
	s.expect("\r\nalive\r\n")
}

// A session that is told to end leaves the terminal as it found it.
func TestTerminalIsRestored(t *testing.T) {
	s := start(t, nil)
	s.expect(prompt)
	before, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if before.Lflag&unix.ICANON != 0 {
		t.Fatal("the terminal is not in raw mode at the prompt: the test would show nothing")
	}
	if err := s.cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := s.end(); status != 128+int(unix.SIGTERM) {
		t.Errorf("status %d", status)
	}
	after, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if after.Lflag&unix.ICANON == 0 || after.Lflag&unix.ECHO == 0 {
		t.Errorf("local modes %#x", after.Lflag)
	}
}

// Lines that are pasted or typed ahead run one after the other.
func TestTypeAhead(t *testing.T) {
	s := start(t, nil)
	s.expect(prompt)
	s.send("echo first\recho second\recho third\r")
	s.expect("\r\nfirst\r\n")
	s.expect("\r\nsecond\r\n")
	s.expect("\r\nthird\r\n")
}
