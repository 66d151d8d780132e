package kdump

import (
	"sync"
)

// DefaultCachePages is how many decompressed pages an Image keeps: 64 MiB when
// all are in use.
const DefaultCachePages = 16384

const (
	cacheWays   = 4
	cacheShards = 64
)

// cache keeps decompressed pages: a set-associative table, locked by shards.
// Locks are held for copying only, never while a page is decompressed, so that
// buffers can go round between slots and readers.
type cache struct {
	shards [cacheShards]sync.Mutex
	sets   []cacheSet
	shift  uint
}

// cacheSet holds the pages whose numbers hash alike, the last used first.
type cacheSet struct {
	pfn  [cacheWays]uint64 // plus one; 0 is empty
	page [cacheWays][]byte
}

func (c *cache) init(pages int) {
	c.shift = 64
	for n := 1; n*cacheWays < pages; n *= 2 {
		c.shift--
	}
	c.sets = make([]cacheSet, 1<<(64-c.shift))
}

// set returns the set of a page and the lock of its shard.
func (c *cache) set(pfn uint64) (*cacheSet, *sync.Mutex) {
	i := pfn * 0x9e3779b97f4a7c15 >> c.shift // Fibonacci hashing
	return &c.sets[i], &c.shards[i%cacheShards]
}

// get copies from a page at offset in, if the cache has the page.
func (c *cache) get(dst []byte, pfn, in uint64) bool {
	s, mu := c.set(pfn)
	mu.Lock()
	defer mu.Unlock()
	for i := range s.pfn {
		if s.pfn[i] == pfn+1 {
			s.promote(i)
			copy(dst, s.page[0][in:])
			return true
		}
	}
	return false
}

// put takes over the buffer page and returns one for the next page, or nil.
func (c *cache) put(pfn uint64, page []byte) []byte {
	s, mu := c.set(pfn)
	mu.Lock()
	defer mu.Unlock()
	last := cacheWays - 1
	for i := range s.pfn {
		if s.pfn[i] == pfn+1 {
			return page // another reader was faster
		}
	}
	old := s.page[last]
	s.pfn[last], s.page[last] = pfn+1, page
	s.promote(last)
	return old
}

// promote moves slot i to the front.
func (s *cacheSet) promote(i int) {
	pfn, page := s.pfn[i], s.page[i]
	copy(s.pfn[1:i+1], s.pfn[:i])
	copy(s.page[1:i+1], s.page[:i])
	s.pfn[0], s.page[0] = pfn, page
}

// ReadPhys fills p from physical address paddr on, through the shared cache.
// At the first page that cannot be read it stops with a *fault.Error; the
// bytes before are valid.
func (im *Image) ReadPhys(p []byte, paddr uint64) error {
	return eachPage(p, paddr, func(chunk []byte, pfn, in uint64) error {
		if im.cache.get(chunk, pfn, in) {
			return nil
		}
		r := im.readers.Get().(*Reader)
		defer im.readers.Put(r)
		if r.page == nil {
			r.page = make([]byte, PageSize)
		}
		if err := r.Page(r.page, pfn); err != nil {
			return err
		}
		copy(chunk, r.page[in:])
		r.page = im.cache.put(pfn, r.page)
		return nil
	})
}
