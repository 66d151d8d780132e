"""Run by drgn on a dump of a kernel with SLUB: what some addresses are.

Each line is one address, taken at random with a fixed seed, and the answers of
which one must be given.
"""

import json
import random

import drgn
from drgn.helpers.common.memory import identify_address_all
from drgn.helpers.linux import *
from drgn.helpers.linux import slab as slabs
from drgn.helpers.linux.slab import _find_containing_slab

p = prog  # noqa: F821
pick = random.Random(1)
PAGE = 4096

# The helper leaves out what CPUs keep that are off line. After a panic that are
# CPUs that were stopped, with what they had.
slabs.for_each_online_cpu = for_each_possible_cpu


def emit(addr, *answers):
    print(json.dumps({"addr": "%x" % addr, "any": answers}, separators=(",", ":")))


def objects(count):
    base = p["page_offset_base"].value_() if "page_offset_base" in p else 0xFFFF888000000000
    pages = p["max_pfn"].value_()
    while count > 0:
        addr = base + pick.randrange(pages) * PAGE + pick.randrange(0, PAGE, 8)
        try:
            found = _find_containing_slab(p, addr)
        except (drgn.FaultError, LookupError):
            continue
        if not found:
            continue
        count -= 1
        slab = found[1]
        name = slab.slab_cache.name.string_().decode()
        info = slab_object_info(p, addr)
        # The helper takes what is left at the end of a slab for one more object.
        first = page_to_virt(found[0]).value_()
        if info.address >= first + slab.objects.value_() * slab.slab_cache.size.value_():
            emit(addr, "slab %s, no object" % name)
            continue
        state = {True: "allocated", False: "free", None: "unknown"}[info.allocated]
        emit(addr, "object of %s at %x, %s" % (name, info.address, state))


def inside(s):
    return s.address + pick.randrange(s.size)


def symbols(count):
    low, high = p.symbol("_stext").address, p.symbol("__init_begin").address
    known = [s for s in p.symbols() if s.size and low <= s.address < high]
    for s in pick.sample(sorted(known, key=lambda s: (s.address, s.name)), count):
        addr = inside(s)
        emit(addr, *("symbol %s+%#x" % (x.name, addr - x.address) for x in p.symbols(addr)))


def per_cpu(count):
    low, high = p.symbol("__per_cpu_start").address, p.symbol("__per_cpu_end").address
    known = [s for s in p.symbols() if s.size and low <= s.address < high]
    known.sort(key=lambda s: (s.address, s.name))
    for _ in range(count):
        addr = inside(pick.choice(known))
        cpu = pick.choice(list(for_each_possible_cpu(p)))
        names = [x for x in known if x.address <= addr < x.address + x.size]
        emit(per_cpu_ptr(drgn.Object(p, "void *", addr), cpu).value_(), *("per-cpu %s+%#x of %d" % (x.name, addr - x.address, cpu) for x in names))


def first(addr):
    for found in identify_address_all(p, addr, cache=cache):
        return str(found)
    return "nothing"


def stacks(count):
    tasks = [t for t in for_each_task(p) if t.stack]
    size = drgn.sizeof(p.type("union thread_union")) if has_type("union thread_union") else 16384
    for _ in range(count):
        emit(a := pick.choice(tasks).stack.value_() + pick.randrange(0, size, 8), first(a))


def has_type(name):
    try:
        return bool(p.type(name))
    except LookupError:
        return False


def areas(count):
    """Areas but those of modules and stacks, of which there is more to say."""
    known = [(v.va_start.value_(), v.va_end.value_()) for v in for_each_vmap_area(p) if v.va_start.value_() < 0xFFFFFFFF80000000]
    while count > 0:
        low, high = pick.choice(known)
        addr = pick.randrange(low, high)
        if (answer := first(addr)).startswith("vmap:"):
            count -= 1
            emit(addr, answer)


def pages(count):
    for _ in range(count):
        page = pfn_to_page(p, pick.randrange(p["max_pfn"].value_())).value_() + pick.randrange(drgn.sizeof(p.type("struct page")))
        emit(page, first(page))


cache = {}
objects(560)
symbols(120)
per_cpu(100)
stacks(100)
areas(60)
pages(60)
