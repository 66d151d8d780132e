// Package ipc reads System V shared memory segments, semaphore sets and message
// queues of any IPC namespace, and finds which tasks have a segment attached.
//
// It knows the structures of ipc/ and the way from a task to its namespace. It
// must not know how objects are listed or chosen. Start from Load.
package ipc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/walk"
)

// Kind of an object; the values are the indices of ipc_namespace.ids
// (IPC_SEM_IDS and so on, ipc/util.h).
type Kind int

// The kinds of objects.
const (
	Semaphores Kind = iota
	Messages
	SharedMemory
)

// needs are the layouts of ipc/*.c and of what leads there.
type needs struct {
	Task     kernel.Field `need:"task_struct.nsproxy"`
	Proxy    kernel.Field `need:"nsproxy.ipc_ns"`
	Initial  kernel.Sym   `need:"init_ipc_ns"`
	IDs      kernel.Field `need:"ipc_namespace.ids"`
	IDsSize  kernel.Size  `need:"ipc_ids"`
	IDR      kernel.Field `need:"ipc_ids.ipcs_idr"`
	PermSize kernel.Size  `need:"kern_ipc_perm"`
	ID       kernel.Field `need:"kern_ipc_perm.id"`
	Key      kernel.Field `need:"kern_ipc_perm.key"`
	UID      kernel.Field `need:"kern_ipc_perm.uid"`
	GID      kernel.Field `need:"kern_ipc_perm.gid"`
	CUID     kernel.Field `need:"kern_ipc_perm.cuid"`
	CGID     kernel.Field `need:"kern_ipc_perm.cgid"`
	Mode     kernel.Field `need:"kern_ipc_perm.mode"`
	Deleted  kernel.Field `need:"?kern_ipc_perm.deleted"`
	Numbers  kernel.Field `need:"?pid.numbers"`

	ShmSize   kernel.Size  `need:"shmid_kernel"`
	ShmPerm   kernel.Field `need:"shmid_kernel.shm_perm"`
	ShmFile   kernel.Field `need:"shmid_kernel.shm_file"`
	ShmBytes  kernel.Field `need:"shmid_kernel.shm_segsz"`
	ShmNattch kernel.Field `need:"shmid_kernel.shm_nattch"`
	ShmCPID   kernel.Field `need:"?shmid_kernel.shm_cprid"`
	ShmLPID   kernel.Field `need:"?shmid_kernel.shm_lprid"`

	SemSize  kernel.Size  `need:"sem_array"`
	SemPerm  kernel.Field `need:"sem_array.sem_perm"`
	SemCount kernel.Field `need:"sem_array.sem_nsems"`
	Sems     kernel.Field `need:"?sem_array.sems"`
	Sem      kernel.Size  `need:"?sem"`
	SemValue kernel.Field `need:"?sem.semval"`

	MsgSize  kernel.Size  `need:"msg_queue"`
	MsgPerm  kernel.Field `need:"msg_queue.q_perm"`
	MsgBytes kernel.Field `need:"msg_queue.q_cbytes"`
	MsgCount kernel.Field `need:"msg_queue.q_qnum"`
	MsgLSPID kernel.Field `need:"?msg_queue.q_lspid"`
	MsgLRPID kernel.Field `need:"?msg_queue.q_lrpid"`
}

// Model reads the IPC objects of one kernel. It is safe for concurrent use.
type Model struct {
	k     kernel.View
	w     *walk.Walker
	n     needs
	files kernel.Bound[fileNeeds]
	msgs  kernel.Bound[messageNeeds]
}

// Load binds the layouts. It reads no memory.
func Load(k kernel.View) (*Model, error) {
	m := &Model{k: k, w: walk.New(k)}
	if err := k.Bind(&m.n); err != nil {
		return nil, fmt.Errorf("IPC objects: %w", err)
	}
	if err := m.checkSizes(); err != nil {
		return nil, fmt.Errorf("IPC objects: %w", err)
	}
	return m, nil
}

// checkSizes refuses debug info whose sizes nobody wants to allocate.
func (m *Model) checkSizes() error {
	const limit = 1 << 16
	for _, s := range [...]kernel.Size{m.n.IDsSize, m.n.PermSize, m.n.ShmSize, m.n.SemSize, m.n.MsgSize} {
		if s <= 0 || s > limit {
			return fmt.Errorf("a structure has %d bytes in the debug info", s)
		}
	}
	return nil
}

// Initial is the address of the IPC namespace that the kernel starts with.
func (m *Model) Initial() uint64 { return uint64(m.n.Initial) }

// Namespace is the address of the ipc_namespace of the task whose task_struct
// is at addr. A task that exits has given its namespaces back: that is an
// ErrNoNamespace.
func (m *Model) Namespace(addr uint64) (uint64, error) {
	proxy, err := m.n.Task.Uint(m.k, addr)
	if err == nil && proxy == 0 {
		return 0, ErrNoNamespace
	}
	if err != nil {
		return 0, fmt.Errorf("namespaces of task %#x: %w", addr, err)
	}
	ns, err := m.n.Proxy.Uint(m.k, proxy)
	if err != nil {
		return 0, fmt.Errorf("namespaces of task %#x: %w", addr, err)
	}
	return ns, nil
}

// ErrNoNamespace says that a task has no IPC namespace.
var ErrNoNamespace = errors.New("the task gave its namespaces back")

// Object is what the three kinds have in common.
type Object struct {
	Addr    uint64 // of the shmid_kernel, sem_array or msg_queue
	ID      int32
	Key     uint32
	UID     uint32 // of the owner, in the initial user namespace
	GID     uint32
	CUID    uint32 // of the creator
	CGID    uint32
	Mode    uint32 // permissions and flags, as in kern_ipc_perm
	Deleted bool   // removed, but in use
}

// Flags of a segment in Object.Mode (include/linux/shm.h).
const (
	modeDestroy = 0o1000
	modeLocked  = 0o2000
)

// Destroyed reports whether a segment goes away with its last user.
func (o *Object) Destroyed() bool { return o.Mode&modeDestroy != 0 }

// Locked reports whether a segment is kept out of swap.
func (o *Object) Locked() bool { return o.Mode&modeLocked != 0 }

// Permissions are the permission bits of the mode.
func (o *Object) Permissions() uint32 { return o.Mode & 0o777 }

// objects yields the objects of one kind in a namespace, in the order of their
// table, each with the bytes of its structure. permOffset says where in it the
// kern_ipc_perm is.
func (m *Model) objects(ns uint64, kind Kind, size kernel.Size, perm *kernel.Field) iter.Seq2[raw, error] {
	return func(yield func(raw, error) bool) {
		idr := m.n.IDR.At(m.n.IDs.At(ns) + uint64(kind)*uint64(m.n.IDsSize))
		for e, err := range m.w.IDR(idr) {
			var r raw
			if err == nil {
				r, err = m.read(e.Raw-uint64(perm.Offset), size, perm)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// raw is an object with its bytes.
type raw struct {
	Object
	buf []byte
}

func (m *Model) read(addr uint64, size kernel.Size, perm *kernel.Field) (raw, error) {
	r := raw{Object: Object{Addr: addr}, buf: make([]byte, size)}
	if err := m.k.Read(r.buf, addr); err != nil {
		return r, fmt.Errorf("IPC object at %#x: %w", addr, err)
	}
	p := perm.Bytes(r.buf)
	r.ID = int32(m.n.ID.In(p))
	r.Key = uint32(m.n.Key.In(p))
	r.UID, r.GID = uint32(m.n.UID.In(p)), uint32(m.n.GID.In(p))
	r.CUID, r.CGID = uint32(m.n.CUID.In(p)), uint32(m.n.CGID.In(p))
	r.Mode = uint32(m.n.Mode.In(p))
	r.Deleted = m.n.Deleted.Present() && m.n.Deleted.In(p) != 0
	return r, nil
}

// SemaphoreSet is one sem_array.
type SemaphoreSet struct {
	Object
	Count int // number of semaphores
}

// SemaphoreSets yields the semaphore sets of the namespace at ns. An error
// stands for a set, or a part of the table, that cannot be read.
func (m *Model) SemaphoreSets(ns uint64) iter.Seq2[SemaphoreSet, error] {
	return func(yield func(SemaphoreSet, error) bool) {
		for r, err := range m.objects(ns, Semaphores, m.n.SemSize, &m.n.SemPerm) {
			if !yield(SemaphoreSet{Object: r.Object, Count: int(int32(m.n.SemCount.In(r.buf)))}, err) {
				return
			}
		}
	}
}

// maxSemaphores is how many values of a set are read (SEMMSL is 32,000).
const maxSemaphores = 1 << 16

// Values are the values of a set's semaphores. Kernels before 4.13 keep them
// elsewhere: there is none then.
func (m *Model) Values(s *SemaphoreSet) ([]int32, error) {
	size := int64(m.n.Sem)
	if !m.n.Sems.Present() || !m.n.SemValue.Present() || size < 4 || size > 1<<12 || m.n.Sems.Type.Underlying().Elem() == nil {
		return nil, nil
	}
	if s.Count < 0 || s.Count > maxSemaphores {
		return nil, fmt.Errorf("semaphore set at %#x: it cannot have %d semaphores", s.Addr, s.Count)
	}
	values := make([]int32, 0, s.Count)
	for i := range s.Count {
		v, err := m.n.SemValue.Uint(m.k, m.n.Sems.At(s.Addr)+uint64(i)*uint64(size))
		if err != nil {
			return values, fmt.Errorf("semaphore set at %#x: %w", s.Addr, err)
		}
		values = append(values, int32(v))
	}
	return values, nil
}

// pid is a process id that a member holds: as a number, or since 4.17 as a
// pointer to a struct pid. 0 is none, or one that cannot be read.
func (m *Model) pid(f *kernel.Field, obj []byte) int32 {
	v := f.In(obj)
	if !f.Present() || v == 0 || f.Size() == 4 {
		return int32(v)
	}
	if !m.n.Numbers.Present() {
		return 0
	}
	var b [4]byte // pid.numbers[0].nr
	if m.k.Read(b[:], m.n.Numbers.At(v)) != nil {
		return 0
	}
	return int32(binary.LittleEndian.Uint32(b[:]))
}
