package kdump

import (
	"runtime"
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
	shards [cacheShards]cacheShard
	sets   uint64 // in each shard, a power of two
}

type cacheShard struct {
	mu   sync.Mutex
	sets []cacheSet // nil until the first page comes
}

// cacheSet holds the pages whose numbers hash alike, the last used first.
type cacheSet struct {
	pfn  [cacheWays]uint64 // plus one; 0 is empty
	page [cacheWays][]byte
}

func (c *cache) init(pages uint64) {
	for c.sets = 1; c.sets*cacheShards*cacheWays < pages; {
		c.sets *= 2
	}
}

// place returns the shard of a page and the index of its set there.
func (c *cache) place(pfn uint64) (*cacheShard, uint64) {
	h := pfn * 0x9e3779b97f4a7c15 >> 32 // Fibonacci hashing
	return &c.shards[h%cacheShards], h / cacheShards % c.sets
}

// get copies from a page at offset in, if the cache has the page.
func (c *cache) get(dst []byte, pfn, in uint64) bool {
	shard, at := c.place(pfn)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sets == nil {
		return false
	}
	s := &shard.sets[at]
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
	shard, at := c.place(pfn)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sets == nil {
		shard.sets = make([]cacheSet, c.sets)
	}
	s := &shard.sets[at]
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

// parallelPages is the length in pages from which a read is shared out among
// the processors.
const parallelPages = 16

// ReadPhys fills p from physical address paddr on, through the shared cache.
// At the first page that cannot be read it stops with a *fault.Error; the
// bytes before are valid.
func (im *Image) ReadPhys(p []byte, paddr uint64) error {
	workers := min(runtime.GOMAXPROCS(0), len(p)/(parallelPages/2*PageSize))
	if len(p) < parallelPages*PageSize || workers < 2 {
		return im.readPages(p, paddr)
	}
	share := (len(p)/workers + PageSize - 1) / PageSize * PageSize
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		from := min(i*share, len(p))
		to := min(from+share, len(p))
		wg.Go(func() { errs[i] = im.readPages(p[from:to], paddr+uint64(from)) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err // of the first share that has one: all before it is read
		}
	}
	return nil
}

// readPages is ReadPhys on one processor.
func (im *Image) readPages(p []byte, paddr uint64) error {
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
