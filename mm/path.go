package mm

import (
	"errors"
	"fmt"
	"strings"
	"sync"

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
	k    kernel.View
	once sync.Once
	n    pathNeeds
	err  error
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
	p.once.Do(func() { p.err = p.k.Bind(&p.n) })
	if p.err != nil {
		return "", p.err
	}
	mnt, err1 := p.n.Mnt.Uint(p.k, addr)
	dentry, err2 := p.n.Dentry.Uint(p.k, addr)
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
	p.once.Do(func() { p.err = p.k.Bind(&p.n) })
	if p.err != nil {
		return "", p.err
	}
	return p.path(vfsmount-uint64(p.n.Vfsmount.Offset), dentry)
}

// path walks up from a directory entry. With an error it returns the part of
// the path that was read.
func (p *Paths) path(mount, dentry uint64) (string, error) {
	var parts []string
	joined := func() string {
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
		return strings.Join(parts, "/")
	}
	for range maxElements {
		root, err1 := p.n.Root.Uint(p.k, p.n.Vfsmount.At(mount))
		parent, err2 := p.n.Parent.Uint(p.k, dentry)
		if err := errors.Join(err1, err2); err != nil {
			return joined(), err
		}
		if dentry != root && dentry != parent {
			name, err := p.name(dentry)
			if err != nil {
				return joined(), err
			}
			parts = append(parts, name)
			dentry = parent
			continue
		}
		if dentry != root {
			// Sockets, pipes, anonymous memory: an entry of its own, in no tree.
			name, err := p.name(dentry)
			if len(parts) > 0 {
				name = strings.TrimSuffix(name, "/") // that of an entry without a known parent
			}
			parts = append(parts, name)
			return joined(), err
		}
		up, err1 := p.n.MntParent.Uint(p.k, mount)
		point, err2 := p.n.Mountpoint.Uint(p.k, mount)
		ns, err3 := p.n.Namespace.Uint(p.k, mount)
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

func (p *Paths) name(dentry uint64) (string, error) {
	addr, err1 := p.n.Name.Uint(p.k, dentry)
	size, err2 := p.n.NameLen.Uint(p.k, dentry)
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	b := make([]byte, min(size, maxName))
	if err := p.k.Read(b, addr); err != nil {
		return "", fmt.Errorf("name of directory entry %#x: %w", dentry, err)
	}
	return string(b), nil
}
