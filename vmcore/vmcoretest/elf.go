package vmcoretest

// ELFLayout says where an ELF core's program headers stand.
type ELFLayout int

// The layouts that writers use.
const (
	HeadersFirst    ELFLayout = iota // program headers right behind the ELF header
	SectionsFirst                    // behind the section headers, e_ehsize wrong: QEMU 7.2
	ExtendedNumbers                  // e_phnum is PN_XNUM, the number in section header 0
)

// ELF returns the memory as an ELF core: a PT_LOAD for every run of pages,
// with p_filesz below p_memsz where excluded pages follow it. vaddr, if not
// nil, gives the virtual address for p_vaddr.
func (m *Memory) ELF(layout ELFLayout, vaddr func(paddr uint64) uint64) []byte {
	loads := m.loads()
	notes, _ := m.notes()
	phnum := uint64(1 + len(loads))
	phoff, shoff := uint64(64), uint64(0)
	switch layout {
	case SectionsFirst:
		phoff, shoff = 64+2*64, 64
	case ExtendedNumbers:
		shoff = 64 + 56*phnum
	}
	data := phoff + 56*phnum
	if layout == ExtendedNumbers {
		data = shoff + 64
	}

	b := elfHeader(layout, phoff, shoff, phnum)
	if layout == SectionsFirst {
		b = append(b, make([]byte, 2*64)...)
	}
	b = phdr(b, 4, data, 0, 0, uint64(len(notes)), uint64(len(notes)))
	at := data + uint64(len(notes))
	for _, l := range loads {
		va := uint64(0)
		if vaddr != nil {
			va = vaddr(l.start * PageSize)
		}
		filesz := uint64(len(l.held)) * PageSize
		b = phdr(b, 1, at, va, l.start*PageSize, filesz, filesz+l.excluded*PageSize)
		at += filesz
	}
	if layout == ExtendedNumbers {
		section := make([]byte, 64)
		copy(section[44:], put32(nil, uint32(phnum)))
		b = append(b, section...)
	}
	b = append(b, notes...)
	for _, l := range loads {
		for _, pfn := range l.held {
			b = append(b, m.Pages[pfn]...)
		}
	}
	return b
}

func elfHeader(layout ELFLayout, phoff, shoff, phnum uint64) []byte {
	b := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	b = put16(b, 4, 62)
	b = put32(b, 1)
	b = put64(b, 0, phoff, shoff)
	b = put32(b, 0)
	ehsize, num, shentsize, shnum := uint16(64), uint16(phnum), uint16(0), uint16(0)
	switch layout {
	case SectionsFirst:
		ehsize, shentsize, shnum = 8, 64, 2
	case ExtendedNumbers:
		num, shentsize, shnum = 0xffff, 64, 1
	}
	return put16(b, ehsize, 56, num, shentsize, shnum, 0)
}

func phdr(b []byte, typ uint32, off, vaddr, paddr, filesz, memsz uint64) []byte {
	b = put32(b, typ, 7)
	return put64(b, off, vaddr, paddr, filesz, memsz, 0)
}

// load is pages in the dump and the excluded ones that follow.
type load struct {
	start    uint64
	held     []uint64
	excluded uint64
}

func (m *Memory) loads() []load {
	var out []load
	for _, pfn := range m.ram() {
		held := m.Pages[pfn] != nil
		if n := len(out); n > 0 {
			l := &out[n-1]
			next := l.start + uint64(len(l.held)) + l.excluded
			if next == pfn && (!held || l.excluded == 0) {
				if held {
					l.held = append(l.held, pfn)
				} else {
					l.excluded++
				}
				continue
			}
		}
		l := load{start: pfn}
		if held {
			l.held = []uint64{pfn}
		} else {
			l.excluded = 1
		}
		out = append(out, l)
	}
	return out
}
