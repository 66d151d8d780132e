package hostile

// What slub_debug writes around and into objects (include/linux/poison.h).
const (
	redInactive, redActive = 0xbb, 0xcc
	poisonFree, poisonEnd  = 0x6b, 0xa5
	poisonInUse            = 0x5a
)

func (h *heap) byteAt(addr uint64) byte { return byte(h.word(addr)) }

// guarded damages one byte of an object's surroundings: where says which, if it has the content that
// it must have.
func guarded(name, rules string, where func(h *heap, s *heapSlab, obj uint64) (uint64, bool)) damageClass {
	return damageClass{name, rules, func(h *heap) *damage {
		for range 20000 {
			s := h.slab(func(s *heapSlab) bool { return s.objects > 0 && s.cache.pad > 0 })
			if s == nil {
				return nil
			}
			if at, ok := where(h, s, h.object(s)); ok {
				return s.damage(write{at, []byte{h.byteAt(at) ^ '/' ^ '\\'}})
			}
		}
		return nil
	}}
}

func red(b byte) bool { return b == redInactive || b == redActive }

// debugClasses damage what slub_debug=FZPU adds.
var debugClasses = []damageClass{
	guarded("left red zone", "redzone-left", func(h *heap, s *heapSlab, obj uint64) (uint64, bool) {
		at := obj - 1 - h.r.Uint64N(s.cache.pad)
		return at, red(h.byteAt(at))
	}),
	guarded("right red zone", "redzone-right", func(h *heap, s *heapSlab, obj uint64) (uint64, bool) {
		if s.cache.inuse <= s.cache.objsize {
			return 0, false
		}
		at := obj + s.cache.objsize + h.r.Uint64N(s.cache.inuse-s.cache.objsize)
		return at, red(h.byteAt(at))
	}),
	guarded("poison of a free object", "poison", func(h *heap, s *heapSlab, obj uint64) (uint64, bool) {
		at := obj + h.r.Uint64N(s.cache.objsize-1)
		return at, h.byteAt(obj-1) == redInactive && h.byteAt(obj) == poisonFree && h.byteAt(at) == poisonFree && h.byteAt(obj+s.cache.objsize-1) == poisonEnd
	}),
	guarded("last byte of the poison", "poison-end", func(h *heap, s *heapSlab, obj uint64) (uint64, bool) {
		return obj + s.cache.objsize - 1, h.byteAt(obj-1) == redInactive && h.byteAt(obj) == poisonFree && h.byteAt(obj+s.cache.objsize-1) == poisonEnd
	}),
	guarded("padding of an object", "padding-object|padding-align", func(h *heap, s *heapSlab, obj uint64) (uint64, bool) {
		at := obj - s.cache.pad + s.cache.size - 1
		return at, h.byteAt(at) == poisonInUse
	}),
	guarded("padding of a slab", "padding-slab", func(h *heap, s *heapSlab, obj uint64) (uint64, bool) {
		rest := s.bytes - s.objects*s.cache.size
		if rest == 0 {
			return 0, false
		}
		at := s.base + s.objects*s.cache.size + h.r.Uint64N(rest)
		return at, h.byteAt(at) == poisonInUse
	}),
	guarded("address in a track", "track", func(h *heap, s *heapSlab, obj uint64) (uint64, bool) {
		at := obj + s.cache.inuse
		if s.cache.offset >= s.cache.objsize {
			at += 8
		}
		_, _, ok := h.k.SymbolAt(h.word(at))
		return at + 5, ok && h.word(at) > 1<<63
	}),
}
