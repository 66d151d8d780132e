"""Run by drgn on a dump: prints the stack of each task, one JSON object a line.

The fields are task, frames (lists of pc, names of the function, whether it is
inlined, file, line), and error if the stack cannot be followed.
"""

import json

from drgn import FaultError
from drgn.helpers.linux import *

p = prog  # noqa: F821


def attempt(f):
    try:
        return f()
    except LookupError:
        return None


def stack(t):
    frames, error = [], {}
    try:
        for f in p.stack_trace(t):
            pc = attempt(lambda: f.pc)
            names = [f.name] if f.name else []
            if pc is not None and not f.is_inline:  # assembly has several names for one place
                names += [s.name for s in p.symbols(pc)]
            frames.append([pc, names, f.is_inline, *(attempt(lambda: f.source()[:2]) or ("", 0))])
    except (LookupError, FaultError, ValueError) as e:
        error = {"error": str(e)}
    print(json.dumps({"task": t.value_(), "frames": frames, **error}, separators=(",", ":")))


for t in [idle_task(p, c) for c in for_each_possible_cpu(p)]:
    if t:
        stack(t)
for t in for_each_task(p):
    stack(t)
