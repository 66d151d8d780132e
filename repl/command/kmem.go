package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/slab"
)

// kmem shows kernel memory: caches of objects, and what an address is.
func kmem(t *Target) *repl.Command {
	return addKmemParts(&repl.Command{
		Name:     "kmem",
		Synopsis: "-s|-S|-S=cpus [-I cache,...] [cache|address]\n-s list\n-S --full [cache]\n-f|-F [address ...]\n-v [address ...]\n-l|-L a|i|ai\n[-P] address ...",
		Summary:  "show kernel memory: caches of objects, and what an address is",
		Detail: `
With -s, one line for each cache of kernel objects: how large its objects are, how
many are in use, and in how many slabs. With -S, also what each CPU and each node has
for the cache, with every object of the slabs of CPUs: [allocated], or free with the
list that has it unless that is the slab's own. --full shows the objects of the slabs
on the nodes' lists, too, and those of full slabs, which are on no list and found by
looking at every page.

An operand restricts that to one cache by name, which may be that of a cache that was
merged with another, or to the slab that an address lies
in. A list or a slab that makes no sense spoils only itself: numbers that cannot be
right are a question mark, and a warning says why.

With -f, the free pages of each zone by order and migrate type (in JSON by name, and
also what each CPU keeps on lists of its own), and whether they are as many as the
zones count; counters lag behind by what CPUs have not yet added. -F shows the first
page of every block. With addresses, only the block that each of them is in. A list
that breaks is followed from its other end, too.

With -v, the areas of vmalloc, vmap and ioremap, or those that hold an address; a
physical address stands for all areas that map its page.

With -l, the lists by which the kernel chooses pages to reclaim, of each memory cgroup
and node, with their pages: the classic active, inactive and unevictable ones, and where
the kernel has generations, those by number; the two youngest count as active. -L shows
every page.

With an address alone: the symbol, the object and its slab, the task, the block of free
pages, the area of virtual memory, the page structure, and who uses the page: its type,
the compound page, the file whose contents it has, and the processes whose page tables
map it. The address is kernel virtual, or physical if it is no virtual one; -P makes it
physical. The address of a page structure stands for the page, and shows all objects of
its slab.

The other options show the memory of the system: how it is used (-i), the counters
(-V), nodes and zones (-n, -z), huge pages (-h), and the page structures (-p, -m).
Counters are as the kernel shows them: what CPUs have counted and not yet added is in
the JSON only. A number that cannot be read is never 0: the reason stands in its place.`,
		Options: []repl.Option{
			{Name: "s", Help: "the caches with their usage"},
			{Name: "S", Assign: "cpus", Help: "the caches with their slabs and objects; of the CPUs only those named, as in -S=0,2-3"},
			{Name: "r", Help: "root caches and what memory cgroups have of them, on kernels with such caches"},
			{Name: "f", Help: "the free pages by zone, order and migrate type, or the block that an address is in"},
			{Name: "F", Help: "the same with every block"},
			{Name: "v", Help: "the areas of virtually contiguous memory, or that of an address"},
			{Name: "l", Arg: "a|i|ai", Help: "the LRU lists that have pages: active ones (a), inactive ones (i) or both"},
			{Name: "L", Arg: "a|i|ai", Help: "the same with every page"},
			{Name: "I", Arg: "caches", Help: "do not look into these caches, a list of names"},
			{Name: "P", Help: "the address is physical"},
			{Name: "full", Help: "with -S: show all objects, and full slabs"},
		},
		Examples: []repl.Example{
			{Line: "kmem -s dentry", Help: "How many directory entries there are."},
			{Line: "kmem -S --full kmalloc-32", Help: "Every object of that cache."},
			{Line: "kmem ffff9b6d00a38d00", Help: "What is at this address."},
			{Line: "kmem -S=0,1 dentry", Help: "The slabs of directory entries that CPUs 0 and 1 have."},
			{Line: "kmem -v ffffa92d00237bd8", Help: "The area of virtual memory around this address."},
		},
		Records: []output.Describer{cacheRecord, cacheNameRecord, slabCPURecord, slabNodeRecord, slabRecord, slabObjectRecord,
			symRecord, contextRecord, pageRecord,
			zoneFreeRecord, freeAreaRecord, freeBlockRecord, cpuListRecord, freeTotalRecord, freePageRecord, vmareaRecord, pageUserRecord, pageMapperRecord, lruRecord, lruPageRecord, whatRecord},
		Run: func(ctx context.Context, c *repl.Call) error { return runKmem(ctx, t, c) },
	})
}

func runKmem(ctx context.Context, t *Target, c *repl.Call) error {
	if p := kmemPartOf(c); p != nil {
		return p.call(ctx, t, c)
	}
	switch {
	case c.Has("s") || c.Has("S"):
		return kmemCaches(ctx, t, c)
	case c.Has("l"):
		which, _ := c.Value("l")
		return kmemLRU(ctx, t, c, which, false)
	case c.Has("L"):
		which, _ := c.Value("L")
		return kmemLRU(ctx, t, c, which, true)
	case c.Has("r"):
		return errNoRootCaches
	case c.Has("f"), c.Has("F"):
		return kmemFree(ctx, t, c)
	case c.Has("v"):
		return kmemVMAreas(ctx, t, c)
	case c.Has("I"), c.Has("full"):
		return c.Usage("-I and --full go with -s and -S")
	case len(c.Args) == 0:
		return c.Usage("an option or an address is expected")
	}
	return kmemAddresses(t, c)
}

// errNoRootCaches is all there is to say of -r: caches of memory cgroups went
// away in 5.9, and no kernel that had them is supported.
var errNoRootCaches = errors.New("-r: this kernel has no caches of memory cgroups; every cache is a root, see kmem -s")

// kmemCaches is kmem -s and -S.
func kmemCaches(ctx context.Context, t *Target, c *repl.Call) error {
	if len(c.Args) > 1 {
		return c.Usage("one cache or address is expected at most")
	}
	m, err := t.slabs()
	if err != nil {
		return err
	}
	l := cacheLister{t: t, c: c, m: m, ignored: map[string]bool{}, objects: c.Has("S")}
	if names, ok := c.Value("I"); ok {
		for name := range strings.SplitSeq(names, ",") {
			l.ignored[name] = true
		}
	}
	if spec, ok := c.Value("S"); ok && spec != "" {
		possible, err := t.Opened.Kernel.PossibleCPUs()
		if err == nil {
			l.only, err = cpuList(spec, possible)
		}
		if err != nil {
			return err
		}
	}
	caches, broken := m.Caches()
	if broken != nil {
		c.Warn("%v", broken)
	}
	if len(c.Args) == 0 {
		return l.all(ctx, caches)
	}
	if c.Args[0] == "list" && !l.objects {
		for _, x := range caches {
			cacheNameRecord.Emit(c.Out, x)
		}
		return nil
	}
	return l.one(ctx, c.Args[0])
}

// cacheLister shows caches.
type cacheLister struct {
	t       *Target
	c       *repl.Call
	m       *slab.Model
	ignored map[string]bool
	objects bool
	full    map[*slab.Cache][]*slab.Slab // by cache; nil if they were not asked for
	only    []int                        // the CPUs whose slabs are shown; nil: all
}

func (l *cacheLister) all(ctx context.Context, caches []*slab.Cache) error {
	if err := l.findFull(ctx); err != nil {
		return err
	}
	if !l.objects {
		cacheRecord.Head(l.c.Out)
	}
	for _, x := range caches {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := l.show(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// one shows the caches of a name, else what an address lies in.
func (l *cacheLister) one(ctx context.Context, operand string) error {
	named := l.m.Named(operand)
	if len(named) > 0 && named[0].Name != operand {
		l.c.Out.Note("%s was merged with %s", operand, named[0].Name)
	}
	if named != nil {
		return l.all(ctx, named)
	}
	addr, err := l.t.address(operand)
	if err != nil {
		return fmt.Errorf("%s: no such cache, and no address", operand)
	}
	if x := l.m.Cache(addr); x != nil {
		return l.all(ctx, []*slab.Cache{x})
	}
	o, whole, ok := l.t.findObject(l.m, addr)
	if !ok {
		return fmt.Errorf("address is not allocated in slab subsystem: %x", addr)
	}
	l.object(o, whole || l.objects)
	return nil
}

// findFull collects all slabs by their pages, if full ones are to be shown.
func (l *cacheLister) findFull(ctx context.Context) error {
	if !l.objects || !l.c.Has("full") {
		return nil
	}
	l.full = map[*slab.Cache][]*slab.Slab{}
	for s, err := range l.m.Slabs(ctx) {
		if err != nil {
			return err
		}
		if n, err := s.FreeCount(); n == 0 && err == nil {
			l.full[s.Cache] = append(l.full[s.Cache], s)
		}
	}
	return nil
}

// row shows the line of a cache.
func (l *cacheLister) row(x *slab.Cache) {
	r := cacheRow{Cache: x, size: x.ObjectSize, ignored: l.ignored[x.Name]}
	if l.m.Allocator() == "SLAB" {
		r.size = x.Size
	}
	if r.ignored {
		r.ignore(l.c)
		return
	}
	r.usage = x.Usage()
	cacheRecord.Emit(l.c.Out, &r)
	if r.usage.Err != nil {
		l.c.Warn("%s: %v", x.Name, firstLine(r.usage.Err))
	}
}

// firstLine is the first of several joined errors, and how many there are.
func firstLine(err error) error {
	n, first := firstOf(err)
	if n > 1 {
		return fmt.Errorf("%w (and %d more)", first, n-1)
	}
	return err
}

// firstOf is the first of joined errors, however often they were joined, and
// their number.
func firstOf(err error) (n int, first error) {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return 1, err
	}
	for _, e := range joined.Unwrap() {
		more, f := firstOf(e)
		if first == nil {
			first = f
		}
		n += more
	}
	if several, ok := joined.(*fault.SeveralError); ok {
		n += several.All - len(several.Errs)
	}
	return n, first
}

// ignore shows a cache that is left out.
func (r *cacheRow) ignore(c *repl.Call) {
	if c.Out.JSON() {
		cacheRecord.Emit(c.Out, r)
		return
	}
	c.Out.Printf("%016x %-44s %s\n", r.Addr, "[IGNORED]", r.Name)
}
