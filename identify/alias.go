package identify

import (
	"cmp"
	"context"
	"slices"
	"sort"

	"github.com/kdive/kdive/kernel"
)

// maxAliases bounds what is remembered of the kernel's mappings.
const maxAliases = 1 << 20

// mappedAt is the address outside the direct map and the image of physical
// memory that is mapped elsewhere, too; the lowest of several.
func (m *Model) mappedAt(paddr uint64) (uint64, bool) {
	m.aliasOnce.Do(m.loadAliases)
	i := sort.Search(len(m.aliases), func(i int) bool { return m.aliases[i].Paddr > paddr })
	// Extents may overlap: the one that begins nearest in front is taken.
	if i == 0 || paddr-m.aliases[i-1].Paddr >= m.aliases[i-1].Size {
		return 0, false
	}
	e := &m.aliases[i-1]
	return e.Vaddr + paddr - e.Paddr, true
}

func (m *Model) loadAliases() {
	for _, z := range m.k.Zones() {
		if z.Kind != kernel.ZoneDynamic && z.Kind != kernel.ZoneModules {
			continue
		}
		for e, err := range m.k.Extents(context.Background(), z, z.Start, z.Last) {
			if err != nil {
				continue
			}
			if m.aliases = append(m.aliases, e); len(m.aliases) >= maxAliases {
				break
			}
		}
	}
	slices.SortStableFunc(m.aliases, func(a, b kernel.Extent) int {
		return cmp.Or(cmp.Compare(a.Paddr, b.Paddr), cmp.Compare(b.Vaddr, a.Vaddr))
	})
}
