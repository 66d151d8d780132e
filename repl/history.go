package repl

import (
	"fmt"
	"strconv"
	"strings"
)

// maxHistory is how many lines a session remembers.
const maxHistory = 10000

// History is the session's command lines, oldest first.
func (sh *Shell) History() []string { return sh.history }

func (sh *Shell) remember(line string) {
	if strings.TrimSpace(line) == "" || len(sh.history) >= maxHistory {
		return
	}
	sh.history = append(sh.history, line)
}

// recall replaces a line that names an earlier one by that line: !! the last,
// !N and "r N" the one with that number, "r" the last, "r text" the last that
// begins with text.
func (sh *Shell) recall(line string) (string, bool, error) {
	s := strings.TrimSpace(line)
	key, ok := strings.CutPrefix(s, "!")
	if ok {
		if key != "!" && !allDigits(key) {
			return line, false, nil // a shell escape
		}
		if key == "!" {
			key = ""
		}
	} else {
		if s != "r" && !strings.HasPrefix(s, "r ") {
			return line, false, nil
		}
		key = strings.TrimSpace(s[1:])
	}
	found, err := sh.find(key)
	return found, err == nil, err
}

func (sh *Shell) find(key string) (string, error) {
	switch {
	case len(sh.history) == 0:
		return "", fmt.Errorf("the history is empty")
	case key == "":
		return sh.history[len(sh.history)-1], nil
	case allDigits(key):
		n, err := strconv.Atoi(key)
		if err != nil || n < 1 || n > len(sh.history) {
			return "", fmt.Errorf("no line %s in the history", key)
		}
		return sh.history[n-1], nil
	}
	for i := len(sh.history) - 1; i >= 0; i-- {
		if strings.HasPrefix(sh.history[i], key) {
			return sh.history[i], nil
		}
	}
	return "", fmt.Errorf("no line in the history begins with %s", key)
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
