// Package vfs reads what tasks have open: descriptors, files, directory entries,
// inodes, the directories that they work in, and the pages of a file.
//
// It knows the structures of fs/ and how sockets are found behind inodes. It
// must not know how files are listed or chosen. Start from Load.
package vfs

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/walk"
)

type needs struct {
	Files   kernel.Field `need:"task_struct.files"`
	FS      kernel.Field `need:"task_struct.fs"`
	RootMnt kernel.Field `need:"fs_struct.root.mnt"`
	Root    kernel.Field `need:"fs_struct.root.dentry"`
	CWDMnt  kernel.Field `need:"fs_struct.pwd.mnt"`
	CWD     kernel.Field `need:"fs_struct.pwd.dentry"`
	Table   kernel.Field `need:"files_struct.fdt"`
	Max     kernel.Field `need:"fdtable.max_fds"`
	FD      kernel.Field `need:"fdtable.fd"`
	Open    kernel.Field `need:"fdtable.open_fds"`

	FileMnt    kernel.Field `need:"file.f_path.mnt"`
	FileDentry kernel.Field `need:"file.f_path.dentry"`
	DInode     kernel.Field `need:"dentry.d_inode"`
	DSuper     kernel.Field `need:"dentry.d_sb"`
	ISuper     kernel.Field `need:"inode.i_sb"`
	Mode       kernel.Field `need:"inode.i_mode"`
	Mapping    kernel.Field `need:"inode.i_mapping"`
	Pages      kernel.Field `need:"address_space.nrpages"`
	Tree       kernel.Field `need:"address_space.i_pages|address_space.page_tree"`

	Mounts    kernel.Field `need:"?super_block.s_mounts"`
	Instance  kernel.Field `need:"?mount.mnt_instance"`
	NextMount kernel.Field `need:"?mount.mnt_next_for_sb"`
	Vfsmount  kernel.Field `need:"mount.mnt"`
	MountNS   kernel.Field `need:"mount.mnt_ns"`

	InitProxy  kernel.Sym   `need:"?init_nsproxy"`
	ProxyMount kernel.Field `need:"?nsproxy.mnt_ns"`

	SocketInode kernel.Field `need:"?socket_alloc.vfs_inode"`
	SocketSock  kernel.Field `need:"?socket_alloc.socket.sk"`
	Proto       kernel.Field `need:"?sock.__sk_common.skc_prot"`
	ProtoName   kernel.Field `need:"?proto.name"`
}

// Model reads the open files of one kernel. It is safe for concurrent use.
type Model struct {
	k     kernel.View
	w     *walk.Walker
	n     needs
	paths *mm.Paths
}

// Load binds the layouts. It reads no memory.
func Load(k kernel.View) (*Model, error) {
	m := &Model{k: k, w: walk.New(k), paths: mm.NewPaths(k)}
	if err := k.Bind(&m.n); err != nil {
		return nil, fmt.Errorf("open files: %w", err)
	}
	return m, nil
}

// Directories are where a task's paths begin.
type Directories struct {
	Addr      uint64 // of the fs_struct
	Root, CWD string
}

// Directories reads the root and the working directory of the task whose
// task_struct is at addr; nil without error if it gave them back. What is known
// comes with an error.
func (m *Model) Directories(addr uint64) (*Directories, error) {
	fs, err := m.n.FS.Uint(m.k, addr)
	if err != nil {
		return nil, fmt.Errorf("directories of task %#x: %w", addr, err)
	}
	if fs == 0 {
		return nil, nil
	}
	d := &Directories{Addr: fs}
	var err1, err2 error
	d.Root, err1 = m.path(&m.n.RootMnt, &m.n.Root, fs)
	d.CWD, err2 = m.path(&m.n.CWDMnt, &m.n.CWD, fs)
	return d, errors.Join(err1, err2)
}

func (m *Model) path(mnt, dentry *kernel.Field, obj uint64) (string, error) {
	at, err1 := mnt.Uint(m.k, obj)
	entry, err2 := dentry.Uint(m.k, obj)
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	return m.paths.At(at, entry)
}

// Node is a directory entry with its inode.
type Node struct {
	Dentry uint64
	Inode  uint64 // 0 if the entry is that of a file that does not exist
	Super  uint64 // super_block
	Mode   uint32 // inode.i_mode
	// Path from the root of the mount namespace; for what has none, a name such
	// as "[eventfd]"; for sockets, that of the protocol.
	Path string
	// Mapping and Pages are the page cache of the inode.
	Mapping uint64
	Pages   uint64
}

// Type is the type of the inode: REG, DIR, CHR, BLK, FIFO, SOCK, LNK, UNKN, or
// N/A without one.
func (n *Node) Type() string {
	if n.Inode == 0 {
		return "N/A"
	}
	if s, ok := types[n.Mode&modeType]; ok {
		return s
	}
	return "UNKN"
}

// File types in i_mode (include/uapi/linux/stat.h).
const (
	modeType   = 0o170000
	modeSocket = 0o140000
)

var types = map[uint32]string{
	0o010000: "FIFO", 0o020000: "CHR", 0o040000: "DIR", 0o060000: "BLK",
	0o100000: "REG", 0o120000: "LNK", modeSocket: "SOCK",
}

// OpenFile is a descriptor of a task.
type OpenFile struct {
	FD   int
	File uint64 // struct file
	Node
}

// maxDescriptors is what fs.nr_open can be set to, more or less.
const maxDescriptors = 1 << 26

// Files yields the open files of the task whose task_struct is at addr, by
// descriptor. A file comes with the error of what cannot be read of it.
func (m *Model) Files(addr uint64) iter.Seq2[OpenFile, error] {
	return func(yield func(OpenFile, error) bool) {
		fail := func(err error) bool {
			return yield(OpenFile{FD: -1}, fmt.Errorf("open files of task %#x: %w", addr, err))
		}
		files, err := m.n.Files.Uint(m.k, addr)
		if err == nil && files == 0 {
			return
		}
		var table, array, open, size uint64
		if err == nil {
			table, err = m.n.Table.Uint(m.k, files)
		}
		if err == nil {
			var err1, err2, err3 error
			array, err1 = m.n.FD.Uint(m.k, table)
			open, err2 = m.n.Open.Uint(m.k, table)
			size, err3 = m.n.Max.Uint(m.k, table)
			err = errors.Join(err1, err2, err3)
		}
		if err == nil && size > maxDescriptors {
			err = fmt.Errorf("a table of %d descriptors cannot be", size)
		}
		if err != nil {
			fail(err)
			return
		}
		for first := uint64(0); first < size; first += 64 {
			word, err := value.Word(m.k, open+first/8)
			if err != nil {
				if !fail(err) {
					return
				}
				// Of a table that is gone nothing follows; of a hole the rest does.
				first |= (1<<kernel.PageShift)*8 - 64
				continue
			}
			for ; word != 0; word &= word - 1 {
				fd := first + uint64(bits.TrailingZeros64(word))
				if fd >= size {
					break
				}
				f, err := m.file(array, fd)
				if f.File == 0 && err == nil {
					continue // reserved, not open yet
				}
				if !yield(f, err) {
					return
				}
			}
		}
	}
}

func (m *Model) file(array, fd uint64) (OpenFile, error) {
	f := OpenFile{FD: int(fd)}
	var err error
	if f.File, err = value.Word(m.k, array+fd*8); err != nil || f.File == 0 {
		return f, describe(&f, err)
	}
	mnt, err1 := m.n.FileMnt.Uint(m.k, f.File)
	dentry, err2 := m.n.FileDentry.Uint(m.k, f.File)
	if err := errors.Join(err1, err2); err != nil {
		return f, describe(&f, err)
	}
	f.Node, err = m.node(mnt, dentry)
	return f, describe(&f, err)
}

func describe(f *OpenFile, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("descriptor %d, file %#x: %w", f.FD, f.File, err)
}

// node reads a directory entry; mnt is the vfsmount that it was reached by.
func (m *Model) node(mnt, dentry uint64) (Node, error) {
	n := Node{Dentry: dentry}
	inode, err := m.n.DInode.Uint(m.k, dentry)
	if err != nil {
		return n, err
	}
	super, err := m.n.DSuper.Uint(m.k, dentry)
	if err == nil && inode != 0 {
		err = m.inode(&n, inode)
	}
	n.Super = super
	var perr error
	if n.Mode&modeType == modeSocket && n.Inode != 0 {
		n.Path, perr = m.protocol(n.Inode)
	}
	if n.Path == "" && mnt != 0 {
		var other error
		n.Path, other = m.paths.At(mnt, dentry)
		perr = errors.Join(perr, other)
	}
	return n, errors.Join(err, perr)
}

// inode reads what is known of an inode into n.
func (m *Model) inode(n *Node, inode uint64) error {
	n.Inode = inode
	mode, err1 := m.n.Mode.Uint(m.k, inode)
	super, err2 := m.n.ISuper.Uint(m.k, inode)
	mapping, err3 := m.n.Mapping.Uint(m.k, inode)
	n.Mode, n.Super, n.Mapping = uint32(mode), super, mapping
	var err4 error
	if err3 == nil && mapping != 0 {
		n.Pages, err4 = m.n.Pages.Uint(m.k, mapping)
	}
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return fmt.Errorf("inode %#x: %w", inode, err)
	}
	return nil
}
