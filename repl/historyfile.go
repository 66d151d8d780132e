package repl

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
)

// keptHistory is to how many lines the history file is cut when it has grown to
// twice that.
const keptHistory = 5000

// prepareHistory makes sure that the history file exists, belongs to the user
// and is readable by nobody else. It returns "" if there can be no history.
func prepareHistory(path string) string {
	if path == "" || !filepath.IsAbs(path) {
		return ""
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return ""
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return ""
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return ""
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); !ok || int(sys.Uid) != os.Geteuid() {
		return ""
	}
	if st.Mode().Perm()&0o077 != 0 {
		if err := f.Chmod(0o600); err != nil {
			return ""
		}
	}
	trimHistory(path, st.Size())
	return path
}

// trimHistory replaces a long history by its newest lines. Failure leaves it as
// it is.
func trimHistory(path string, size int64) {
	if size > 64<<20 { // no history of commands: start afresh
		_ = os.Truncate(path, 0)
		return
	}
	data, err := os.ReadFile(path)
	if err != nil || bytes.Count(data, []byte{'\n'}) <= 2*keptHistory {
		return
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(data, []byte{'\n'}), []byte{'\n'})
	tmp, err := os.CreateTemp(filepath.Dir(path), "history-") // mode 0600
	if err != nil {
		return
	}
	_, err = tmp.Write(append(bytes.Join(lines[len(lines)-keptHistory:], nil), '\n'))
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
}
