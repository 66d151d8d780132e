package slab

import (
	"context"
	"encoding/binary"
	"testing"
)

// FuzzModel damages the structures of fake kernels: each three bytes of the
// input are a place and a value. Whatever they say, every question has to be
// answered, in bounded time.
func FuzzModel(f *testing.F) {
	f.Add([]byte{}, uint8(0))
	f.Add([]byte{0x08, 0x10, 0xff}, uint8(0))
	f.Add([]byte{0x10, 0x00, 0x80, 0x18, 0x40, 0x01}, uint8(1))
	f.Add([]byte{0x00, 0x20, 0xff, 0x01, 0x20, 0xff}, uint8(2))
	shapes := [...]string{oldSLUB, newSLUB, oneSLAB}
	areas := [...]uint64{cacheAt, nodeAt, cpuAt, memory(300), symCaches}
	f.Fuzz(func(t *testing.T, damage []byte, shape uint8) {
		k := newFake(t, shapes[int(shape)%len(shapes)], 512, 8, 0)
		if shape%3 != 2 {
			k.slubPage(300, 8, 5, bare, 1, 3, 6)
		} else {
			k.Put(k.page(300), "slab.__page_flags", 1<<9)
			k.Put(k.page(300), "slab.slab_cache", cacheAt)
			k.Put(k.page(300), "slab.s_mem", memory(300))
			k.Put(k.page(300), "slab.freelist", memory(300)+3072)
		}
		if shape%3 == 1 {
			k.Words(cacheAt+k.Offset("kmem_cache.per_node"), barnAt, nodeAt)
			k.Put(cacheAt, "kmem_cache.cpu_sheaves", cpuAt)
		} else {
			k.Put(cacheAt, "kmem_cache.node", nodeAt)
			k.Map(cpuAt, pageSize)
		}
		k.Map(nodeAt, pageSize)
		for ; len(damage) >= 3; damage = damage[3:] {
			where := binary.LittleEndian.Uint16(damage)
			area := areas[int(where>>12)%len(areas)]
			if where>>12 == 15 {
				area = k.page(300)
			}
			k.Bytes(area+uint64(where&0xff), damage[2:3])
		}
		m, err := Load(k)
		if err != nil {
			return
		}
		caches, _ := m.Caches()
		for _, c := range caches {
			c.Usage()
			if cpus, err := c.CPUs(); err == nil && len(cpus) != 1 {
				t.Errorf("%d CPUs", len(cpus))
			}
			for _, n := range c.Nodes() {
				for _, which := range [...]NodeList{PartialSlabs, FullSlabs, FreeSlabs} {
					count := 0
					for range n.List(which) {
						if count++; count > 1<<16 {
							t.Fatal("an endless list")
						}
					}
				}
			}
		}
		for range m.Slabs(context.Background()) {
		}
		for a := memory(300); a < memory(301); a += 100 {
			if o, ok := m.Find(a); ok && o.Index >= 0 && (o.Slab.Cache.Err != nil || o.Index >= o.Slab.Objects) {
				t.Errorf("%#x is in object %d of %d", a, o.Index, o.Slab.Objects)
			} else if ok {
				o.State()
			}
		}
	})
}
