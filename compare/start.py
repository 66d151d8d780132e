"""What compare/start asks kdive, asked of drgn: start.py VMLINUX DUMP."""

import sys

import drgn
from drgn.helpers.linux.pid import for_each_task

prog = drgn.Program()
prog.set_core_dump(sys.argv[2])
prog.load_debug_info([sys.argv[1]])
uts = prog["init_uts_ns"].name
print(uts.nodename.string_(), uts.release.string_(), uts.version.string_(), uts.machine.string_())
print(sum(1 for _ in for_each_task(prog)), prog["avenrun"], prog["jiffies"].value_(), prog["cpu_khz"].value_())
print(prog.type("struct super_block").member("s_op").type)
print(prog["jiffies"].type_)
schedule = prog.symbol("schedule")
print(hex(schedule.address), schedule.name)
