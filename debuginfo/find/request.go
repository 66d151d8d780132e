package find

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Request is what to look for and where. The zero value of a field that names
// something to look for means that it is not known.
type Request struct {
	BuildID []byte   // GNU build ID of the kernel
	Release string   // kernel release
	Dumps   []string // paths of the dump's files; debug files may lie beside them
	Vmlinux string   // path of the vmlinux in use, as the user named it; its modules may lie near it

	ModuleDirs []string // --module-debug directories
	Cache      Cache    // where packed files are unpacked
	Progress   Progress // may be nil
	Root       string   // prefix of the system's directories, "" for none
}

// Result is a debug file that was found.
type Result struct {
	Path      string   // the ELF file to open
	DebugPath string   // its separate debug file with the DWARF, "" if Path has its own or there is none
	Source    string   // the file that was found: Path, or what Path is unpacked from
	By        string   // "build ID", "release", "CRC", "place" or "name": what says that it is the right one
	Identity  Identity // of Path
}

// Debug says whether there is DWARF.
func (r Result) Debug() bool { return r.Identity.Debug || r.DebugPath != "" }

// Attempt is a candidate that was not taken.
type Attempt struct {
	Path string
	Why  error // wraps fs.ErrNotExist if there is no such file
}

// NotFoundError is a search without a result.
type NotFoundError struct {
	What     string    // "vmlinux of 6.1.0-56-cloud-amd64 (build ID 3b43...)"
	Attempts []Attempt // in the order of the search
}

// Error lists the files that are there and why each was refused, then the
// places that hold nothing.
func (e *NotFoundError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no %s found", e.What)
	var missing []string
	for _, a := range e.Attempts {
		if isMissing(a.Why) {
			missing = append(missing, a.Path)
			continue
		}
		// Most errors begin with the path already.
		why := strings.TrimPrefix(a.Why.Error(), a.Path+": ")
		fmt.Fprintf(&b, "\n  %s: %s", a.Path, why)
	}
	if len(missing) > 0 {
		b.WriteString("\n  not there:")
	}
	for _, line := range fold(missing) {
		b.WriteString("\n    " + line)
	}
	return b.String()
}

// fold writes neighbours that differ only in a packer's ending as one.
func fold(paths []string) []string {
	var lines []string
	for i := 0; i < len(paths); {
		base, endings := unpackedBase(paths[i]), []string{}
		for ; i < len(paths) && unpackedBase(paths[i]) == base; i++ {
			endings = append(endings, paths[i][len(base):])
		}
		if len(endings) > 1 {
			base += "{" + strings.Join(endings, ",") + "}"
		} else {
			base += endings[0]
		}
		lines = append(lines, base)
	}
	return lines
}

// safeRelease is the release if it can be part of a path, else "".
func (r *Request) safeRelease() string {
	if r.Release == "." || r.Release == ".." || len(r.Release) > 200 || strings.ContainsAny(r.Release, "/\x00\n") {
		return ""
	}
	return r.Release
}

// system is a path below the root of the system.
func (r *Request) system(elem ...string) string {
	return filepath.Join(append([]string{r.Root, "/"}, elem...)...)
}

// describe names what is looked for in messages.
func (r *Request) describe() string {
	s := "vmlinux"
	if r.Release != "" {
		s += fmt.Sprintf(" of %.200q", r.Release)
	}
	if len(r.BuildID) > 0 {
		s += fmt.Sprintf(" with build ID %x", r.BuildID)
	}
	if r.Release == "" && len(r.BuildID) == 0 {
		s += " (the dump says neither release nor build ID)"
	}
	return s
}
