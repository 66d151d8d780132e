package mm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/kernel"
)

type pathNeeds struct {
	Mnt        kernel.Field `need:"file.f_path.mnt"`
	Dentry     kernel.Field `need:"file.f_path.dentry"`
	Name       kernel.Field `need:"dentry.d_name.name"`
	NameLen    kernel.Field `need:"dentry.d_name.len"`
	Parent     kernel.Field `need:"dentry.d_parent"`
	Vfsmount   kernel.Field `need:"mount.mnt"`
	Root       kernel.Field `need:"vfsmount.mnt_root"`
	MntParent  kernel.Field `need:"mount.mnt_parent"`
	Mountpoint kernel.Field `need:"mount.mnt_mountpoint"`
	Namespace  kernel.Field `need:"mount.mnt_ns"`
}

// Paths finds the names of files.
type Paths struct {
	k kernel.View
	n kernel.Bound[pathNeeds]
}

// NewPaths prepares the finding of names.
func NewPaths(k kernel.View) *Paths { return &Paths{k: k} }

const (
	maxName     = 255  // NAME_MAX
	maxElements = 4096 // PATH_MAX / 1
)

// File is the path of the struct file at addr, from the root of the mount tree.
// A file on a mount that belongs to no namespace (shared memory, memfd, sockets)
// has a name without a leading slash.
func (p *Paths) File(addr uint64) (string, error) {
	n, err := p.n.Get(p.k)
	if err != nil {
		return "", err
	}
	mnt, err1 := n.Mnt.Uint(p.k, addr)
	dentry, err2 := n.Dentry.Uint(p.k, addr)
	if err := errors.Join(err1, err2); err != nil {
		return "", fmt.Errorf("file at %#x: %w", addr, err)
	}
	s, err := p.At(mnt, dentry)
	if err != nil {
		return s, fmt.Errorf("path of file at %#x: %w", addr, err)
	}
	return s, nil
}

// At is the path of a directory entry below a vfsmount, the two members of a
// struct path.
func (p *Paths) At(vfsmount, dentry uint64) (string, error) {
	n, err := p.n.Get(p.k)
	if err != nil {
		return "", err
	}
	return n.path(p.k, vfsmount-uint64(n.Vfsmount.Offset), dentry)
}

// path walks up from a directory entry. With an error it returns the part of
// the path that was read.
func (n *pathNeeds) path(k kernel.View, mount, dentry uint64) (string, error) {
	var parts []string
	joined := func() string {
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
		return strings.Join(parts, "/")
	}
	for range maxElements {
		root, err1 := n.Root.Uint(k, n.Vfsmount.At(mount))
		parent, err2 := n.Parent.Uint(k, dentry)
		if err := errors.Join(err1, err2); err != nil {
			return joined(), err
		}
		if dentry != root && dentry != parent {
			name, err := n.name(k, dentry)
			if err != nil {
				return joined(), err
			}
			parts = append(parts, name)
			dentry = parent
			continue
		}
		if dentry != root {
			// Sockets, pipes, anonymous memory: an entry of its own, in no tree.
			name, err := n.name(k, dentry)
			if len(parts) > 0 {
				name = strings.TrimSuffix(name, "/") // that of an entry without a known parent
			}
			parts = append(parts, name)
			return joined(), err
		}
		up, err1 := n.MntParent.Uint(k, mount)
		point, err2 := n.Mountpoint.Uint(k, mount)
		ns, err3 := n.Namespace.Uint(k, mount)
		if err := errors.Join(err1, err2, err3); err != nil {
			return joined(), err
		}
		if up == mount {
			if ns == 0 || int64(ns) < 0 && int64(ns) > -4096 { // none, or MNT_NS_INTERNAL
				return joined(), nil
			}
			return "/" + joined(), nil
		}
		mount, dentry = up, point
	}
	return joined(), fmt.Errorf("more than %d elements", maxElements)
}

func (n *pathNeeds) name(k kernel.View, dentry uint64) (string, error) {
	addr, err1 := n.Name.Uint(k, dentry)
	size, err2 := n.NameLen.Uint(k, dentry)
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	b := make([]byte, min(size, maxName))
	if err := k.Read(b, addr); err != nil {
		return "", fmt.Errorf("name of directory entry %#x: %w", dentry, err)
	}
	return string(b), nil
}
