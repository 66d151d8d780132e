package identify

import (
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/kernel"
)

// Source is how a type is known.
type Source uint8

// Sources, the most reliable first.
const (
	FromDebugInfo Source = iota // a variable's declaration, or what kind of memory it is
	FromRegistry                // a table of the kernel has the object
	FromCache                   // the cache is of one structure: by name and size
	FromRule                    // who points to it says by another member what it points to
	FromContent                 // of a few structures it is the one that its contents agree with
	FromPointer                 // a pointer of that type points to it
)

var sourceNames = [...]string{"debug info", "registry", "cache", "rule", "content", "pointer"}

// String is the source in one or two words.
func (s Source) String() string { return sourceNames[min(int(s), len(sourceNames)-1)] }

// Typing is the type of what an address lies in.
type Typing struct {
	Type    *ctype.Type
	Array   bool // the object is an array of them
	Source  Source
	Certain bool   // else likely
	Why     string // the evidence in words
	Holder  uint64 // FromRule, FromPointer: the word that points to it
	Holders int    // FromRule, FromPointer: how many say so
	Against int    // how many say otherwise
}

// Name is the type as C spells it.
func (t *Typing) Name() string {
	if t.Array {
		return t.Type.Declare("[]")
	}
	return t.Type.String()
}

type symbolKey struct {
	module *kernel.Module
	addr   uint64
}

type memberKey struct {
	typ *ctype.Type
	off int64
}

// TypeAt is the type of the thing at a place; ok is false if it is not known.
func (m *Model) TypeAt(p *Place) (Typing, bool) {
	switch p.Kind {
	case Symbol, PerCPU:
		t, ok := m.symbolType(&p.Symbol)
		return t, ok && p.Offset() < t.Type.Size()
	case Object:
		return m.objectType(p)
	case PageStruct:
		return m.pageType(p)
	}
	return Typing{}, false
}

// pageType is struct page, or struct slab for the pages of slabs since that is a
// structure of its own.
func (m *Model) pageType(p *Place) (Typing, bool) {
	if v, ok := m.k.PhysToVirt(p.Page.Paddr); ok && m.slabModel() != nil {
		if o, ok := m.slabs.Find(v); ok && o.Slab.Addr == p.Base {
			if t, err := m.k.StructType("slab"); err == nil && t.Size() <= int64(p.Size) {
				return Typing{Type: t, Certain: true, Why: "the array of page structures; a page of " + o.Slab.Cache.Name}, true
			}
		}
	}
	t, err := m.k.StructType("page")
	return Typing{Type: t, Certain: true, Why: "the array of page structures"}, err == nil
}

// MemberAt is the member at a place within a thing of that type; ok is false
// where there is none.
func (m *Model) MemberAt(p *Place, t *Typing) (Member, bool) {
	off := p.Offset()
	if off < 0 {
		return Member{}, false
	}
	index := ""
	if size := t.Type.Size(); t.Array && size > 0 {
		index = fmt.Sprintf("[%d]", off/size)
		off %= size
	}
	f, ok := m.memberOf(t.Type, off)
	if index != "" && f.Path != "" {
		index += "."
	}
	f.Path = index + f.Path
	return f, ok
}

// maxMembers bounds what is remembered of members.
const maxMembers = 1 << 16

func (m *Model) memberOf(t *ctype.Type, off int64) (Member, bool) {
	key := memberKey{t, off}
	m.typeMu.RLock()
	f, ok := m.members[key]
	m.typeMu.RUnlock()
	if ok {
		return f, f.Type != nil
	}
	f, ok = MemberAt(t, off)
	m.typeMu.Lock()
	defer m.typeMu.Unlock()
	if len(m.members) >= maxMembers {
		clear(m.members)
	}
	m.members[key] = f
	return f, ok
}

// symbolType is the declared type of a variable.
func (m *Model) symbolType(s *kernel.Symbol) (Typing, bool) {
	key := symbolKey{s.Module, s.Addr}
	m.typeMu.RLock()
	t, ok := m.bySymbol[key]
	m.typeMu.RUnlock()
	if !ok {
		if v, found := m.variable(s); found && v.Type != nil && v.Type.Size() > 0 {
			t = Typing{Type: v.Type, Certain: true, Why: "declared in " + v.File}
		}
		m.typeMu.Lock()
		m.bySymbol[key] = t
		m.typeMu.Unlock()
	}
	return t, t.Type != nil
}

// variable is the variable that a symbol stands for.
func (m *Model) variable(s *kernel.Symbol) (debuginfo.Variable, bool) {
	info, link, err := m.k.InfoAt(s.Addr)
	if err != nil {
		return debuginfo.Variable{}, false
	}
	list, err := info.Variables(s.Name)
	if err != nil {
		return debuginfo.Variable{}, false
	}
	for _, v := range list {
		if v.HasAddr && v.Addr == link {
			return v, true
		}
	}
	return debuginfo.Variable{}, false
}

// objectType is the type of an object of a cache.
func (m *Model) objectType(p *Place) (Typing, bool) {
	c := p.Object.Slab.Cache
	byName, ok := m.cacheType(c)
	if ok && byName.Certain {
		return byName, true
	}
	m.registryOnce.Do(m.loadRegistry)
	if t, ok := m.registry[p.Base]; ok {
		return t, true
	}
	m.typeMu.RLock()
	t, learned := m.learned[p.Base]
	m.typeMu.RUnlock()
	if learned {
		return t, t.Type != nil
	}
	if m.merged(c) > 1 {
		t, learned = m.mergedType(c, p.Base)
	}
	if !learned && ok {
		t = byName
	}
	if ok || m.merged(c) > 1 {
		m.typeMu.Lock()
		if len(m.learned) < maxLearned {
			m.learned[p.Base] = t
		}
		m.typeMu.Unlock()
	}
	return t, t.Type != nil
}
