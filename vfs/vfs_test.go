package vfs

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
)

const decls = `
struct list_head { void *next; void *prev; };
struct path { void *mnt; void *dentry; };
struct fs_struct { int users; struct path root; struct path pwd; };
struct fdtable { unsigned int max_fds; void *fd; void *open_fds; };
struct files_struct { int count; void *fdt; };
struct task_struct { void *files; void *fs; };
struct file { int pad; struct path f_path; };
struct qstr { unsigned int hash; unsigned int len; char *name; };
struct dentry { void *d_parent; struct qstr d_name; void *d_inode; void *d_sb; };
struct xarray { int xa_lock; void *xa_head; };
struct xa_node { u8 shift; void *parent; void *slots[4]; };
struct address_space { struct xarray i_pages; unsigned long nrpages; };
struct inode { unsigned short i_mode; void *i_sb; void *i_mapping; };
struct super_block { struct list_head s_mounts; };
struct vfsmount { void *mnt_root; };
struct mount { void *mnt_parent; void *mnt_mountpoint; struct vfsmount mnt; struct list_head mnt_instance; void *mnt_ns; };
struct proto { int pad; char name[32]; };
struct sock_common { void *skc_prot; };
struct sock { struct sock_common __sk_common; };
struct socket { void *sk; };
struct socket_alloc { struct socket socket; struct inode vfs_inode; };`

const (
	taskAt  = 0x1000
	table   = 0x2000
	array   = 0x3000
	open    = 0x10000
	mountAt = 0x8000
	names   = 0x9000
)

// fake has one mount with the entries / and /a, and a socket.
func fake(t *testing.T) (*kerneltest.Kernel, *Model) {
	k := kerneltest.New(t, decls)
	dentry := func(at, parent uint64, name string, inode uint64) {
		k.Put(at, "dentry.d_parent", parent)
		k.Put(at, "dentry.d_name.len", uint64(len(name)))
		k.Put(at, "dentry.d_name.name", names+at)
		k.Bytes(names+at, []byte(name+"\x00"))
		k.Put(at, "dentry.d_inode", inode)
		k.Put(at, "dentry.d_sb", 0xa000)
	}
	dentry(0x5000, 0x5000, "/", 0x6000)
	dentry(0x5100, 0x5000, "a", 0x6100)
	dentry(0x5200, 0x5200, "TCP", 0x6200+k.Offset("socket_alloc.vfs_inode"))
	dentry(0x5300, 0x5300, "[eventfd]", 0x6300)
	for at, mode := range map[uint64]uint64{0x6000: 0o040755, 0x6100: 0o100644, 0x6200 + k.Offset("socket_alloc.vfs_inode"): 0o140777, 0x6300: 0o600} {
		k.Put(at, "inode.i_mode", mode)
		k.Put(at, "inode.i_mapping", 0x7000)
		k.Put(at, "inode.i_sb", 0xa000)
	}
	k.Put(0x7000, "address_space.nrpages", 2)
	k.Put(0x6200, "socket_alloc.socket.sk", 0xb000)
	k.Put(0xb000, "sock.__sk_common.skc_prot", 0xb100)
	k.Put(0xb100, "proto.name", 0)
	k.PutString(0xb100, "proto.name", "UNIX")
	k.Put(mountAt, "mount.mnt_parent", mountAt)
	k.Put(mountAt, "mount.mnt.mnt_root", 0x5000)
	k.Put(mountAt, "mount.mnt_ns", 0xffff888000000000)
	k.Link(0xa000+k.Offset("super_block.s_mounts"), mountAt+k.Offset("mount.mnt_instance"))

	file := func(fd int, at, dentry uint64) {
		k.Put(at, "file.f_path.mnt", mountAt+k.Offset("mount.mnt"))
		k.Put(at, "file.f_path.dentry", dentry)
		k.Words(array+uint64(fd)*8, at)
	}
	k.Put(taskAt, "task_struct.files", 0x1100)
	k.Put(0x1100, "files_struct.fdt", table)
	k.Put(table, "fdtable.max_fds", 256)
	k.Put(table, "fdtable.fd", array)
	k.Put(table, "fdtable.open_fds", open)
	k.Map(array, 256*8)
	file(0, 0xc000, 0x5100)
	file(3, 0xc100, 0x5200)
	k.Words(array+5*8, 0xbad0000)
	file(70, 0xc200, 0x5300)
	k.Words(open, 1|1<<3|1<<5|1<<9, 1<<6, 0, 0) // 9 is reserved: no file yet
	m, err := Load(k)
	if err != nil {
		t.Fatal(err)
	}
	return k, m
}

func list(m *Model) (got []string, errs []error) {
	for f, err := range m.Files(taskAt) {
		got = append(got, fmt.Sprintf("%d %x %s %s", f.FD, f.File, f.Type(), f.Path))
		if err != nil {
			errs = append(errs, err)
		}
	}
	return got, errs
}

func TestFiles(t *testing.T) {
	k, m := fake(t)
	got, errs := list(m)
	if want := []string{"0 c000 REG /a", "3 c100 SOCK UNIX", "5 bad0000 N/A ", "70 c200 UNKN [eventfd]"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if len(errs) != 1 || fault.ReasonOf(errs[0]) != fault.Unmapped {
		t.Errorf("errors %v", errs)
	}
	k.Fail(open, fault.Excluded)
	if got, errs := list(m); len(errs) != 1 || fault.ReasonOf(errs[0]) != fault.Excluded {
		t.Errorf("%q, %v", got, errs)
	}
	k.Put(table, "fdtable.max_fds", 0xffffffff)
	if got, errs := list(m); len(got) != 1 || len(errs) != 1 {
		t.Errorf("%q, %v", got, errs)
	}
	k.Put(taskAt, "task_struct.files", 0)
	if got, errs := list(m); got != nil || errs != nil {
		t.Errorf("a task without files: %q, %v", got, errs)
	}
}

func TestDirectories(t *testing.T) {
	k, m := fake(t)
	if d, err := m.Directories(taskAt); d != nil || err != nil {
		t.Errorf("%v, %v", d, err)
	}
	k.Put(taskAt, "task_struct.fs", 0x1200)
	for _, which := range []string{"root", "pwd"} {
		k.Put(0x1200, "fs_struct."+which+".mnt", mountAt+k.Offset("mount.mnt"))
		k.Put(0x1200, "fs_struct."+which+".dentry", 0x5000)
	}
	if d, err := m.Directories(taskAt); err != nil || d.Root != "/" || d.CWD != "/" {
		t.Errorf("%v, %v", d, err)
	}
	k.Put(0x1200, "fs_struct.pwd.dentry", 0xbad0000)
	if d, err := m.Directories(taskAt); fault.ReasonOf(err) != fault.Unmapped || d.Root != "/" {
		t.Errorf("%v, %v", d, err)
	}
}

func TestDentry(t *testing.T) {
	_, m := fake(t)
	if n, err := m.Dentry(0x5100); err != nil || n.Path != "/a" || n.Type() != "REG" || n.Super != 0xa000 {
		t.Errorf("%+v, %v", n, err)
	}
	if n, err := m.Dentry(0xbad0000); fault.ReasonOf(err) != fault.Unmapped {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestCachedPages(t *testing.T) {
	k, m := fake(t)
	n, err := m.Inode(0x6100)
	if err != nil || n.Pages != 2 || n.Mapping != 0x7000 {
		t.Fatalf("%+v, %v", n, err)
	}
	k.Put(0x7000, "address_space.i_pages.xa_head", 0xd000|2)
	k.Map(0xd000, 64)
	k.Words(0xd000+k.Offset("xa_node.slots"), 0xffffea0000000040, 17<<1|1, 0, 0xffffea0000000080)
	var got []string
	for p, err := range m.CachedPages(n.Mapping) {
		got = append(got, fmt.Sprintf("%d %x %v", p.Index, p.Page, err))
	}
	if want := []string{"0 ffffea0000000040 <nil>", "3 ffffea0000000080 <nil>"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
