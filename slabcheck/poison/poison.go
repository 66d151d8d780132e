// Package poison has what kernels write around and into objects to notice who
// overwrites them, and checks whether it is still there.
//
// That is slub_debug's red zones, poison, padding and records of users, zeros in free
// objects, and the bytes around the objects of KFENCE. It knows which bytes belong
// where; which objects are free it is told. Start from New; Cache.Check looks at a slab.
package poison

import (
	"encoding/binary"
	"iter"
	"sync"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
)

// What SLUB fills memory with (include/linux/poison.h).
const (
	redInactive = 0xbb
	redActive   = 0xcc
	poisonInuse = 0x5a
	poisonFree  = 0x6b
	poisonEnd   = 0xa5
)

// Kernel is what of a kernel says what it writes.
type Kernel struct {
	k       slab.Memory
	m       *slab.Model
	n       needs
	flags   slab.Flags
	slub    bool
	wipes   bool // objects are wiped when they are freed
	lastCPU int
	record  slab.TrackNeeds // its size is 0 if the kernel has none
	jiffies uint64          // 0: not known
	code    sync.Map        // address -> whether it is code
}

type needs struct {
	Ctor     kernel.Field `need:"?kmem_cache.ctor"`
	Kasan    kernel.Field `need:"?kmem_cache.kasan_info"`
	WipeFree kernel.Sym   `need:"?init_on_free"`
	KeyCount kernel.Field `need:"?static_key_false.key.enabled.counter|static_key_true.key.enabled.counter"`

	// Accounting data, an array behind the objects of a slab or a piece of each object.
	ObjExts kernel.Field `need:"?slab.obj_exts"`
	Stride  kernel.Field `need:"?slab.stride"`
	ExtSize kernel.Size  `need:"?slabobj_ext"`
}

// New finds out what a kernel writes. The numbers of its CPUs go up to lastCPU.
func New(k slab.Memory, m *slab.Model, lastCPU int) *Kernel {
	p := &Kernel{k: k, m: m, flags: m.Flags(), slub: m.Allocator() == "SLUB", lastCPU: lastCPU}
	_ = k.Bind(&p.n) // all optional
	p.wipes = p.keyEnabled()
	if t, jiffies, err := m.TrackLayout(); err == nil {
		p.record, p.jiffies = *t, jiffies
	}
	return p
}

// keyEnabled is the static key init_on_free.
func (k *Kernel) keyEnabled() bool {
	if k.n.WipeFree == 0 || !k.n.KeyCount.Present() {
		return false
	}
	v, err := k.n.KeyCount.Int(k.k, uint64(k.n.WipeFree))
	return err == nil && int32(v) > 0
}

// Cache is what the kernel writes around and into the objects of a cache.
type Cache struct {
	*slab.Cache
	*Kernel
	origLen int  // bytes of the size that was asked for, 0: not recorded
	extra   bool // what was not asked for is a red zone
}

// Cache is about one cache.
func (k *Kernel) Cache(c *slab.Cache) *Cache { return &Cache{Cache: c, Kernel: k} }

// Debugged reports whether slub_debug is on for the cache.
func (c *Cache) Debugged() bool {
	return c.slub && c.Flags&(c.flags.RedZone|c.flags.Poison|c.flags.StoreUser) != 0
}

// Wiped reports whether the cache's objects are zero when they are free
// (slab_want_init_on_free, mm/slab.h).
func (c *Cache) Wiped() bool {
	if !c.wipes || c.Flags&(c.flags.ByRCU|c.flags.Poison) != 0 || !c.n.Ctor.Present() {
		return false
	}
	ctor, err := c.n.Ctor.Uint(c.k, c.Addr)
	return err == nil && ctor == 0
}

// layout is where the debugging data of an object is (mm/slub.c, "Object
// layout"), from the object's start.
type layout struct {
	left, size, inuse, tracks, orig, end, whole int64
}

func (c *Cache) layout() layout {
	l := c.Layout()
	d := layout{left: l.Lead, size: c.ObjectSize, whole: c.Size - l.Lead}
	d.inuse, d.tracks, _ = c.Behind()
	d.end = d.tracks
	if c.Flags&c.flags.StoreUser != 0 {
		d.end += 2 * int64(c.record.Size)
		d.orig = d.end
		d.end += int64(c.origLen)
	}
	return d
}

// Learn finds out what the kernel writes and nothing declares: how many
// bytes the size that was asked for takes, and whether what kmalloc gave beyond
// it is a red zone. Most objects tell.
func (c *Cache) Learn(slabs iter.Seq[*slab.Slab]) {
	if !c.Debugged() || c.Flags&c.flags.Kmalloc == 0 || c.Flags&c.flags.StoreUser == 0 {
		return
	}
	d := c.layout()
	var four, eight, red, plain int
	for s := range slabs {
		if four+eight > 200 {
			break
		}
		for j := range s.Objects {
			o := s.At(j)
			if state, _, _ := o.State(); state != slab.Allocated {
				continue
			}
			var b [8]byte
			if c.k.Read(b[:], o.Addr+uint64(d.orig)) != nil {
				continue
			}
			asked := int64(binary.LittleEndian.Uint32(b[:]))
			if asked > d.size {
				continue
			}
			switch binary.LittleEndian.Uint32(b[4:]) {
			case 0:
				eight++
			case 0x5a5a5a5a:
				four++
			}
			if n := d.size - asked; n > 0 && n <= 4096 {
				room := make([]byte, n)
				if c.k.Read(room, o.Addr+uint64(asked)) == nil {
					if other(room, redActive) < 0 {
						red++
					} else {
						plain++
					}
				}
			}
		}
	}
	switch {
	case four+eight == 0:
	case four > eight:
		c.origLen = 4
	default:
		c.origLen = 8
	}
	c.extra = red > 4*plain && red > 0
}
