package find

import (
	"bytes"
	"debug/elf"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/kdive/kdive/elffile"
)

// Identity is what an ELF file says of itself. What it does not say is empty.
type Identity struct {
	BuildID []byte // GNU build ID
	Release string // kernel release ("6.1.0-56-cloud-amd64"), from the banner or a module's vermagic
	Banner  string // "Linux version ..." of a vmlinux, without its newline
	Module  string // name of a kernel module, from .modinfo
	Type    elf.Type
	Debug   bool // has DWARF of its own
	Symbols bool // has a symbol table
}

const (
	bannerStart = "Linux version "
	maxBanner   = 512
	maxScan     = 64 << 20 // bytes of .rodata to look through for the banner
)

// Identify reads the identity of an ELF file that is not packed.
func Identify(path string) (Identity, error) {
	f, err := elffile.Open(path)
	if err != nil {
		return Identity{}, err
	}
	defer f.Close()
	var id Identity
	err = elffile.Guard(func() error {
		id = identityOf(f)
		return nil
	})
	return id, err
}

func identityOf(f *elffile.File) Identity {
	id := Identity{
		BuildID: f.BuildID(),
		Type:    f.Type,
		Debug:   f.Section(".debug_info").HasData(),
	}
	table, err := f.Symbols()
	id.Symbols = err == nil && table.Len() > 1
	if f.Type == elf.ET_REL {
		if info, err := f.ModInfo(); err == nil {
			id.Module = info["name"]
			id.Release, _, _ = strings.Cut(info["vermagic"], " ")
		}
		return id
	}
	id.Banner = banner(f, table)
	id.Release = bannerRelease(id.Banner)
	return id
}

// banner is linux_banner of a vmlinux. It is looked for by what it begins with,
// which touches less of the file than its symbol table; in a kernel that keeps
// it elsewhere, by its symbol.
func banner(f *elffile.File, table *elffile.SymbolTable) string {
	if data, err := f.Data(f.Section(".rodata")); err == nil {
		if s := scanBanner(data[:min(len(data), maxScan)]); s != "" {
			return s
		}
	}
	if table == nil {
		return ""
	}
	for _, s := range table.All() {
		if string(s.Name) != "linux_banner" {
			continue
		}
		data, err := f.DataAt(s.Value, min(max(s.Size, 64), maxBanner))
		if err == nil && bytes.HasPrefix(data, []byte(bannerStart)) {
			return bannerText(data)
		}
	}
	return ""
}

// scanBanner finds a banner with a release in it, which begins with a digit.
// Other texts may begin like it.
func scanBanner(data []byte) string {
	for {
		i := bytes.Index(data, []byte(bannerStart))
		if i < 0 || i+len(bannerStart) >= len(data) {
			return ""
		}
		data = data[i:]
		if c := data[len(bannerStart)]; c >= '0' && c <= '9' {
			return bannerText(data)
		}
		data = data[len(bannerStart):]
	}
}

func bannerText(data []byte) string {
	data = data[:min(len(data), maxBanner)]
	if i := bytes.IndexAny(data, "\n\x00"); i >= 0 {
		data = data[:i]
	}
	return string(data)
}

func bannerRelease(banner string) string {
	rest, ok := strings.CutPrefix(banner, bannerStart)
	if !ok {
		return ""
	}
	release, _, _ := strings.Cut(rest, " ")
	return release
}

// errNothingToCompare is why a file is taken by its place alone.
var errNothingToCompare = errors.New("nothing to compare")

// compare says whether a file with identity id is the wanted one, and by what
// that was decided. The build ID decides if both sides have one.
func compare(id Identity, wantID []byte, wantRelease string) (by string, err error) {
	switch {
	case len(wantID) > 0 && len(id.BuildID) > 0:
		if bytes.Equal(wantID, id.BuildID) {
			return "build ID", nil
		}
		s := "its build ID is " + hex.EncodeToString(id.BuildID) + ", not " + hex.EncodeToString(wantID)
		if id.Release != "" && id.Release != wantRelease {
			s += "; its release is " + id.Release
		}
		return "", errors.New(s)
	case wantRelease != "" && id.Release != "":
		if id.Release == wantRelease {
			return "release", nil
		}
		return "", errors.New("its release is " + id.Release + ", not " + wantRelease)
	}
	return "", errNothingToCompare
}
