package identify

import (
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/vfs"
)

// User is who uses a page.
type User struct {
	Path  string     // FilePage: of the file, "" if it is not known
	Vaddr uint64     // AnonPage: user virtual address of the place
	Task  *task.Task // AnonPage: a task that maps it there, nil if none was found
}

// UserAt is who uses the page that a place is in; ok is false if nothing is known
// beyond the page's owner.
func (m *Model) UserAt(p *Place) (User, bool) {
	switch p.Kind {
	case FilePage:
		path := m.pathOf(p.Page.Owner.Dentry)
		return User{Path: path}, path != ""
	case AnonPage:
		return m.mapper(p)
	}
	return User{}, false
}

// maxPaths bounds the names that are remembered.
const maxPaths = 1 << 16

// pathOf is the name of a directory entry, "" if it is not known.
func (m *Model) pathOf(dentry uint64) string {
	if dentry == 0 {
		return ""
	}
	m.filesOnce.Do(func() {
		if files, err := vfs.Load(m.k); err == nil {
			m.files = files
		}
	})
	if m.files == nil {
		return ""
	}
	m.typeMu.RLock()
	path, ok := m.paths[dentry]
	m.typeMu.RUnlock()
	if ok {
		return path
	}
	if n, err := m.files.Dentry(dentry); err == nil {
		path = n.Path
	}
	m.typeMu.Lock()
	defer m.typeMu.Unlock()
	if len(m.paths) >= maxPaths {
		clear(m.paths)
	}
	m.paths[dentry] = path
	return path
}

// mapper is the first task that maps a page of anonymous memory.
func (m *Model) mapper(p *Place) (User, bool) {
	pfn := p.Page.Paddr >> kernel.PageShift
	var first mm.Mapper
	for x, err := range m.pages.users.Mappers(p.Page.Owner, pfn) {
		if err == nil && x.Present {
			first = x
			break
		}
	}
	if !first.Present {
		return User{}, false
	}
	u := User{Vaddr: first.Vaddr + p.At&(kernel.PageSize-1)}
	if m.tasks() != nil {
		for _, x := range m.byMM[first.MM] {
			if u.Task == nil || x.IsLeader() {
				u.Task = x
			}
		}
	}
	return u, true
}
