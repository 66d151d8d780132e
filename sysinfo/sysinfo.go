// Package sysinfo reads what describes the whole system: its name, clock, load,
// memory, processors, and why it went down.
//
// Each fact is a function of its own and fails on its own: a dump that lacks one
// still tells the others. The package knows the kernel's global variables and
// nothing of how they are shown. Start from Names, ReadClock and ReadPanic.
package sysinfo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
)

// Names is struct new_utsname of the initial namespace.
type Names struct {
	Sysname, Nodename, Release, Version, Machine, Domain string
}

// ReadNames reads the system's names.
func ReadNames(k kernel.View) (Names, error) {
	var n struct {
		NS       kernel.Sym   `need:"init_uts_ns"`
		Sysname  kernel.Field `need:"uts_namespace.name.sysname"`
		Nodename kernel.Field `need:"uts_namespace.name.nodename"`
		Release  kernel.Field `need:"uts_namespace.name.release"`
		Version  kernel.Field `need:"uts_namespace.name.version"`
		Machine  kernel.Field `need:"uts_namespace.name.machine"`
		Domain   kernel.Field `need:"uts_namespace.name.domainname"`
	}
	var out Names
	err := k.Bind(&n)
	if err != nil {
		if out, ok := namesFromVMCoreInfo(k); ok {
			return out, nil
		}
		return out, err
	}
	for _, f := range []struct {
		to   *string
		from *kernel.Field
	}{{&out.Sysname, &n.Sysname}, {&out.Nodename, &n.Nodename}, {&out.Release, &n.Release}, {&out.Version, &n.Version},
		{&out.Machine, &n.Machine}, {&out.Domain, &n.Domain}} {
		b := make([]byte, min(f.from.Size(), 256))
		if rerr := k.Read(b, f.from.At(uint64(n.NS))); rerr != nil {
			err = fmt.Errorf("init_uts_ns: %w", rerr)
			continue
		}
		*f.to = cstring(b)
	}
	return out, err
}

// utsField is the size of every member of struct new_utsname (__NEW_UTS_LEN + 1).
const utsField = 65

// namesFromVMCoreInfo finds new_utsname without debug info: at the offset that
// VMCOREINFO gives, or where the release that it states stands.
func namesFromVMCoreInfo(k kernel.View) (Names, bool) {
	v := k.VMCoreInfo()
	if v == nil {
		return Names{}, false
	}
	release, _ := v.Get("OSRELEASE")
	out := Names{Release: release}
	addr, ok := v.Symbol("init_uts_ns")
	b := make([]byte, 6*utsField)
	if !ok || release == "" || len(release) >= utsField {
		return out, release != ""
	}
	off, known := v.Offset("uts_namespace.name")
	for try := int64(0); try <= 64; try += 4 { // past the reference count, if the struct begins with one
		if known {
			try = off
		}
		if k.Read(b, addr+uint64(try)) == nil && cstring(b[2*utsField:3*utsField]) == release {
			part := func(i int) string { return cstring(b[i*utsField : (i+1)*utsField]) }
			return Names{part(0), part(1), part(2), part(3), part(4), part(5)}, true
		}
		if known {
			break
		}
	}
	return out, true
}

func cstring(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// MemorySize is how much RAM the kernel found, in bytes, over all nodes.
type MemorySize struct {
	Present uint64 // pages that exist
	Spanned uint64 // from the first page of a node to its last, holes included
}

// Memory reads the size of memory. What of it is known comes with an error
// about a node that could not be read.
func Memory(k kernel.View) (MemorySize, error) {
	const pageSize = 4096
	var n struct {
		Present kernel.Field `need:"pglist_data.node_present_pages"`
		Spanned kernel.Field `need:"pglist_data.node_spanned_pages"`
	}
	if err := k.Bind(&n); err != nil {
		return MemorySize{}, err
	}
	list, err := nodes(k)
	var size MemorySize
	for _, node := range list {
		present, e1 := n.Present.Uint(k, node)
		spanned, e2 := n.Spanned.Uint(k, node)
		err = errors.Join(err, e1, e2)
		size.Present += present * pageSize
		size.Spanned += spanned * pageSize
	}
	return size, err
}

// nodes are the addresses of the pglist_data of all memory nodes.
func nodes(k kernel.View) ([]uint64, error) {
	table, ok := k.ImageSymbol("node_data")
	if !ok {
		only, ok := k.ImageSymbol("contig_page_data")
		if !ok {
			return nil, errors.New("memory: neither node_data nor contig_page_data")
		}
		return []uint64{only}, nil
	}
	count := int64(1)
	if t, err := k.VariableType("node_data"); err == nil && t.Underlying().Kind() == ctype.Array {
		count = min(max(t.Underlying().Count(), 1), 1024) // MAX_NUMNODES
	}
	b := make([]byte, count*8)
	if err := k.Read(b, table); err != nil {
		return nil, fmt.Errorf("node_data: %w", err)
	}
	var list []uint64
	for ; len(b) > 0; b = b[8:] {
		if node := binary.LittleEndian.Uint64(b); node != 0 {
			list = append(list, node)
		}
	}
	return list, nil
}

// MHz is the processors' clock rate as the kernel calibrated it.
func MHz(k kernel.View) (uint64, error) {
	khz, err := variable(k, 4, "cpu_khz")
	return khz / 1000, err
}

// Load is the load average over 1, 5 and 15 minutes, in units of 1/2048
// (FIXED_1, include/linux/sched/loadavg.h).
type Load [3]uint64

// ReadLoad reads avenrun.
func ReadLoad(k kernel.View) (l Load, err error) {
	addr, ok := k.ImageSymbol("avenrun")
	if !ok {
		return l, errors.New("no symbol avenrun")
	}
	var b [24]byte
	if err := k.Read(b[:], addr); err != nil {
		return l, fmt.Errorf("avenrun: %w", err)
	}
	for i := range l {
		l[i] = binary.LittleEndian.Uint64(b[i*8:])
	}
	return l, nil
}

// String is the form of /proc/loadavg: "0.08, 0.02, 0.01".
func (l Load) String() string {
	const one = 1 << 11
	s := ""
	for i, v := range l {
		v += one / 200 // round to hundredths
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("%d.%02d", v/one, v%one*100/one)
	}
	return s
}

// CPUs counts the processors: those present and those of them that were not
// online any more when the dump was taken, as after a panic that stopped them.
func CPUs(k kernel.View) (present, offline int, err error) {
	p, err := k.PresentCPUs()
	if err != nil {
		return 0, 0, err
	}
	on, err := k.OnlineCPUs()
	return max(len(p), len(on)), max(0, len(p)-len(on)), err
}

// variable reads an unsigned variable of size bytes, the first name that there
// is a data symbol of.
func variable(k kernel.View, size int, names ...string) (uint64, error) {
	for _, name := range names {
		addr, ok := k.ImageSymbol(name)
		if !ok {
			continue
		}
		var b [8]byte
		if err := k.Read(b[:size], addr); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		return binary.LittleEndian.Uint64(b[:]), nil
	}
	return 0, fmt.Errorf("no symbol %s", names[0])
}
