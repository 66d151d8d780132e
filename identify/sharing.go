package identify

import (
	"encoding/binary"
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/slab"
)

// candidates are the structures that objects of a shared cache may be of: by the
// name of the cache, and by the names of the variables that point to it.
func (m *Model) candidates(c *slab.Cache) []Typing {
	m.sharedOnce.Do(m.loadShared)
	m.typeMu.RLock()
	list, ok := m.shared[c]
	m.typeMu.RUnlock()
	if ok {
		return list
	}
	seen := map[*ctype.Type]bool{}
	add := func(name, why string) {
		for _, s := range structNames(name) {
			t, err := m.k.StructType(s)
			if s == "" || err != nil || t.Underlying().Kind() != ctype.Struct || seen[t] {
				continue
			}
			// Caches are merged if their objects take the same room.
			if size := t.Size(); size <= c.Size && size > c.Size-64-c.Size/8 {
				seen[t] = true
				list = append(list, Typing{Type: t, Why: why})
			}
		}
	}
	if !general(c) {
		add(c.Name, "cache "+c.Name)
	}
	for _, v := range m.cacheVariables[c.Addr] {
		add(v, fmt.Sprintf("%s points to the cache", v))
	}
	m.typeMu.Lock()
	m.shared[c] = list
	m.typeMu.Unlock()
	return list
}

// loadShared finds the variables of the image that point to caches.
func (m *Model) loadShared() {
	m.cacheVariables = map[uint64][]string{}
	slabs, r := m.slabModel(), m.pageReader()
	if slabs == nil || r == nil {
		return
	}
	const chunk = 1 << 16
	buf := make([]byte, chunk)
	for off := uint64(0); off < r.image.size; off += chunk {
		b := buf[:min(chunk, r.image.size-off)&^7]
		if m.k.Read(b, r.image.start+off) != nil {
			continue
		}
		for i := 0; i+8 <= len(b); i += 8 {
			v := binary.LittleEndian.Uint64(b[i:])
			if int64(v) >= 0 || slabs.Cache(v) == nil {
				continue
			}
			s, ok := m.k.FindSymbol(r.image.start + off + uint64(i))
			if ok && s.Addr == r.image.start+off+uint64(i) && s.Size == 8 && s.Type|0x20 != 't' {
				m.cacheVariables[v] = append(m.cacheVariables[v], s.Name)
			}
		}
	}
}
