package poison

import (
	"bytes"
	"math"
	"testing"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/kernel/kerneltest"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/rules"
)

const decls = `
struct list_head { struct list_head *next; struct list_head *prev; };
enum pageflags { PG_locked, PG_slab = 9 };
struct kmem_cache_order_objects { unsigned int x; };
struct kmem_cache { void *cpu_slab; unsigned long flags; unsigned int size; unsigned int object_size; unsigned int offset; unsigned int inuse;
	struct kmem_cache_order_objects oo; unsigned int red_left_pad; char *name; struct list_head list; void *node[1]; };
struct page { unsigned long flags; unsigned long compound_head; unsigned long a[4]; unsigned int page_type; int refcount; unsigned long pad; };
struct slab { unsigned long __page_flags; struct kmem_cache *slab_cache; struct list_head slab_list; void *freelist;
	union { unsigned long counters; struct { unsigned int inuse : 16; unsigned int objects : 15; unsigned int frozen : 1; }; }; };
struct kmem_cache_cpu { void *freelist; unsigned long tid; struct slab *slab; };
struct kmem_cache_node { int lock; unsigned long nr_partial; struct list_head partial; };
struct track { unsigned long addr; int cpu; int pid; unsigned long when; };
`

// Objects of 40 bytes with 8 bytes of red zone on both sides, the free pointer, two
// records of 24 bytes and padding. Those with odd numbers are free.
const (
	objectSize = 40
	link       = objectSize + 8
	records    = link + 8
	padding    = records + 48
	lead       = 8
	size       = lead + padding + 8
	objects    = 4096 / size

	symbols = kerneltest.ImageBase + 0x1000
	caller  = kerneltest.ImageBase + 0x2000
	cacheAt = kerneltest.ImageBase + 0x3000
	pages   = 0xffffea0000000000
	memory  = kerneltest.DirectMapBase + 100*4096
	object0 = memory + lead
	jiffies = 1000
)

// soundSlab is a slab of a cache with slub_debug=FZPU and a kernel to damage.
func soundSlab(t testing.TB) (*kerneltest.Physical, *Cache, *Slab) {
	k := kerneltest.NewPhysical(t, 4<<20, decls)
	k.DefineSymbol("slab_caches", symbols)
	k.DefineSymbol("vmemmap_base", symbols+0x10)
	k.DefineSymbol("jiffies", symbols+0x18)
	k.DefineSymbol("caller", caller)
	k.Words(symbols+0x10, pages, jiffies)
	k.Link(symbols, cacheAt+k.Offset("kmem_cache.list"))
	k.Put(cacheAt, "kmem_cache.flags", 0x400|0x800|0x10000|0x80000000)
	k.Put(cacheAt, "kmem_cache.size", size)
	k.Put(cacheAt, "kmem_cache.object_size", objectSize)
	k.Put(cacheAt, "kmem_cache.inuse", link)
	k.Put(cacheAt, "kmem_cache.offset", link)
	k.Put(cacheAt, "kmem_cache.red_left_pad", lead)
	k.Put(cacheAt, "kmem_cache.oo.x", objects)
	k.Map(pages, 1024*64)
	page := uint64(pages + 100*64)
	k.Put(page, "slab.__page_flags", 1<<9)
	k.Put(page, "slab.slab_cache", cacheAt)
	k.Put(page, "slab.counters", (objects+1)/2|objects<<16)
	k.Bytes(memory, bytes.Repeat([]byte{0x5a}, 4096))
	for i := range uint64(objects) {
		o, red, data := object0+i*size, byte(0xcc), bytes.Repeat([]byte{byte(i)}, objectSize)
		if i%2 == 1 {
			red, data = 0xbb, append(bytes.Repeat([]byte{0x6b}, objectSize-1), 0xa5)
		}
		k.Bytes(o-lead, bytes.Repeat([]byte{red}, size-lead))
		k.Bytes(o, data)
		k.Words(o+link, 0, caller+0x10, 1<<32, jiffies-5, 0, 0, 0) // CPU 0, PID 1; never freed
		k.Bytes(o+padding, bytes.Repeat([]byte{0x5a}, size-lead-padding))
	}
	m, err := slab.Load(k)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.SlabOf(page)
	if err != nil {
		t.Fatal(err)
	}
	no := func(int) bool { return false }
	return k, New(k, m, 1).Cache(s.Cache), &Slab{Slab: s, Free: func(i int) bool { return i%2 == 1 }, Waits: no}
}

func TestCheck(t *testing.T) {
	const allocated, free = object0 + 4*size, object0 + 5*size
	for _, x := range []struct {
		name   string
		at     uint64
		damage []byte
		want   *rules.Rule
	}{
		{"nothing", allocated, nil, nil},
		{"data of an allocated object", allocated, []byte("//"), nil},
		{"red zone in front", allocated - 2, []byte("/"), rules.RedLeft},
		{"red zone in front of a free object", free - 2, []byte("/"), rules.RedLeft},
		{"red zone behind", allocated + objectSize, []byte("////"), rules.RedRight},
		{"free object", free + 3, []byte("/"), rules.Poison},
		{"last byte of a free object", free + objectSize - 1, []byte{0x6b}, rules.PoisonEnd},
		{"free pointer of an allocated object", allocated + link, []byte("////"), rules.FreePointer},
		{"address of a record", allocated + records + 5, []byte("/"), rules.Track},
		{"CPU of a record", allocated + records + 8, []byte{2}, rules.Track},
		{"PID of a record", allocated + records + 12, []byte("////"), rules.Track},
		{"time of a record", allocated + records + 16, []byte("////"), rules.Track},
		{"padding of an object", allocated + padding + 7, []byte("/"), rules.PadObject},
		{"padding of the slab", memory + 4095, []byte("/"), rules.PadSlab},
		{"freed and on no list", allocated - lead, bytes.Repeat([]byte{0xbb}, lead), rules.RedLeft},
	} {
		t.Run(x.name, func(t *testing.T) {
			k, c, s := soundSlab(t)
			k.Bytes(x.at, x.damage)
			var found []rules.Finding
			if err := c.Check(s, func(f rules.Finding) { found = append(found, f) }); err != nil {
				t.Fatal(err)
			}
			if x.want == nil {
				if len(found) != 0 {
					t.Errorf("%d findings, the first: %s", len(found), found[0].Text)
				}
				return
			}
			if len(found) != 1 || found[0].Rule != x.want {
				t.Fatalf("%d findings, want %s: %+v", len(found), x.want.ID, found)
			}
			if f := found[0]; f.At > x.at || f.At+uint64(len(f.Found)) < x.at+uint64(len(x.damage)) || f.Expected != nil && len(f.Expected) != len(f.Found) {
				t.Errorf("%x at %#x, want %#x", f.Found, f.At, x.at)
			}
		})
	}
}

// TestStates lets the lists and the red zones disagree.
func TestStates(t *testing.T) {
	_, c, s := soundSlab(t)
	count := func() (states, others int) {
		err := c.Check(s, func(f rules.Finding) {
			if f.Rule == rules.RedState && f.Within == s.Slab {
				states++
			} else {
				others++
			}
		})
		if err != nil {
			t.Error(err)
		}
		return states, others
	}
	s.Free = func(i int) bool { return i%2 == 1 && i != 5 }
	if states, _ := count(); states != 1 {
		t.Errorf("an object that no list has and that is free: %d findings", states)
	}
	// If the list is broken, what it does not have may be free all the same.
	s.Broken, s.Free = true, func(int) bool { return false }
	if states, others := count(); states+others != 0 {
		t.Errorf("a broken list: %d and %d findings", states, others)
	}
}

// TestHostileSizes lets the debug info and the cache claim what no kernel has.
func TestHostileSizes(t *testing.T) {
	k, c, s := soundSlab(t)
	count := func() (n int) {
		if err := c.Check(s, func(rules.Finding) { n++ }); err != nil {
			t.Error(err)
		}
		return n
	}
	var err error
	if c.n.ObjExts, err = kernel.FieldOf(k, "slab.freelist"); err != nil {
		t.Fatal(err)
	}
	c.n.Stride, c.n.ExtSize = c.n.ObjExts, math.MaxInt64/objects
	k.Put(s.Addr, "slab.freelist", memory+4088)
	if n := count(); n != 0 {
		t.Errorf("accounting data of %d bytes for each object: %d findings", c.n.ExtSize, n)
	}
	s.Order = 18
	if n := count(); n != 0 {
		t.Errorf("slabs of 1 GiB: %d findings", n)
	}
}
