package ipc

import (
	"errors"
	"fmt"
	"iter"

	"github.com/kdive/kdive/kernel"
)

// Segment is one shared memory segment, a shmid_kernel.
type Segment struct {
	Object
	Bytes    uint64
	Attached uint64 // shm_nattch
	File     uint64 // the struct file that holds its memory
	CPID     int32  // who created it, 0 if not known
	LPID     int32  // who attached or detached it last, 0 if nobody or not known
}

// Segments yields the shared memory segments of the namespace at ns. An error
// stands for a segment, or a part of the table, that cannot be read.
func (m *Model) Segments(ns uint64) iter.Seq2[Segment, error] {
	return func(yield func(Segment, error) bool) {
		for r, err := range m.objects(ns, SharedMemory, m.n.ShmSize, &m.n.ShmPerm) {
			s := Segment{Object: r.Object}
			if err == nil {
				s.Bytes, s.Attached, s.File = m.n.ShmBytes.In(r.buf), m.n.ShmNattch.In(r.buf), m.n.ShmFile.In(r.buf)
				s.CPID, s.LPID = m.pid(&m.n.ShmCPID, r.buf), m.pid(&m.n.ShmLPID, r.buf)
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// fileNeeds lead from a segment's file to its pages, and from a mapped file to
// the segment.
type fileNeeds struct {
	Private  kernel.Field `need:"file.private_data"`
	Ops      kernel.Field `need:"file.f_op"`
	Inode    kernel.Field `need:"?file.f_inode"`
	Dentry   kernel.Field `need:"?file.f_path.dentry"`
	DInode   kernel.Field `need:"?dentry.d_inode"`
	Mapping  kernel.Field `need:"inode.i_mapping"`
	Blocks   kernel.Field `need:"inode.i_blocks"`
	Pages    kernel.Field `need:"address_space.nrpages"`
	VFSInode kernel.Field `need:"?shmem_inode_info.vfs_inode"`
	Swapped  kernel.Field `need:"?shmem_inode_info.swapped"`
	HugeOps  kernel.Sym   `need:"?hugetlbfs_file_operations"`

	ShmOps     kernel.Sym   `need:"shm_file_operations"`
	ShmHugeOps kernel.Sym   `need:"?shm_file_operations_huge"`
	DataID     kernel.Field `need:"shm_file_data.id"`
	DataNS     kernel.Field `need:"shm_file_data.ns"`
	DataFile   kernel.Field `need:"shm_file_data.file"`
}

func (m *Model) fileNeeds() (*fileNeeds, error) {
	n, err := m.files.Get(m.k)
	if err == nil && !n.Inode.Present() && !(n.Dentry.Present() && n.DInode.Present()) {
		err = &kernel.MissingError{Needs: []string{"file.f_inode|file.f_path.dentry"}}
	}
	return n, err
}

// Usage is what memory a segment takes, in pages of 4 KiB.
type Usage struct {
	Inode    uint64
	Pages    uint64 // of its size
	Resident uint64
	Swapped  uint64
}

// Usage reads the memory use of a segment. What is known comes with an error.
func (m *Model) Usage(s *Segment) (Usage, error) {
	u := Usage{Pages: s.Bytes>>kernel.PageShift + min(s.Bytes&(1<<kernel.PageShift-1), 1)}
	n, err := m.fileNeeds()
	if err != nil {
		return u, err
	}
	fail := func(err error) (Usage, error) {
		return u, fmt.Errorf("pages of segment %d: %w", s.ID, err)
	}
	if u.Inode, err = n.inode(m.k, s.File); err != nil {
		return fail(err)
	}
	ops, err := n.Ops.Uint(m.k, s.File)
	if err != nil {
		return fail(err)
	}
	if n.HugeOps != 0 && ops == uint64(n.HugeOps) {
		// The page cache counts large pages in units that changed; blocks are
		// always 512 bytes.
		blocks, err := n.Blocks.Uint(m.k, u.Inode)
		if err != nil {
			return fail(err)
		}
		u.Resident = blocks >> (kernel.PageShift - 9)
		return u, nil
	}
	mapping, err := n.Mapping.Uint(m.k, u.Inode)
	if err == nil {
		u.Resident, err = n.Pages.Uint(m.k, mapping)
	}
	if n.Swapped.Present() && n.VFSInode.Present() {
		swapped, err2 := n.Swapped.Uint(m.k, u.Inode-uint64(n.VFSInode.Offset))
		u.Swapped, err = swapped, errors.Join(err, err2)
	}
	if err != nil {
		return fail(err)
	}
	return u, nil
}

func (n *fileNeeds) inode(k kernel.View, file uint64) (uint64, error) {
	if n.Inode.Present() {
		return n.Inode.Uint(k, file)
	}
	dentry, err := n.Dentry.Uint(k, file)
	if err != nil {
		return 0, err
	}
	return n.DInode.Uint(k, dentry)
}
