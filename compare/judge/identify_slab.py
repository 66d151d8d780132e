"""Run by drgn on a dump of a kernel with SLAB: which object some addresses are in.

No helper knows single objects there. This reads the page structures, the index
arrays and the array caches itself (mm/slab.c). Each line is one address, taken
at random with a fixed seed, and the answer that must be given.
"""

import json
import random

import drgn

p = prog  # noqa: F821
pick = random.Random(1)
PAGE = 4096

page_type, slab_type = p.type("struct page"), p.type("struct slab")
vmemmap = p["vmemmap_base"].value_()
direct = p["page_offset_base"].value_()
pg_slab = 1 << p.constant("PG_slab").value_()
index_size = drgn.sizeof(p.type("freelist_idx_t"))
offsets = p["__per_cpu_offset"]
cpus = [i for i in range(64) if p["__cpu_possible_mask"].bits[0].value_() >> i & 1]


def slab_of(pfn):
    """The slab that a page belongs to."""
    page = drgn.Object(p, page_type, address=vmemmap + pfn * page_type.size)
    head = page.compound_head.value_()
    if head & 1:
        page = drgn.Object(p, page_type, address=head - 1)
    if not page.flags.value_() & pg_slab:
        return None
    return drgn.Object(p, slab_type, address=page.address_)


def free_indexes(slab, count):
    """Behind the active ones the array has the indexes of the free ones."""
    at = slab.freelist.value_()
    return {int.from_bytes(p.read(at + i * index_size, index_size), "little") for i in range(slab.active.value_(), count)}


def array(ac):
    return {ac.entry[i].value_() for i in range(ac.avail.value_())} if ac else set()


kept = {}


def waiting(cache):
    """Objects that CPUs and nodes keep."""
    key = cache.value_()
    if key not in kept:
        found = set()
        for cpu in cpus:
            ac = drgn.Object(p, "struct array_cache *", cache.cpu_cache.value_() + offsets[cpu].value_())
            found |= array(ac)
        node = cache.node[0]
        found |= array(node.shared)
        kept[key] = found
    return kept[key]


def answer(addr):
    slab = slab_of((addr - direct) // PAGE)
    if slab is None:
        return None
    cache = slab.slab_cache
    name, size = cache.name.string_().decode(), cache.size.value_()
    count, first = cache.num.value_(), slab.s_mem.value_()
    i = (addr - first) // size
    if addr < first or i >= count:
        return "slab %s, no object" % name
    base = first + i * size
    free = i in free_indexes(slab, count) or base in waiting(cache)
    return "object of %s at %x, %s" % (name, base, "free" if free else "allocated")


pages = p["max_pfn"].value_()
count = 1000
while count > 0:
    addr = direct + pick.randrange(pages) * PAGE + pick.randrange(0, PAGE, 8)
    try:
        text = answer(addr)
    except drgn.FaultError:
        continue
    if text:
        count -= 1
        print(json.dumps({"addr": "%x" % addr, "any": [text]}, separators=(",", ":")))
