package slab

import (
	"errors"
	"slices"
	"testing"
)

const trackDecl = `
struct track { unsigned long addr; unsigned int handle; int cpu; int pid; unsigned long when; };
union handle_parts { unsigned int handle; struct { unsigned int pool_index_plus_1 : 17; unsigned int offset : 10; unsigned int extra : 5; }; };
struct stack_record { struct list_head hash_list; unsigned int hash; unsigned int size; union handle_parts handle; int count; unsigned long entries[64]; };
`

func TestTracks(t *testing.T) {
	const (
		object = 64 // bytes of an object, its free pointer behind it, then two records
		size   = 160
		pools  = imageBase + 0x2000
		pool   = directMap + 0x30000
		handle = 1 | 3<<17 // of pool 0, at 3<<4
	)
	f := newFake(t, oldSLUB+trackDecl, size, 16, 0)
	k := f.Kernel
	m := func() *Model {
		k.Put(cacheAt, "kmem_cache.offset", object)
		k.Put(cacheAt, "kmem_cache.inuse", object)
		return load(t, f)
	}
	k.DefineSymbol("stack_pools", pools)
	k.Words(pools, pool)
	k.DefineSymbol("jiffies_64", imageBase+0x2100)
	k.Words(imageBase+0x2100, 1000)
	record := uint64(pool + 3<<4)
	k.Put(record, "stack_record.size", 2)
	k.Put(record, "stack_record.handle.handle", handle)
	k.Words(record+k.Offset("stack_record.entries"), 0xffffffff81000100, 0xffffffff81000200)
	f.slubPage(100, 16, 15, bare, 2)
	at := memory(100) + 3*size + object + 8
	k.Put(at, "track.addr", 0xffffffff81000042)
	k.Put(at, "track.handle", handle)
	k.Put(at, "track.cpu", 1)
	k.Put(at, "track.pid", 77)
	k.Put(at, "track.when", 900)

	o, ok := m().Find(memory(100) + 3*size)
	if !ok {
		t.Fatal("no object")
	}
	if _, err := o.Tracks(); !errors.Is(err, ErrNoTracks) {
		t.Errorf("a cache without records: %v", err)
	}
	k.Put(cacheAt, "kmem_cache.flags", 0x10000)
	o, _ = m().Find(memory(100) + 3*size)
	list, err := o.Tracks()
	if err != nil || len(list) != 1 {
		t.Fatalf("%d records, %v", len(list), err)
	}
	if r := list[0]; r.Freed || r.Addr != 0xffffffff81000042 || r.CPU != 1 || r.PID != 77 || r.Age != 100 || r.Err != nil ||
		!slices.Equal(r.Stack, []uint64{0xffffffff81000100, 0xffffffff81000200}) {
		t.Errorf("record %+v", r)
	}
	k.Put(record, "stack_record.handle.handle", handle+1<<17)
	o, _ = m().Find(memory(100) + 3*size)
	if list, _ = o.Tracks(); len(list) != 1 || list[0].Err == nil || list[0].Stack != nil {
		t.Errorf("a stack that is another one's: %+v", list)
	}
}
