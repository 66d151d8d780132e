package judge

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Kept is what the peers say of a dump, kept in a file for tests without peers.
// The file is zstd-compressed text: a line for each peer that is here with its
// name, the version of its package and the number of bytes it printed, an empty
// line, and then what they printed.
type Kept struct {
	Dump                string
	Crash, CrashVersion string // empty if crash does not open the dump
	Drgn, DrgnVersion   string
	More                // of dumps that every test run has; else empty
}

// More is what else the peers say: of address spaces, files and IPC objects
// (Wide), of memory (KeptMemory) and of stacks (Stacks).
type More struct {
	Wide, Memory, Stacks string // crash's answers
	DrgnWide, DrgnStacks string // what drgn's scripts printed
}

// parts are the answers in the order in which they stand in the file.
func (k *Kept) parts() []part {
	return []part{
		{"crash", &k.CrashVersion, &k.Crash}, {"crash-wide", &k.CrashVersion, &k.Wide}, {"crash-memory", &k.CrashVersion, &k.Memory},
		{"crash-stacks", &k.CrashVersion, &k.Stacks}, {"drgn", &k.DrgnVersion, &k.Drgn}, {"drgn-wide", &k.DrgnVersion, &k.DrgnWide},
		{"drgn-stacks", &k.DrgnVersion, &k.DrgnStacks},
	}
}

type part struct {
	name          string
	version, text *string
}

const keptSuffix = ".facts.zst"

// maxKept bounds the text in a file of facts.
const maxKept = 64 << 20

// Write writes the file for the dump in a directory.
func (k Kept) Write(dir string) error {
	var b strings.Builder
	for _, p := range k.parts() {
		if *p.text != "" {
			fmt.Fprintf(&b, "%s %s %d\n", p.name, *p.version, len(*p.text))
		}
	}
	b.WriteString("\n")
	for _, p := range k.parts() {
		b.WriteString(*p.text)
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(32<<20))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, k.Dump+keptSuffix), w.EncodeAll([]byte(b.String()), nil), 0o644)
}

// ReadKept reads the file for a dump in a directory.
func ReadKept(dir, dump string) (Kept, error) {
	k := Kept{Dump: dump}
	f, err := os.Open(filepath.Join(dir, dump+keptSuffix))
	if err != nil {
		return k, err
	}
	defer f.Close()
	r, err := zstd.NewReader(f, zstd.WithDecoderMaxMemory(maxKept))
	if err != nil {
		return k, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxKept))
	if err != nil {
		return k, err
	}
	head, body, ok := strings.Cut(string(b), "\n\n")
	if !ok {
		return k, fmt.Errorf("%s: no head", f.Name())
	}
	for line := range strings.SplitSeq(head, "\n") {
		var peer, version string
		var n int
		if _, err := fmt.Sscan(line, &peer, &version, &n); err != nil || n < 0 || n > len(body) {
			return k, fmt.Errorf("%s: %q is no line of a head", f.Name(), line)
		}
		for _, p := range k.parts() {
			if p.name == peer {
				*p.text, *p.version = body[:n], version
			}
		}
		body = body[n:]
	}
	return k, nil
}
