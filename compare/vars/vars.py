"""Run by drgn on a dump: prints what drgn knows of the variables of all frames
of all tasks, one JSON object a line.

A frame line (pid, task, pc, name, inline) stands before the lines of its
variables: name, and one of absent, fault, address (of an object in memory) and
value (a tree of numbers).
"""

import json

import drgn
from drgn.helpers.linux import for_each_possible_cpu, for_each_task, idle_task

p = prog  # noqa: F821
NUMBERS = (drgn.TypeKind.INT, drgn.TypeKind.BOOL, drgn.TypeKind.ENUM, drgn.TypeKind.POINTER)


def emit(kind, **fields):
    print(json.dumps({"kind": kind, **fields}, separators=(",", ":")))


def plain(t):
    while t.kind == drgn.TypeKind.TYPEDEF:
        t = t.type
    return t


def tree(o):
    t = plain(o.type_)
    if t.kind in (drgn.TypeKind.STRUCT, drgn.TypeKind.UNION):
        return {m.name: tree(getattr(o, m.name)) for m in t.members if m.name}
    if t.kind == drgn.TypeKind.ARRAY:
        return [tree(o[i]) for i in range(t.length or 0)]
    if t.kind in NUMBERS:
        v = o.value_()
        return int(v)
    return o.value_()


def variable(frame, name):
    try:
        o = frame[name]
        if o.absent_:
            emit("variable", name=name, absent=True)
        elif o.address_ is not None:
            emit("variable", name=name, address=o.address_)
        else:
            emit("variable", name=name, value=tree(o))
    except (drgn.FaultError, ValueError, TypeError, NotImplementedError, LookupError) as e:
        emit("variable", name=name, fault=f"{type(e).__name__}: {e}")


def stack(task):
    try:
        trace = p.stack_trace(task)
    except (ValueError, drgn.FaultError, LookupError) as e:
        emit("none", pid=task.pid.value_(), task=task.value_(), why=str(e))
        return
    for f in trace:
        try:
            pc = f.pc
        except LookupError:
            continue
        emit("frame", pid=task.pid.value_(), task=task.value_(), pc=pc, name=f.name, inline=bool(f.is_inline))
        for name in f.locals():
            variable(f, name)


seen = set()
for cpu in for_each_possible_cpu(p):
    t = idle_task(p, cpu)
    if t.value_() not in seen:
        seen.add(t.value_())
        stack(t)
for t in for_each_task(p):
    if t.value_() not in seen:
        seen.add(t.value_())
        stack(t)
emit("meta", drgn=drgn.__version__)
