package slab

import (
	"slices"
	"sync"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/walk"
)

// aliasNeeds lead from the directory /sys/kernel/slab to the names in it
// (mm/slub.c, sysfs_slab_alias): caches that were merged have a symbolic link for
// each of their names.
type aliasNeeds struct {
	Set      kernel.Sym   `need:"slab_kset"`
	Dir      kernel.Field `need:"kset.kobj.sd"`
	Kobj     kernel.Field `need:"kmem_cache.kobj"`
	Children kernel.Field `need:"kernfs_node.dir.children"`
	Node     kernel.Field `need:"kernfs_node.rb"`
	Name     kernel.Field `need:"kernfs_node.name"`
	Flags    kernel.Field `need:"kernfs_node.flags"`
	Priv     kernel.Field `need:"kernfs_node.priv"`
	Target   kernel.Field `need:"kernfs_node.symlink.target_kn"`
	Link     kernel.Enum  `need:"KERNFS_LINK"`
}

// aliases are the names of caches that were merged.
type aliases struct {
	once  sync.Once
	of    map[*Cache][]string
	cache map[string]*Cache
}

// Aliases are the other names of the cache, of those that were merged with it,
// by name; none if the kernel keeps no record of them.
func (c *Cache) Aliases() []string {
	c.m.loadAliases()
	return c.m.aliases.of[c]
}

// Named are the caches of a name, which may be that of a cache that was merged
// with another one.
func (m *Model) Named(name string) []*Cache {
	var list []*Cache
	for _, c := range m.caches {
		if c.Name == name {
			list = append(list, c)
		}
	}
	if list != nil {
		return list
	}
	m.loadAliases()
	if c := m.aliases.cache[name]; c != nil {
		list = append(list, c)
	}
	return list
}

// loadAliases reads the directory once. What cannot be read is left out: a name
// less is found, that is all.
func (m *Model) loadAliases() {
	m.aliases.once.Do(func() {
		m.aliases.of, m.aliases.cache = map[*Cache][]string{}, map[string]*Cache{}
		var n aliasNeeds
		if m.k.Bind(&n) != nil {
			return
		}
		set, err := value.Word(m.k, uint64(n.Set))
		if err != nil || set == 0 {
			return
		}
		dir, err := n.Dir.Uint(m.k, set)
		if err != nil || dir == 0 {
			return
		}
		for entry, err := range m.walker.RBTree(n.Children.At(dir), walk.InOrder) {
			if err != nil {
				continue
			}
			m.alias(&n, entry.Addr-uint64(n.Node.Offset))
		}
		for _, names := range m.aliases.of {
			slices.Sort(names)
		}
	})
}

// alias takes one entry of the directory, if it is a link to a cache of another
// name.
func (m *Model) alias(n *aliasNeeds, entry uint64) {
	flags, err := n.Flags.Uint(m.k, entry)
	if err != nil || flags&uint64(n.Link.Value) == 0 {
		return
	}
	target, err := n.Target.Uint(m.k, entry)
	if err != nil || target == 0 {
		return
	}
	kobj, err := n.Priv.Uint(m.k, target)
	if err != nil {
		return
	}
	c := m.byAddr[kobj-uint64(n.Kobj.Offset)]
	at, err := n.Name.Uint(m.k, entry)
	if err != nil || c == nil {
		return
	}
	if name := m.readName(at); name != "" && name != c.Name {
		m.aliases.of[c] = append(m.aliases.of[c], name)
		m.aliases.cache[name] = c
	}
}
