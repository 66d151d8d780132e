// Package vmcore opens the memory dump of a crashed kernel, in whatever format
// it was saved, as one interface: physical memory, notes, VMCOREINFO.
//
// It knows ELF cores and the notes of kernels and of QEMU; compressed dumps
// and flattened streams it takes from kdump and kdump/source. It must not know
// a kernel: nothing here translates a virtual address or reads a structure.
// Addresses are physical; failed reads are *fault.Error. Start from Open.
package vmcore

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kdump"
	"github.com/kdive/kdive/kdump/source"
)

// Run is a range of physical memory, End exclusive.
type Run struct{ Start, End uint64 }

type physReader interface {
	ReadPhys(p []byte, paddr uint64) error
}

// memory is what each format provides.
type memory interface {
	physReader
	Reader() physReader
	Runs() iter.Seq[Run]
	State(paddr uint64) fault.Reason
	MaxPhys() uint64
}

// Dump is an open dump. Its methods may be called by many goroutines at once,
// but for SetVMCoreInfo and Close.
type Dump struct {
	sources    []source.Source
	mem        memory
	segments   []Segment
	notes      []Note
	cpus       []CPUState
	vmcoreinfo *VMCoreInfo
	eraseinfo  []byte
	info       Info
	warnings   []string
}

// Info describes a dump as a file, as far as its format says.
type Info struct {
	Format     string // such as "compressed kdump v6, zlib" or "ELF core"
	Files      []string
	Flattened  bool
	Split      bool
	Incomplete bool   // cut off, marked incomplete by its writer, or lacking a part
	Missing    uint64 // bytes of memory that the dump's headers promise and the files lack
	MaxPhys    uint64 // end of the highest memory that the dump describes
	DumpLevel  int    // makedumpfile's -d, or -1 if not recorded
	Utsname    kdump.Utsname
	Timestamp  time.Time // of the writing; zero if not recorded

	// PhysBase is the kernel's phys_base according to the header of a
	// compressed dump. QEMU writes what it was told or nothing.
	PhysBase    uint64
	HasPhysBase bool
}

// Open opens a dump in any format; the format is told by content. Several
// paths are the parts of one split dump, in any order. What is damaged or
// missing and leaves something to be read is no error; see Warnings.
func Open(paths []string) (*Dump, error) {
	if len(paths) == 0 {
		return nil, errors.New("no dump file named")
	}
	d := &Dump{info: Info{Files: paths, DumpLevel: -1}}
	if err := d.open(paths); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Dump) open(paths []string) error {
	compressed := false
	for i, path := range paths {
		src, flat, err := source.Open(path)
		if err != nil {
			return err
		}
		d.sources = append(d.sources, src)
		d.info.Flattened = d.info.Flattened || flat
		for _, w := range src.Warnings() {
			d.info.Incomplete = true
			if len(paths) > 1 {
				w = path + ": " + w
			}
			d.warn("%s", w)
		}
		var head [64]byte
		n, _ := src.ReadAt(head[:], 0)
		is, format := sniff(head[:n])
		if !is {
			return fmt.Errorf("%s: %s, not a dump", path, format)
		}
		kd := kdump.IsKdump(head[:n])
		if i > 0 && (!kd || !compressed) {
			return fmt.Errorf("%s: %s; several files can only be the parts of a split compressed dump", path, format)
		}
		compressed = kd
	}
	if compressed {
		return d.openKdump(paths)
	}
	if err := d.openELF(); err != nil {
		return fmt.Errorf("%s: %w", paths[0], err)
	}
	return nil
}

func (d *Dump) openELF() error {
	src := d.sources[0]
	h, err := readELF(src)
	if err != nil {
		return err
	}
	mem, warnings := newELFMemory(src, h.segments)
	for _, w := range append(h.warnings, warnings...) {
		d.warn("%s", w)
	}
	d.mem, d.segments = mem, h.segments
	notes, damaged := h.readNotes(src)
	d.addNotes(notes, damaged)
	d.info.Format = "ELF core"
	for _, n := range notes {
		if n.Name == "QEMU" {
			d.info.Format = "ELF core (QEMU)"
		}
	}
	d.info.MaxPhys = mem.MaxPhys()
	d.info.Missing = mem.missing
	if mem.missing > 0 {
		d.info.Incomplete = true
		d.warn("the dump is cut off: %d bytes (%d MiB) of memory are missing", mem.missing, mem.missing>>20)
	}
	if h.flags&elfIncomplete != 0 {
		d.info.Incomplete = true
		if mem.missing == 0 {
			d.warn("the dump is marked incomplete by its writer")
		}
	}
	for _, n := range notes {
		if n.Name == "VMCOREINFO" && n.Type == 0 && d.vmcoreinfo == nil {
			d.useVMCoreInfo(n.Desc)
		}
	}
	d.noteAbsence()
	return nil
}

// addNotes keeps the notes; damage is worth a warning only.
func (d *Dump) addNotes(notes []Note, damaged []error) {
	d.notes = notes
	cpus, bad := parseCPUs(notes)
	d.cpus = cpus
	damaged = append(damaged, bad...)
	for i, err := range damaged {
		if i == maxNoteWarnings {
			d.warn("%d more notes are damaged", len(damaged)-i)
			break
		}
		d.warn("%v", err)
	}
}

// maxNoteWarnings is how many damaged notes are told of singly.
const maxNoteWarnings = 8

// useVMCoreInfo parses a note's text; the well-formed lines of a damaged one
// are used.
func (d *Dump) useVMCoreInfo(raw []byte) {
	v, err := ParseVMCoreInfo(raw)
	if err != nil {
		d.warn("%v", err)
	}
	d.vmcoreinfo = v
}

func (d *Dump) noteAbsence() {
	if d.vmcoreinfo == nil {
		d.warn("the dump has no usable VMCOREINFO note")
	}
}

func (d *Dump) warn(format string, args ...any) {
	d.warnings = append(d.warnings, fmt.Sprintf(format, args...))
}

// ReadPhys fills p from physical address paddr on. At the first byte that
// cannot be read it stops with a *fault.Error for that byte's address; the
// bytes before it are valid.
func (d *Dump) ReadPhys(p []byte, paddr uint64) error { return d.mem.ReadPhys(p, paddr) }

// State tells whether a physical address is in the dump: 0 if it is, else why
// not. A page that is there can still turn out damaged.
func (d *Dump) State(paddr uint64) fault.Reason { return d.mem.State(paddr) }

// Runs yields the physical ranges that the dump holds, ascending and disjoint.
// Parts of a range can still turn out cut off or damaged when read.
func (d *Dump) Runs() iter.Seq[Run] { return d.mem.Runs() }

// Reader reads past the shared cache with a decompressor of its own. A scan
// takes one for each goroutine; a Reader belongs to one at a time.
type Reader struct{ r physReader }

// NewReader returns a Reader.
func (d *Dump) NewReader() *Reader { return &Reader{d.mem.Reader()} }

// ReadPhys is as Dump.ReadPhys.
func (r *Reader) ReadPhys(p []byte, paddr uint64) error { return r.r.ReadPhys(p, paddr) }

// Segments returns the PT_LOAD program headers of an ELF core, nil for a
// compressed dump.
func (d *Dump) Segments() []Segment { return d.segments }

// Notes returns the ELF notes in the order of the file.
func (d *Dump) Notes() []Note { return d.notes }

// CPUs returns the CPUs' states according to the notes.
func (d *Dump) CPUs() []CPUState { return d.cpus }

// VMCoreInfo returns the dump's VMCOREINFO, nil if it has none.
func (d *Dump) VMCoreInfo() *VMCoreInfo { return d.vmcoreinfo }

// SetVMCoreInfo supplies a VMCOREINFO that was found elsewhere.
func (d *Dump) SetVMCoreInfo(v *VMCoreInfo) { d.vmcoreinfo = v }

// EraseInfo returns makedumpfile's text about what it erased on the user's
// wish, nil if there is none.
func (d *Dump) EraseInfo() []byte { return d.eraseinfo }

// Info describes the dump as a file.
func (d *Dump) Info() Info { return d.info }

// Warnings are sentences for the user about what is damaged or missing.
func (d *Dump) Warnings() []string { return d.warnings }

// Close releases the files. No read may be under way.
func (d *Dump) Close() error {
	var errs []error
	for _, s := range d.sources {
		errs = append(errs, s.Close())
	}
	d.sources = nil
	return errors.Join(errs...)
}
