package ipc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
	"github.com/kdive/kdive/task"
)

const decls = `
struct list_head { void *next; void *prev; };
struct xarray { int xa_lock; void *xa_head; };
struct xa_node { u8 shift; void *parent; void *slots[16]; };
struct idr { struct xarray idr_rt; unsigned int idr_base; };
struct ipc_ids { int in_use; struct idr ipcs_idr; };
struct ipc_namespace { int count; struct ipc_ids ids[3]; };
struct nsproxy { int count; void *ipc_ns; };
struct task_struct { void *nsproxy; };
struct kern_ipc_perm { int lock; bool deleted; int id; int key; unsigned uid; unsigned gid; unsigned cuid; unsigned cgid; unsigned short mode; };
struct upid { int nr; void *ns; };
struct pid { int count; struct upid numbers[1]; };
struct shmid_kernel { long first; struct kern_ipc_perm shm_perm; void *shm_file; unsigned long shm_nattch; unsigned long shm_segsz; void *shm_cprid; void *shm_lprid; };
struct sem { int semval; void *sempid; };
struct sem_array { struct kern_ipc_perm sem_perm; int sem_nsems; struct sem sems[1]; };
struct msg_queue { struct kern_ipc_perm q_perm; unsigned long q_cbytes; unsigned long q_qnum; int q_lspid; int q_lrpid; struct list_head q_messages; };
struct msg_msg { struct list_head m_list; long m_type; unsigned long m_ts; void *next; };
struct msg_msgseg { void *next; };
struct address_space { unsigned long nrpages; };
struct inode { void *i_mapping; unsigned long i_blocks; };
struct shmem_inode_info { unsigned long swapped; struct inode vfs_inode; };
struct path { void *mnt; void *dentry; };
struct file { void *f_op; void *f_inode; void *private_data; struct path f_path; };
struct shm_file_data { int id; void *ns; void *file; };
struct mm_struct { void *mmap; };
struct vm_area_struct { unsigned long vm_start; unsigned long vm_end; void *vm_next; unsigned long vm_flags; unsigned long vm_pgoff; void *vm_file; };`

const (
	ns     = 0x1000
	node   = 0x2000
	shmOps = 0xff00
)

// fake is a kernel with an IDR of the given kind whose entries are at slots 0,
// 1, ... of one node.
func fake(t *testing.T, kind Kind, perms ...uint64) (*kerneltest.Kernel, *Model) {
	k := kerneltest.New(t, decls)
	k.DefineSymbol("init_ipc_ns", ns)
	k.DefineSymbol("shm_file_operations", shmOps)
	k.DefineSymbol("hugetlbfs_file_operations", 0xfe00)
	k.Map(ns, 0x100)
	idr := ns + k.Offset("ipc_namespace.ids") + uint64(kind)*32 + k.Offset("ipc_ids.ipcs_idr")
	k.Put(idr, "idr.idr_rt.xa_head", node|2)
	k.Map(node, 0x100)
	k.Words(node+k.Offset("xa_node.slots"), perms...)
	m, err := Load(k)
	if err != nil {
		t.Fatal(err)
	}
	if m.n.IDsSize != 32 {
		t.Fatalf("struct ipc_ids has %d bytes, the test thinks 32", m.n.IDsSize)
	}
	return k, m
}

// segment puts a shmid_kernel and returns the address of its kern_ipc_perm.
func segment(k *kerneltest.Kernel, at uint64, id int, file uint64) uint64 {
	k.Put(at, "shmid_kernel.shm_perm.id", uint64(id))
	k.Put(at, "shmid_kernel.shm_perm.key", 0x27c5)
	k.Put(at, "shmid_kernel.shm_perm.uid", 1000)
	k.Put(at, "shmid_kernel.shm_perm.mode", 0o3740)
	k.Put(at, "shmid_kernel.shm_segsz", 20672)
	k.Put(at, "shmid_kernel.shm_nattch", 2)
	k.Put(at, "shmid_kernel.shm_file", file)
	return at + k.Offset("shmid_kernel.shm_perm")
}

func TestSegments(t *testing.T) {
	k, m := fake(t, SharedMemory, 0, 0, 0xbad0000, 0)
	k.Words(node+k.Offset("xa_node.slots"), segment(k, 0x3000, 7, 0x5000), 0xbad0000, segment(k, 0x4000, 9, 0))
	k.Put(0x3000, "shmid_kernel.shm_cprid", 0x6000)
	k.Put(0x3000, "shmid_kernel.shm_lprid", 0xbad0000)
	k.Put(0x6000+k.Offset("pid.numbers"), "upid.nr", 58)
	var ids []int32
	var errs []error
	for s, err := range m.Segments(ns) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		ids = append(ids, s.ID)
		if s.ID != 7 {
			continue
		}
		if s.Addr != 0x3000 || s.Key != 0x27c5 || s.UID != 1000 || s.Permissions() != 0o740 || !s.Destroyed() || !s.Locked() ||
			s.Bytes != 20672 || s.Attached != 2 || s.File != 0x5000 || s.CPID != 58 || s.LPID != 0 {
			t.Errorf("%+v", s)
		}
	}
	if !slices.Equal(ids, []int32{7, 9}) || len(errs) != 1 || fault.ReasonOf(errs[0]) != fault.Unmapped {
		t.Errorf("segments %v, errors %v", ids, errs)
	}
	for _, other := range []uint64{ns + 0x10000} {
		for s, err := range m.Segments(other) {
			if err == nil {
				t.Errorf("segment %+v in a namespace that is not mapped", s)
			}
		}
	}
}

func TestUsage(t *testing.T) {
	k, m := fake(t, SharedMemory)
	inode := 0x7000 + k.Offset("shmem_inode_info.vfs_inode")
	s := Segment{Bytes: 4097, File: 0x5000}
	k.Put(0x5000, "file.f_inode", inode)
	k.Put(0x7000, "shmem_inode_info.swapped", 3)
	k.Put(inode, "inode.i_mapping", 0x8000)
	k.Put(inode, "inode.i_blocks", 4096*2)
	k.Put(0x8000, "address_space.nrpages", 5)
	if u, err := m.Usage(&s); err != nil || u != (Usage{inode, 2, 5, 3}) {
		t.Errorf("%+v, %v", u, err)
	}
	k.Put(0x5000, "file.f_op", 0xfe00)
	if u, err := m.Usage(&s); err != nil || u != (Usage{inode, 2, 1024, 0}) {
		t.Errorf("large pages: %+v, %v", u, err)
	}
	k.Put(0x5000, "file.f_op", 0)
	k.Fail(0x8000, fault.Excluded)
	if u, err := m.Usage(&s); fault.ReasonOf(err) != fault.Excluded || u.Inode != inode || u.Pages != 2 {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestSemaphores(t *testing.T) {
	k, m := fake(t, Semaphores, 0x3000)
	k.Put(0x3000, "sem_array.sem_perm.id", 4)
	k.Put(0x3000, "sem_array.sem_nsems", 2)
	k.Put(0x3000+k.Offset("sem_array.sems"), "sem.semval", 11)
	k.Put(0x3000+k.Offset("sem_array.sems")+16, "sem.semval", 12)
	n := 0
	for s, err := range m.SemaphoreSets(ns) {
		values, err2 := m.Values(&s)
		if n++; err != nil || err2 != nil || s.ID != 4 || s.Count != 2 || !slices.Equal(values, []int32{11, 12}) {
			t.Errorf("%+v, %v, values %v, %v", s, err, values, err2)
		}
	}
	if n != 1 {
		t.Errorf("%d sets", n)
	}
	for _, count := range []int{-1, 1 << 30} {
		if _, err := m.Values(&SemaphoreSet{Count: count}); err == nil {
			t.Errorf("%d semaphores: no error", count)
		}
	}
}

func TestMessages(t *testing.T) {
	k, m := fake(t, Messages, 0x3000)
	head := 0x3000 + k.Offset("msg_queue.q_messages")
	k.Put(0x3000, "msg_queue.q_qnum", 2)
	k.Put(0x3000, "msg_queue.q_lspid", 77)
	k.Put(0x10000, "msg_msg.m_type", ^uint64(0))
	k.Put(0x10000, "msg_msg.m_ts", 5)
	k.Link(head, 0x10000, 0x20000)
	k.Bytes(0x10000+uint64(msgHead(t, m)), []byte("hello"))
	// The second one goes on in a segment.
	first := 4096 - msgHead(t, m)
	k.Put(0x20000, "msg_msg.m_ts", uint64(first)+6)
	k.Put(0x20000, "msg_msg.next", 0x30000)
	k.Bytes(0x20000+uint64(msgHead(t, m)), []byte(strings.Repeat("x", first)))
	k.Words(0x30000, 0)
	k.Bytes(0x30008, []byte("behind"))

	read := func(limit int) (got []string) {
		for q, err := range m.Queues(ns) {
			if err != nil || q.LSPID != 77 || q.Count != 2 {
				t.Errorf("%+v, %v", q, err)
			}
			for msg, err := range m.Messages(&q, limit) {
				got = append(got, fmt.Sprintf("%x %d %d %s %v", msg.Addr, msg.Type, msg.Size, strings.Trim(string(msg.Data), "x"), err != nil))
			}
		}
		return got
	}
	if got, want := read(1<<20), []string{"10000 -1 5 hello false", fmt.Sprintf("20000 0 %d behind false", first+6)}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := read(2); got[0] != "10000 -1 5 he false" {
		t.Errorf("%q", got)
	}
	k.Put(0x20000, "msg_msg.m_ts", 1<<40) // more than there is
	if got, want := read(1<<20), fmt.Sprintf("20000 0 %d", 1<<40); !strings.HasPrefix(got[1], want) || !strings.HasSuffix(got[1], "true") {
		t.Errorf("%.100q, want %q", got[1], want)
	}
	k.Words(0x30000, 0x30000) // a segment that leads to itself ends with the size
	if got := read(10000); len(got) != 2 {
		t.Errorf("%d messages", len(got))
	}
}

func msgHead(t *testing.T, m *Model) int {
	n, err := m.msgs.Get(m.k)
	if err != nil {
		t.Fatal(err)
	}
	return int(n.Head)
}

func TestNamespace(t *testing.T) {
	k, m := fake(t, SharedMemory)
	k.Put(0x9000, "task_struct.nsproxy", 0x9100)
	k.Put(0x9100, "nsproxy.ipc_ns", 0x9200)
	if got, err := m.Namespace(0x9000); got != 0x9200 || err != nil {
		t.Errorf("%#x, %v", got, err)
	}
	k.Put(0x9000, "task_struct.nsproxy", 0)
	if _, err := m.Namespace(0x9000); !errors.Is(err, ErrNoNamespace) {
		t.Errorf("exiting: %v", err)
	}
	if _, err := m.Namespace(0xbad0000); fault.ReasonOf(err) != fault.Unmapped {
		t.Errorf("not mapped: %v", err)
	}
}

func TestAttachments(t *testing.T) {
	k, m := fake(t, SharedMemory)
	area := func(at, next, file uint64) {
		k.Put(at, "vm_area_struct.vm_start", at<<4)
		k.Put(at, "vm_area_struct.vm_next", next)
		k.Put(at, "vm_area_struct.vm_file", file)
	}
	shm := func(file, data uint64, id int) {
		k.Put(file, "file.f_op", shmOps)
		k.Put(file, "file.private_data", data)
		k.Put(data, "shm_file_data.id", uint64(id))
		k.Put(data, "shm_file_data.ns", ns)
		k.Put(data, "shm_file_data.file", 0x5000)
	}
	k.Put(0xa000, "mm_struct.mmap", 0xb000)
	area(0xb000, 0xb100, 0)
	area(0xb100, 0xb200, 0xc000)
	area(0xb200, 0xb300, 0xbad0000)
	area(0xb300, 0xb400, 0xc100)
	area(0xb400, 0, 0xc200)
	shm(0xc000, 0xd000, 7)
	k.Put(0xc100, "file.f_op", 0x1234)
	shm(0xc200, 0xd100, 9)
	k.Put(0xa100, "mm_struct.mmap", 0xb800)
	area(0xb800, 0, 0xc000)
	const exiting = 4 // PF_EXITING
	table := &task.Table{Tasks: []*task.Task{
		{PID: 5, MM: 0xa000}, {PID: 6, MM: 0xa000}, {PID: 3, Flags: exiting, ActiveMM: 0xa100}, {PID: 4, Flags: 0x200000, ActiveMM: 0xa100},
	}}
	found, errs := m.Attachments(context.Background(), table)
	if len(errs) != 1 || fault.ReasonOf(errs[0]) != fault.Unmapped {
		t.Errorf("errors %v", errs)
	}
	var got []string
	for _, a := range found[0x5000] {
		got = append(got, fmt.Sprintf("%d %x %d %v", a.Task.PID, a.VMA, a.ID, a.Exiting))
	}
	if want := []string{"3 b800 7 true", "5 b100 7 false", "5 b400 9 false"}; !slices.Equal(got, want) || len(found) != 1 {
		t.Errorf("%q, want %q", got, want)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, errs := m.Attachments(ctx, table); len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
		t.Errorf("cancelled: %v", errs)
	}
}

func TestLoadNeedsLayouts(t *testing.T) {
	k := kerneltest.New(t, "struct kern_ipc_perm { int id; };")
	if _, err := Load(k); err == nil || !strings.Contains(err.Error(), "shmid_kernel.shm_file") {
		t.Errorf("error %v", err)
	}
}
