package poison

import (
	"bytes"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slabcheck/rules"
)

// maxPID is PID_MAX_LIMIT (include/linux/threads.h).
const maxPID = 4 << 20

// trackRecords checks who allocated and who freed the object: code, a CPU, a
// task, and a time that is not to come.
func (o *object) trackRecords() {
	c := o.c
	t, now := &c.record, c.jiffies
	if c.Flags&c.flags.StoreUser == 0 || t.Size == 0 {
		return
	}
	for i, name := range [...]string{"allocation", "release"} {
		from := o.d.tracks + int64(i)*int64(t.Size)
		b := o.part(from, from+int64(t.Size))
		if b == nil || other(b, 0) < 0 {
			continue // never
		}
		bad := func(f *kernel.Field, text string, args ...any) {
			x := rules.New(rules.Track, "the record of the "+name+" "+text, args...)
			x.Slab, x.Object, x.Index, x.Sure = o.s.Slab, o.s.Object(o.i), o.i, max(o.sure, rules.Likely)
			x.Offset, x.Member = from+f.Offset, f.Path
			x.At = x.Object + uint64(x.Offset)
			x.Found = bytes.Clone(f.Bytes(b))
			o.report(x)
		}
		addr := t.Addr.In(b)
		cpu, pid := int32(t.CPU.In(b)), int32(t.PID.In(b))
		switch {
		case addr == 0 && cpu == 0 && pid == 0:
		case !c.isCode(addr):
			bad(&t.Addr, "names %#x, which is no code", addr)
		case cpu < 0 || int(cpu) > c.lastCPU:
			bad(&t.CPU, "names CPU %d", cpu)
		case pid < 0 || pid > maxPID:
			bad(&t.PID, "names the process %d", pid)
		case now != 0 && int64(t.When.In(b)-now) > 1:
			bad(&t.When, "is of %d jiffies from now", int64(t.When.In(b)-now))
		}
	}
}

// isCode reports whether an address is that of a symbol: of text, the loader
// knows no others that functions call from.
func (k *Kernel) isCode(addr uint64) bool {
	if v, ok := k.code.Load(addr); ok {
		return v.(bool)
	}
	_, off, ok := k.k.SymbolAt(addr)
	ok = ok && off < 1<<20
	if addr>>63 == 0 {
		ok = false
	}
	k.code.Store(addr, ok)
	return ok
}
