"""Run by drgn on a dump: prints what drgn says of it, one JSON object a line.

The lines are: meta, system, task (one for each task, idle tasks first), module,
log (one for each record), and struct (the whole task_struct of each task as a
tree of numbers).
"""

import json

import drgn
from drgn.helpers.linux import *
from drgn.helpers.linux import mm, module, printk, sched, timekeeping

p = prog  # noqa: F821


def text(o):
    b = o.string_() if isinstance(o, drgn.Object) else o
    return b.decode("utf-8", "backslashreplace")


def emit(kind, **fields):
    print(json.dumps({"kind": kind, **fields}, separators=(",", ":")))


def attempt(f, *args):
    """The helper's answer, or None where it does not know this kernel."""
    try:
        return f(*args)
    except (LookupError, AttributeError, drgn.FaultError, ValueError, NotImplementedError):
        return None


def system():
    uts = p["init_uts_ns"].name
    emit(
        "system",
        present=sum(1 for _ in for_each_present_cpu(p)),
        online=sum(1 for _ in for_each_online_cpu(p)),
        date=attempt(lambda: timekeeping.ktime_get_real_seconds(p).value_()),
        uptime=attempt(timekeeping.uptime, p),
        load=attempt(lambda: [round(x, 2) for x in sched.loadavg(p)]),
        nodename=text(uts.nodename),
        release=text(uts.release),
        version=text(uts.version),
        machine=text(uts.machine),
        tasks=len(tasks),
        panic=attempt(lambda: text(panic_message(p))),
        crashed=attempt(lambda: p.crashed_thread().object.value_()),
        taint=p["tainted_mask"].value_(),
    )


def resident(t):
    """kB that the task has in memory.

    The helper leaves out what is counted on CPUs that are off line; after a
    panic that are CPUs that were stopped and have not handed over their counts.
    """
    if not t.mm or t.mm.rss_stat.type_.kind != drgn.TypeKind.ARRAY:
        return mm.task_rss(p, t).total * 4
    total = 0
    for name in "MM_FILEPAGES", "MM_ANONPAGES", "MM_SHMEMPAGES":
        counter = t.mm.rss_stat[p.constant(name)]
        pages = counter.count.value_()
        pages += sum(per_cpu_ptr(counter.counters, c)[0].value_() for c in for_each_possible_cpu(p))
        total += max(pages, 0)
    return total * 4


def task(t):
    emit(
        "task",
        task=t.value_(),
        pid=t.pid.value_(),
        tgid=t.tgid.value_(),
        ppid=t.parent.pid.value_(),
        cpu=task_cpu(t),
        comm=text(t.comm),
        state=task_state_to_char(t),
        kernel=bool(t.flags & 0x200000),  # PF_KTHREAD: processes that exit have no memory, either
        vsz=t.mm.total_vm.value_() * 4 if t.mm else 0,
        rss=attempt(resident, t),
        active=cpu_curr(p, task_cpu(t)).value_() == t.value_(),
        start_time=t.start_time.value_(),
        utime=t.utime.value_(),
        stime=t.stime.value_(),
        last=attempt(lambda: t.sched_info.last_arrival.value_()),
        args=attempt(lambda: [text(a) for a in mm.cmdline(t) or []]),
        env=attempt(lambda: [text(a) for a in mm.environ(t) or []]),
    )


def modules():
    for m in for_each_module(p):
        regions = [r for r in module.module_address_regions(m) if r[1]]
        emit("module", module=m.value_(), name=text(m.name), base=regions[0][0], regions=regions)


def records():
    for r in printk.get_printk_records(p):
        if r.caller_tid is not None:
            caller = "T%d" % r.caller_tid
        else:
            caller = None if r.caller_cpu is None else "C%d" % r.caller_cpu
        emit(
            "log", sequence=r.seq, time=r.timestamp, level=r.level, facility=r.facility,
            caller=caller, text=text(r.text),
            subsystem=text(r.context.get(b"SUBSYSTEM", b"")), device=text(r.context.get(b"DEVICE", b"")),
        )  # fmt: skip


idle = [idle_task(p, c) for c in for_each_possible_cpu(p)]
tasks = [t for t in idle if t] + list(for_each_task(p))
emit("meta", drgn=drgn.__version__)
system()
for t in tasks:
    task(t)
modules()
records()
for t in tasks:
    emit("struct", task=t.value_(), value=t[0].value_())
