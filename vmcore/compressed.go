package vmcore

import (
	"fmt"
	"iter"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kdump"
)

// kdumpMemory adapts a compressed dump, which counts in page frames.
type kdumpMemory struct{ *kdump.Image }

// Reader implements memory.
func (m kdumpMemory) Reader() physReader { return m.Image.NewReader() }

// State implements memory.
func (m kdumpMemory) State(paddr uint64) fault.Reason {
	return m.Image.State(paddr / kdump.PageSize)
}

// MaxPhys implements memory.
func (m kdumpMemory) MaxPhys() uint64 { return m.MaxPFN() * kdump.PageSize }

// Runs implements memory.
func (m kdumpMemory) Runs() iter.Seq[Run] {
	return func(yield func(Run) bool) {
		for start, end := range m.Image.Runs() {
			if !yield(Run{start * kdump.PageSize, end * kdump.PageSize}) {
				return
			}
		}
	}
}

func (d *Dump) openKdump(paths []string) error {
	parts := make([]kdump.Part, len(paths))
	for i, path := range paths {
		parts[i] = kdump.Part{Name: path, Src: d.sources[i]}
	}
	im, err := kdump.Open(parts)
	if err != nil {
		return err
	}
	d.mem = kdumpMemory{im}
	h := im.Header()
	d.info.Format = fmt.Sprintf("compressed kdump v%d, %s", h.Version, h.Codec())
	if h.Signature != "KDUMP   " {
		d.info.Format = fmt.Sprintf("diskdump v%d, %s", h.Version, h.Codec())
	}
	d.info.Split = h.Split
	d.info.DumpLevel = h.DumpLevel
	d.info.Utsname = h.Utsname
	d.info.Timestamp = h.Timestamp
	d.info.PhysBase, d.info.HasPhysBase = h.PhysBase, h.SubBlocks > 0 && h.Signature == "KDUMP   "
	d.info.MaxPhys = d.mem.MaxPhys()
	d.info.Missing = im.Missing().Pages * kdump.PageSize
	d.info.Incomplete = d.info.Incomplete || im.Missing().Any() || h.Incomplete()
	for _, w := range im.Warnings() {
		d.warn("%s", w)
	}
	d.readKdumpNotes(im)
	return nil
}

func (d *Dump) readKdumpNotes(im *kdump.Image) {
	raw, err := im.Notes()
	var damaged []error
	if err != nil {
		damaged = append(damaged, err)
	}
	notes, err := parseNotes(raw)
	if err != nil {
		damaged = append(damaged, err)
	}
	d.addNotes(notes, damaged)
	if raw, err = im.VMCoreInfo(); err != nil {
		d.warn("%v", err)
	}
	if len(raw) > 0 {
		d.useVMCoreInfo(raw)
	}
	for _, n := range notes {
		if n.Name == "VMCOREINFO" && n.Type == 0 && d.vmcoreinfo == nil {
			d.useVMCoreInfo(n.Desc)
		}
	}
	if d.eraseinfo, err = im.EraseInfo(); err != nil {
		d.warn("%v", err)
	}
	d.noteAbsence()
}
