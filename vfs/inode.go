package vfs

import (
	"bytes"
	"fmt"
	"iter"

	"github.com/kdive/kdive/kernel"
)

// protocol is the name of the protocol that a socket speaks, "" if it has none.
func (m *Model) protocol(inode uint64) (string, error) {
	n := &m.n
	if !n.SocketInode.Present() || !n.SocketSock.Present() || !n.Proto.Present() || !n.ProtoName.Present() {
		return "", nil
	}
	sock, err := n.SocketSock.Uint(m.k, inode-uint64(n.SocketInode.Offset))
	if err != nil || sock == 0 {
		return "", err
	}
	proto, err := n.Proto.Uint(m.k, sock)
	if err != nil || proto == 0 {
		return "", err
	}
	name := make([]byte, max(0, min(n.ProtoName.Size(), 64)))
	if err := m.k.Read(name, n.ProtoName.At(proto)); err != nil {
		return "", fmt.Errorf("protocol of socket %#x: %w", inode, err)
	}
	name, _, _ = bytes.Cut(name, []byte{0})
	return string(name), nil
}

// initialNamespace is the mount namespace of the init process, 0 if not known.
func (m *Model) initialNamespace() uint64 {
	if m.n.InitProxy == 0 || !m.n.ProxyMount.Present() {
		return 0
	}
	ns, _ := m.n.ProxyMount.Uint(m.k, uint64(m.n.InitProxy)) // 0 if it cannot be read
	return ns
}

// Dentry reads the directory entry at addr. Its path is that in a mount of its
// file system, if possible one of the initial mount namespace.
func (m *Model) Dentry(addr uint64) (Node, error) {
	n, err := m.node(0, addr)
	if err != nil || n.Path != "" {
		return n, err
	}
	initial := m.initialNamespace()
	mounts := 0
	for mount, merr := range m.mounts(n.Super) {
		if merr != nil {
			return n, fmt.Errorf("mounts of super block %#x: %w", n.Super, merr)
		}
		path, perr := m.paths.At(m.n.Vfsmount.At(mount), addr)
		if err = perr; err != nil {
			continue
		}
		ns, _ := m.n.MountNS.Uint(m.k, mount) // 0 is none
		if n.Path == "" || ns == initial && ns != 0 {
			n.Path = path
		}
		if mounts++; ns == initial && ns != 0 || mounts == maxMounts {
			break
		}
	}
	if n.Path != "" {
		err = nil
	}
	return n, err
}

// maxMounts is how many mounts of one file system are tried.
const maxMounts = 1024

// mounts yields the mounts of a super block: a list, or a chain of pointers
// since 6.18.
func (m *Model) mounts(super uint64) iter.Seq2[uint64, error] {
	n := &m.n
	switch {
	case n.Mounts.Present() && n.NextMount.Present() && n.Mounts.Size() == 8:
		return func(yield func(uint64, error) bool) {
			mount, err := n.Mounts.Uint(m.k, super)
			for i := 0; err == nil && mount != 0 && i < maxMounts; i++ {
				if !yield(mount, nil) {
					return
				}
				mount, err = n.NextMount.Uint(m.k, mount)
			}
			if err != nil {
				yield(0, err)
			}
		}
	case n.Mounts.Present() && n.Instance.Present():
		return m.w.List(n.Mounts.At(super), n.Instance.Offset)
	}
	return func(yield func(uint64, error) bool) {
		yield(0, &kernel.MissingError{Needs: []string{"super_block.s_mounts", "mount.mnt_instance|mount.mnt_next_for_sb"}})
	}
}

// Inode reads the inode at addr; the Node has no directory entry and no path.
func (m *Model) Inode(addr uint64) (Node, error) {
	var n Node
	err := m.inode(&n, addr)
	return n, err
}

// CachedPage is an entry of a file's page cache.
type CachedPage struct {
	Index, Last uint64 // pages of the file that it covers
	Page        uint64 // struct page
}

// CachedPages yields the page cache of an address_space by index. Pages that
// were reclaimed or swapped out are not in it.
func (m *Model) CachedPages(mapping uint64) iter.Seq2[CachedPage, error] {
	return func(yield func(CachedPage, error) bool) {
		if mapping == 0 {
			return
		}
		for e, err := range m.w.Indexed(m.n.Tree.At(mapping)) {
			const marks = 3 // bits of an exceptional entry
			if err == nil && e.Raw&marks != 0 {
				continue
			}
			if err != nil {
				err = fmt.Errorf("page cache at %#x: %w", mapping, err)
			}
			if !yield(CachedPage{e.Index, e.Last, e.Raw}, err) {
				return
			}
		}
	}
}
