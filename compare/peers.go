package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kdive/kdive/compare/judge"
)

// peers runs crash and drgn and keeps what they say: they take long, and a dump
// does not change.
type peers struct {
	lab, cache string
}

// answer is what a peer printed, without the paths of the files it worked on.
type answer struct {
	text    string
	version string
}

func (p peers) drgn(d dump) (answer, error) { return p.script(d, "facts", judge.Script()) }

// script runs a program in drgn.
func (p peers) script(d dump, name, script string) (answer, error) {
	path := filepath.Join(p.cache, name+".py")
	if err := os.MkdirAll(p.cache, 0o755); err != nil {
		return answer{}, err
	}
	if err := os.WriteFile(path, []byte(script), 0o644); err != nil {
		return answer{}, err
	}
	args := []string{"-q", "-c", d.files[0], "-s", d.vmlinux, path}
	return p.ask("drgn", d, args, "", script)
}

func (p peers) crash(d dump, commands []string) (answer, error) {
	input := strings.Join(commands, "\n") + "\nquit\n"
	return p.ask("crash", d, append([]string{d.vmlinux}, d.files...), input, input)
}

// ask runs a peer, or finds what it said when it was asked the same (question)
// of the same files before.
func (p peers) ask(peer string, d dump, args []string, input, question string) (answer, error) {
	version, err := p.version(peer)
	if err != nil {
		return answer{}, err
	}
	key, err := d.key(peer + version + question)
	if err != nil {
		return answer{}, err
	}
	kept := filepath.Join(p.cache, fmt.Sprintf("%s.%s.%x", d.name, peer, key[:8]))
	if b, err := os.ReadFile(kept); err == nil {
		return answer{string(b), version}, nil
	}
	cmd := exec.Command(filepath.Join(p.lab, "peers/bin", peer), args...)
	cmd.Stdin = strings.NewReader(input)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w\n%s%s", peer, err, last(out), last(errs.Bytes()))
	}
	text, err := d.hidePaths(string(out))
	if err != nil {
		return answer{}, err
	}
	return answer{text, version}, os.WriteFile(kept, []byte(text), 0o644)
}

// version is the version of the peer's package, from the list that is beside
// the peers.
func (p peers) version(peer string) (string, error) {
	list, err := os.ReadFile(filepath.Join(p.lab, "peers/versions"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(list)) {
		if f := strings.Fields(line); len(f) == 2 && strings.HasSuffix(f[0], peer) {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("peers/versions does not name %s", peer)
}

// key identifies a question about the dump's files as they are.
func (d dump) key(question string) ([sha256.Size]byte, error) {
	var b strings.Builder
	b.WriteString(question)
	for _, f := range append([]string{d.vmlinux}, d.files...) {
		st, err := os.Stat(f)
		if err != nil {
			return [sha256.Size]byte{}, err
		}
		fmt.Fprintf(&b, "\n%d %d", st.Size(), st.ModTime().UnixNano())
	}
	return sha256.Sum256([]byte(b.String())), nil
}

// hidePaths leaves of the dump's files and the vmlinux their last name alone.
// Peers in a tree of their own see real paths below /mnt.
func (d dump) hidePaths(text string) (string, error) {
	names := map[string]string{}
	for _, f := range append([]string{d.vmlinux}, d.files...) {
		path, err := filepath.EvalSymlinks(f)
		if err != nil {
			return "", err
		}
		for _, spelling := range []string{"/mnt" + path, path, f} {
			names[spelling] = filepath.Base(f)
		}
	}
	return judge.HidePaths(text, names), nil
}

// runKdive runs kdive once on all commands; it prints a prompt line before each.
func runKdive(bin string, d dump, commands []string) (string, error) {
	var args []string
	if d.modules != "" {
		args = append(args, "--module-debug", d.modules)
	}
	cmd := exec.Command(bin, append(append(args, "-s", d.vmlinux), d.files...)...)
	var in strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&in, "%s\n%s\n", judge.Mark(c), c)
	}
	cmd.Stdin = strings.NewReader(in.String())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// A command that fails makes the status 1: what it said is compared.
	if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() != 1 {
		return "", fmt.Errorf("%s: %w\n%s", bin, err, last(out.Bytes()))
	}
	return d.hidePaths(out.String())
}

// last is the end of a long output.
func last(b []byte) []byte { return b[max(0, len(b)-2000):] }
