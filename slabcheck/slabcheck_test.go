package slabcheck

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/slabcheck/rules"
	"github.com/kdive/kdive/value"
)

func TestSound(t *testing.T) {
	names, r := check(t, soundSLUB(t))
	if len(names) != 0 {
		t.Errorf("findings in a sound cache: %v", names)
	}
	if r.Caches != 2 || r.Slabs != 6 || r.Objects != 6*64 || r.Free != 3+3+1+1+2+2 || r.Unread != 0 {
		t.Errorf("report %+v", r)
	}
}

func TestSLUBRules(t *testing.T) {
	for _, x := range []struct {
		name  string
		spoil func(f fake)
		want  string // rules, the first is the one that is looked at closer
		at    uint64 // address of the value
		found uint64
		right uint64 // what should be there, 0: not known
	}{
		{"pointer", func(f fake) { f.link(object(101, 4), 0x4141414141414141) }, "free-pointer", object(101, 4) + 32,
			0x4141414141414141 ^ linkOf(object(101, 4)), object(101, 9) ^ linkOf(object(101, 4))},
		{"misaligned", func(f fake) { f.link(object(101, 4), object(101, 9)+1) }, "free-pointer-misaligned", object(101, 4) + 32,
			(object(101, 9) + 1) ^ linkOf(object(101, 4)), object(101, 9) ^ linkOf(object(101, 4))},
		{"foreign", func(f fake) { f.link(object(101, 9), object(100, 1)) }, "free-pointer-foreign", object(101, 9) + 32,
			object(100, 1) ^ linkOf(object(101, 9)), object(101, 7) ^ linkOf(object(101, 9))},
		{"cycle", func(f fake) { f.link(object(101, 7), object(101, 4)) }, "free-list-cycle", object(101, 7) + 32,
			object(101, 4) ^ linkOf(object(101, 7)), 0 ^ linkOf(object(101, 7))},
		{"head", func(f fake) { f.Put(f.page(101), "slab.freelist", object(101, 4)^0x40000000) }, "free-head", 0, object(101, 4) ^ 0x40000000, object(101, 4)},
		{"inuse", func(f fake) { f.Put(f.page(101), "slab.counters", 60|64<<16) }, "slab-inuse", 0, 60, 61},
		{"objects", func(f fake) { f.Put(f.page(110), "slab.counters", 63|63<<16) }, "slab-objects", 0, 63, 64},
		{"frozen", func(f fake) { f.Put(f.page(100), "slab.counters", 61|64<<16|1<<31) }, "slab-frozen", 0, 1, 0},
		{"nr_partial", func(f fake) { f.Put(nodeAt, "kmem_cache_node.nr_partial", 4) }, "nr-partial", 0, 4, 3},
		{"nr_slabs", func(f fake) { f.Put(nodeAt, "kmem_cache_node.nr_slabs", 7) }, "nr-slabs", 0, 7, 6},
		{"next", func(f fake) { f.Put(f.page(101), "slab.slab_list.next", 0xdead000000000100) }, "list-link", 0, 0xdead000000000100, pages + 102*64 + 16},
		{"prev", func(f fake) { f.Put(f.page(101), "slab.slab_list.prev", nodeAt+8) }, "list-link", 0, nodeAt + 8, pages + 100*64 + 16},
		{"no cache", func(f fake) { f.Put(f.page(110), "slab.slab_cache", cacheAt^0x7300) }, "page-cache", 0, cacheAt ^ 0x7300, cacheAt},
		{"other cache", func(f fake) { f.Put(f.page(100), "slab.slab_cache", otherAt) }, "list-foreign", 0, otherAt, cacheAt},
		{"not marked", func(f fake) { f.Put(f.page(100), "slab.__page_flags", 0) }, "page-type", 0, 0, 1 << 9},
		{"flags", func(f fake) { f.Put(f.page(110), "slab.__page_flags", 1<<9|1<<4) }, "page-flags", 0, 1<<9 | 1<<4, 1 << 9},
		{"refcount", func(f fake) { f.Put(f.page(110), "slab.refs", 9) }, "page-refcount", 0, 9, 1},
		{"lost", func(f fake) {
			f.Put(f.page(110), "slab.freelist", f.chain(110, 1))
			f.Put(f.page(110), "slab.counters", 63|64<<16)
		}, "list-lost", 0, 0, 0},
		{"CPU's slab", func(f fake) { f.Put(cpuAt, "kmem_cache_cpu.slab", pages+300*64) }, "cpu-slab slab-frozen", 0, pages + 300*64, pages + 120*64},
		{"CPU's list", func(f fake) { f.Put(cpuAt, "kmem_cache_cpu.freelist", object(120, 10)+3) }, "cpu-freelist", 0, object(120, 10) + 3, object(120, 10)},
		{"twice", func(f fake) {
			f.link(object(120, 3), object(120, 11))
			f.Put(f.page(120), "slab.counters", 62|64<<16|1<<31)
		}, "object-twice", 0, object(120, 11), 0},
		{"count of partial slabs", func(f fake) { f.Put(f.page(121), "slab.slabs", 3) }, "cpu-partial-count", 0, 3, 1},
		{"two lists", func(f fake) { f.Put(f.page(121), "slab.next", pages+100*64); f.Put(f.page(121), "slab.slabs", 2) }, "list-twice", 0, 0, 0},
		{"refcount of the cache", func(f fake) { f.Put(cacheAt, "kmem_cache.refcount", 0) }, "cache-refcount", 0, 0, 0},
		{"size", func(f fake) { f.Put(cacheAt, "kmem_cache.size", 72) }, "cache-size cache-order", 0, 72, 64},
		{"metadata", func(f fake) { f.Put(cacheAt, "kmem_cache.inuse", 56) }, "cache-size", 0, 56, 64},
		{"order", func(f fake) { f.Put(cacheAt, "kmem_cache.min.x", 60) }, "cache-order", 0, 60, 64},
		{"list of caches", func(f fake) { f.Put(cacheAt, "kmem_cache.list.prev", 0x41414141) }, "cache-list", 0, 0x41414141, symCaches},
	} {
		t.Run(x.name, func(t *testing.T) {
			f := soundSLUB(t)
			x.spoil(f)
			names, r := check(t, f)
			want := strings.Fields(x.want)
			for _, w := range want {
				if !slices.Contains(names, w) {
					t.Fatalf("broken rules %v, want %v", names, want)
				}
			}
			for _, n := range names {
				if !slices.Contains(want, n) {
					t.Errorf("rule %s is broken, too", n)
				}
			}
			i := slices.IndexFunc(r.Findings, func(x *rules.Finding) bool { return x.Rule.ID == want[0] })
			got := r.Findings[i]
			if x.at != 0 && got.At != x.at || got.Found != nil && integer(got.Found) != x.found {
				t.Errorf("found %#x at %#x, want %#x at %#x (%s)", got.Found, got.At, x.found, x.at, got.Text)
			}
			if (x.right != 0 || x.name == "frozen") != (got.Expected != nil) || got.Expected != nil && integer(got.Expected) != x.right {
				t.Errorf("expected %x, want %#x (%s)", got.Expected, x.right, got.Text)
			}
		})
	}
}

// linkOf is what the free pointer of an object is mixed with.
func linkOf(at uint64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], at+32)
	return random ^ binary.BigEndian.Uint64(b[:])
}

func integer(b []byte) uint64 { return value.Number(b) }

func TestInFlight(t *testing.T) {
	f := soundSLUB(t)
	f.Put(nodeAt, "kmem_cache_node.nr_partial", 4)
	for _, x := range []struct {
		holds uint64
		sure  rules.Sure
	}{{nodeAt, rules.InFlight}, {otherAt, rules.Certain}} {
		_, r := check(t, f, Frame{CPU: 3, Function: "__slab_free", PC: 1, Words: []uint64{7, x.holds}})
		if len(r.Findings) != 1 || r.Findings[0].Sure != x.sure || (x.sure == rules.InFlight) != (r.Findings[0].Proof != nil) {
			t.Errorf("a CPU in the allocator holds %#x: %+v", x.holds, r.Findings[0])
		}
	}
	// No update leaves a pointer that leads nowhere.
	f = soundSLUB(t)
	f.link(object(101, 4), 0x4141414141414141)
	if _, r := check(t, f, Frame{Function: "__slab_free", Words: []uint64{cacheAt, f.page(101), object(101, 4)}}); r.Findings[0].Sure != rules.Certain {
		t.Errorf("a wild pointer is %v", r.Findings[0].Sure)
	}
}
