package slabcheck_test

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck"
)

// spoiled is a kernel with some bytes of its memory replaced.
type spoiled struct {
	*kernel.Kernel
	bytes map[uint64]byte
}

func (s *spoiled) Read(p []byte, addr uint64) error {
	if err := s.Kernel.Read(p, addr); err != nil {
		return err
	}
	for at, b := range s.bytes {
		if at-addr < uint64(len(p)) {
			p[at-addr] = b
		}
	}
	return nil
}

func (s *spoiled) Bind(need any) error { return kernel.Bind(s, need) }

// put replaces n bytes.
func (s *spoiled) put(addr, v uint64, n int) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	for i := range n {
		s.bytes[addr+uint64(i)] = b[i]
	}
}

// TestSLABRules spoils the bundled dump, whose allocator is SLAB.
func TestSLABRules(t *testing.T) {
	dir := filepath.Join("..", "testdata", "tiny")
	opened, err := kdive.Open(context.Background(), kdive.Options{
		Files: []string{filepath.Join(dir, "vmlinux.zst"), filepath.Join(dir, "vmcore.kdump")}, Cache: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}()
	k := opened.Kernel
	field := func(path string) kernel.Field {
		f, err := k.Field(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	at := func(path string, base uint64) uint64 { f := field(path); return f.At(base) }
	word := func(path string, base uint64) uint64 {
		f := field(path)
		v, err := f.Uint(k, base)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	s := partialSlab(t, k)
	c := s.Cache
	node, _ := c.NodePointers(0)
	off, err := k.PerCPUOffset(0)
	if err != nil {
		t.Fatal(err)
	}
	ac := c.Layout().CPU + off
	for _, x := range []struct {
		name  string
		spoil func(f *spoiled)
		want  string
	}{
		{"nothing", func(*spoiled) {}, ""},
		{"index", func(f *spoiled) { f.put(s.FreeHead()+uint64(s.Inuse), uint64(s.Objects)+1, 1) }, "free-index"},
		{"active", func(f *spoiled) { f.put(at("slab.active", s.Addr), uint64(s.Objects)+3, 4) }, "slab-inuse"},
		{"free objects", func(f *spoiled) { f.put(at("kmem_cache_node.free_objects", node), 1000, 8) }, "nr-free"},
		{"slabs", func(f *spoiled) {
			f.put(at("kmem_cache_node.total_slabs", node), word("kmem_cache_node.total_slabs", node)+1, 8)
		}, "nr-slabs"},
		{"link", func(f *spoiled) {
			f.put(at("slab.slab_list", s.Addr), word("slab.slab_list", s.Addr)^0x7300, 8)
		}, "list-link"},
		{"first object", func(f *spoiled) { f.put(at("slab.s_mem", s.Addr), s.First()+8, 8) }, "slab-memory"},
		{"no room", func(f *spoiled) { f.put(at("array_cache.avail", ac), 5000, 4) }, "array-limit"},
		{"entry", func(f *spoiled) {
			f.put(at("array_cache.avail", ac), 1, 4)
			f.put(at("array_cache.entry", ac), s.First()+1, 8)
		}, "array-entry"},
		{"colour", func(f *spoiled) { f.put(at("kmem_cache.colour", c.Addr), 77, 8) }, "cache-size"},
	} {
		t.Run(x.name, func(t *testing.T) {
			f := &spoiled{k, map[uint64]byte{}}
			x.spoil(f)
			m, err := slab.Load(f)
			if err != nil {
				t.Fatal(err)
			}
			r, err := slabcheck.Check(context.Background(), f, m, slabcheck.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, y := range r.Findings {
				names = append(names, y.Rule.ID)
			}
			if x.want == "" && len(names) != 0 || x.want != "" && !slices.Contains(names, x.want) {
				t.Errorf("broken rules %v, want %s", names, x.want)
			}
		})
	}
}

// partialSlab is a slab with free objects whose indexes are in one of them.
func partialSlab(t *testing.T, k *kernel.Kernel) *slab.Slab {
	t.Helper()
	m, err := slab.Load(k)
	if err != nil {
		t.Fatal(err)
	}
	caches, err := m.Caches()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range caches {
		for _, n := range c.Nodes() {
			for s, err := range n.List(slab.PartialSlabs) {
				if err == nil && s.Objects-s.Inuse > 2 && s.Objects < 255 {
					if _, own := s.Index(s.FreeHead()); own {
						return s
					}
				}
			}
		}
	}
	t.Fatal("the dump has no such slab")
	return nil
}
