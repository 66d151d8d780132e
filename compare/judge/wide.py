"""Run by drgn on a dump: prints address spaces, open files and IPC objects, one
JSON object a line.

The lines are: area (of every address space, for the first task that has it),
page (of the areas of the first processes), file (of every task), and ipc.
"""

import json

from drgn import FaultError, container_of
from drgn.helpers.linux import *

p = prog  # noqa: F821


def text(b):
    return b.decode("utf-8", "backslashreplace")


def emit(kind, **fields):
    print(json.dumps({"kind": kind, **fields}, separators=(",", ":")))


def flags(vma):
    """vm_flags, which is a bitmap since 6.19."""
    try:
        return vma.vm_flags.value_()
    except AttributeError:
        return vma.flags.__vma_flags[0].value_()


def area(t, vma):
    f = vma.vm_file
    emit(
        "area", task=t.value_(), vma=vma.value_(), start=vma.vm_start.value_(), end=vma.vm_end.value_(), flags=flags(vma),
        offset=vma.vm_pgoff.value_() * 4096, file=f.value_() or None,
    )  # fmt: skip


def physical(space, addr):
    try:
        return follow_phys(space, addr).value_()
    except FaultError:
        return None


def files(t):
    for fd, f in for_each_file(t):
        dentry = f.f_path.dentry
        inode = dentry.d_inode
        mode = inode.i_mode.value_() >> 12
        named = mode in (2, 4, 8) and dentry.d_parent != dentry
        emit(
            "file", task=t.value_(), fd=fd, file=f.value_(), dentry=dentry.value_(), inode=inode.value_(),
            mapping=inode.i_mapping.value_(), pages=inode.i_mapping.nrpages.value_(), path=text(d_path(f.f_path)) if named else None,
        )  # fmt: skip


KINDS = ("semaphore_set", "sem_array", "sem_perm"), ("message_queue", "msg_queue", "q_perm"), ("shared_memory", "shmid_kernel", "shm_perm")


def ipc(t, ns):
    for i, (kind, struct, member) in enumerate(KINDS):
        for _, perm in idr_for_each_entry(ns.ids[i].ipcs_idr, "struct kern_ipc_perm"):
            o = container_of(perm, "struct " + struct, member)
            fields = {}
            if i == 0:
                fields["values"] = [o.sems[j].semval.value_() for j in range(o.sem_nsems.value_())]
            elif i == 1:
                fields["bytes"], fields["messages"] = o.q_cbytes.value_(), o.q_qnum.value_()
            else:
                fields["bytes"], fields["attaches"] = o.shm_segsz.value_(), o.shm_nattch.value_()
                fields["inode"] = o.shm_file.f_inode.value_()
            emit(
                "ipc", pid=t.pid.value_(), ipc=kind, address=o.value_(), id=perm.id.value_(), key=perm.key.value_() & 0xFFFFFFFF,
                uid=perm.uid.val.value_(), permissions=perm.mode.value_() & 0o777, **fields,
            )  # fmt: skip


PROCESSES = 10  # whose pages are looked up

spaces, namespaces = set(), set()
for t in for_each_task(p):
    if t.mm and t.mm.value_() not in spaces:
        spaces.add(t.mm.value_())
        for vma in for_each_vma(t.mm):
            area(t, vma)
            if len(spaces) <= PROCESSES and vma.vm_end - vma.vm_start < 4 << 20:
                for addr in range(vma.vm_start.value_(), vma.vm_end.value_(), 4096):
                    emit("page", pid=t.pid.value_(), task=t.value_(), virtual=addr, physical=physical(t.mm, addr))
    if t.files:
        files(t)
    if t.nsproxy and t.nsproxy.ipc_ns.value_() not in namespaces:
        namespaces.add(t.nsproxy.ipc_ns.value_())
        ipc(t, t.nsproxy.ipc_ns)
