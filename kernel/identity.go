package kernel

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/vmcore"
)

// MismatchError says that the vmlinux is not of the kernel that wrote the dump.
type MismatchError struct {
	What         string // what was compared
	Dump, File   string // the two identities
	InDump, Path string // where they were read
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("vmlinux and dump do not belong together: %s in the dump is %s (from %s), in %s it is %s; --force opens them all the same",
		e.What, e.Dump, e.InDump, e.Path, e.File)
}

// checkBuildID compares the build IDs if both sides have one (kernels since 5.9
// put theirs into VMCOREINFO).
func (k *Kernel) checkBuildID(force bool) error {
	v := k.Dump.VMCoreInfo()
	if k.Info == nil || v == nil {
		return nil
	}
	want, ok := v.Get("BUILD-ID")
	have := hex.EncodeToString(k.Info.BuildID())
	if !ok || have == "" || strings.EqualFold(want, have) {
		return nil
	}
	err := &MismatchError{What: "build ID", Dump: want, InDump: "VMCOREINFO", File: have, Path: k.Info.Path()}
	if rel, ok := v.Get("OSRELEASE"); ok {
		err.Dump += " of " + rel
	}
	if b, berr := k.fileBanner(); berr == nil {
		err.File += " of " + bannerRelease(b)
	}
	if force {
		k.note("%v", err)
		return nil
	}
	return err
}

// sameBuild reports whether the build IDs prove that the dump is of this very
// vmlinux.
func (k *Kernel) sameBuild() bool {
	v := k.Dump.VMCoreInfo()
	if k.Info == nil || v == nil || len(k.Info.BuildID()) == 0 {
		return false
	}
	id, _ := v.Get("BUILD-ID")
	return strings.EqualFold(id, hex.EncodeToString(k.Info.BuildID()))
}

// fileBanner is linux_banner as stored in vmlinux, up to its NUL.
func (k *Kernel) fileBanner() ([]byte, error) {
	addr, err := k.linkSymbol("linux_banner")
	if err != nil {
		return nil, err
	}
	b, err := k.Info.ReadStatic(addr, 512)
	if err != nil {
		return nil, fmt.Errorf("linux_banner: %w", err)
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if !bytes.HasPrefix(b, []byte("Linux version ")) {
		return nil, errors.New("linux_banner of the vmlinux holds no version text")
	}
	return b, nil
}

// bannerRelease is the release in "Linux version RELEASE (...".
func bannerRelease(banner []byte) string {
	s, _, _ := strings.Cut(strings.TrimPrefix(string(banner), "Linux version "), " ")
	return s
}

// checkBanner reads the banner through the current placement. Without a vmlinux
// the release behind init_uts_ns serves instead.
func (k *Kernel) checkBanner() error {
	if k.Info == nil {
		return k.checkUtsname()
	}
	file, err := k.fileBanner()
	if err != nil {
		return err
	}
	addr, _ := k.Symbol("linux_banner")
	mem := make([]byte, len(file))
	// Through the page tables, not by arithmetic: that confirms both. Where the
	// dump lacks the tables, arithmetic confirms the placement at least.
	err = k.place.tables.Read(mem, addr)
	if missing(err) {
		err = k.Read(mem, addr)
	}
	if err != nil {
		return fmt.Errorf("linux_banner at %#x (placement from %s): %w", addr, k.place.source, err)
	}
	if bytes.Equal(file, mem) {
		return nil
	}
	if bytes.HasPrefix(mem, []byte("Linux version ")) {
		return &MismatchError{What: "linux_banner", Dump: fmt.Sprintf("%q", strings.TrimSpace(cstring(mem))), InDump: k.place.source,
			File: fmt.Sprintf("%q", strings.TrimSpace(string(file))), Path: k.Info.Path()}
	}
	return fmt.Errorf("no linux_banner at %#x (placement from %s)", addr, k.place.source)
}

func (k *Kernel) checkUtsname() error {
	v := k.Dump.VMCoreInfo()
	if v == nil {
		return errors.New("no VMCOREINFO")
	}
	uts, ok := v.Symbol("init_uts_ns")
	if !ok {
		return errors.New("VMCOREINFO: no SYMBOL(init_uts_ns)")
	}
	var b [512]byte
	if err := k.place.tables.Read(b[:], uts); err != nil {
		return fmt.Errorf("init_uts_ns: %w", err)
	}
	if rel, _ := v.Get("OSRELEASE"); rel == "" || !bytes.Contains(b[:], append([]byte(rel), 0)) {
		return fmt.Errorf("init_uts_ns at %#x does not hold release %q", uts, rel)
	}
	return nil
}

func cstring(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// findVMCoreInfo looks for VMCOREINFO in memory: the kernel fills a page of its
// own with the text at boot (crash_save_vmcoreinfo_init, kernel/vmcore_info.c),
// which begins with OSRELEASE=.
func (k *Kernel) findVMCoreInfo() {
	release := ""
	if k.Info != nil {
		if b, err := k.fileBanner(); err == nil {
			release = bannerRelease(b)
		}
	}
	var page [PageSize]byte
	_ = scanPages(k.Dump, 0, []byte("OSRELEASE="+release), func(paddr uint64) bool {
		if k.Dump.ReadPhys(page[:], paddr) != nil {
			return true
		}
		text := page[:]
		if i := bytes.IndexByte(text, 0); i >= 0 {
			text = text[:i]
		}
		v, err := vmcore.ParseVMCoreInfo(text)
		if err != nil {
			return true
		}
		if _, ok := v.Symbol("_stext"); !ok {
			return true
		}
		k.Dump.SetVMCoreInfo(v)
		k.note("VMCOREINFO found in memory at physical address %#x", paddr)
		return false
	})
}
