// Package slabcheck looks for contradictions in the kernel's object allocators.
//
// Check goes through all caches, in parallel, and reports each breach of a rule as a
// rules.Finding with what is in memory, what should be there, and how sure it is; one
// broken slab never stops the next. Here are the slabs that pages show, who holds them,
// and what counts them. What can be told apart from that has packages of its own: rules
// is the vocabulary, shape the members of a cache, chain lists that break, poison what
// is written around objects. All of them know SLUB and SLAB as package slab reads them,
// and nothing of what objects mean, of stacks, nor of text. Start from Check.
package slabcheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/chain"
	"github.com/kdive/kdive/slabcheck/poison"
	"github.com/kdive/kdive/slabcheck/rules"
	"github.com/kdive/kdive/slabcheck/shape"
)

// Options of Check.
type Options struct {
	Caches []*slab.Cache // to check; nil: all
	// Frames are what the CPUs ran when they were stopped, asked for only if a
	// finding may be an update that was interrupted. It may be nil.
	Frames   func() []Frame
	Progress func(done, total int)
}

// Frame is a function of the allocator that a CPU was in.
type Frame struct {
	CPU      int
	Function string
	PC       uint64
	Words    []uint64 // its registers and what it has on the stack
}

// Report is what Check found.
type Report struct {
	Findings []*rules.Finding // by cache in the order of the kernel's list, by address in a cache
	Omitted  int              // findings beyond the limit for each rule and cache
	Caches   int
	Slabs    int
	Objects  int // in those slabs
	Free     int // of them, on lists
	Pending  int // slabs that wait for RCU to be freed
	Unread   int // pages, lists and objects that the dump does not have
	UnreadAt []error
}

// perRule bounds the findings of one rule in one cache.
const perRule = 200

// Check checks caches. The error is that of a canceled context or of what every
// rule needs; what a single rule cannot read is counted as unread.
func Check(ctx context.Context, k slab.Memory, m *slab.Model, opt Options) (*Report, error) {
	ck := &checker{k: k, m: m, opt: opt, slub: m.Allocator() == "SLUB"}
	if err := ck.load(); err != nil {
		return nil, err
	}
	ck.loadZones()
	if err := ck.scan(ctx); err != nil {
		return nil, err
	}
	ck.vote()
	ck.checkCacheList()
	if opt.Caches == nil {
		ck.written.Guards(func(f rules.Finding) { ck.findings = append(ck.findings, &f) }, func(err error) {
			ck.unread++
			ck.unreadAt = append(ck.unreadAt, err)
		})
	}
	caches := make([]*cacheCheck, 0, len(ck.caches))
	for _, c := range ck.caches {
		if opt.Caches == nil || slices.Contains(opt.Caches, c.Cache) {
			caches = append(caches, c)
		}
	}
	if err := ck.run(ctx, caches); err != nil {
		return nil, err
	}
	return ck.report(caches), ctx.Err()
}

// checker is one run of Check.
type checker struct {
	k       slab.Memory
	m       *slab.Model
	lists   *chain.Lists
	opt     Options
	slub    bool
	n       needs
	sub     subNeeds
	sal     salNeeds
	flags   slab.Flags
	shape   *shape.Kernel
	written *poison.Kernel
	cpus    []int

	caches  []*cacheCheck
	byCache map[*slab.Cache]*cacheCheck
	strays  []stray   // slabs of no cache
	zones   *zoneBits // nil: not known
	blind   bool      // page structures are missing in the dump: there may be more slabs
	common  common

	findings []*rules.Finding // of no cache
	omitted  int
	unread   int
	unreadAt []error
}

// cacheCheck is the check of one cache.
type cacheCheck struct {
	*slab.Cache
	*checker
	debug *poison.Cache
	order int
	slabs []slabRec

	roles     map[uint64]role   // where a slab is held, by address of its struct slab
	held      map[uint64]holder // free objects outside their slabs' lists
	sizeWrong bool              // no object is where it seems
	noNode    map[int]bool      // nodes whose structure is none
	moved     moved             // slabs that are the cache's and do not say so, or say so and are not
	over      int               // surplus, while counted
	counted   bool
	unmarked  []uint64     // frames of pages on its lists that are not marked as slabs
	broken    map[int]bool // nodes with a list that does not lead everywhere
	random    uint64       // what broken lists are mixed with, if it is not what the cache says

	mu       sync.Mutex
	findings []*rules.Finding
	count    map[*rules.Rule]int
	omitted  int
	free     int
	objects  int
	pending  int
	unread   int
	unreadAt []error
}

func (ck *checker) load() error {
	ck.n.Needs, ck.sub.SLUBNeeds, ck.sal.SLABNeeds = ck.m.Members()
	if err := ck.k.Bind(&ck.n); err != nil {
		return fmt.Errorf("slabcheck: %w", err)
	}
	var err error
	if ck.slub {
		err = ck.k.Bind(&ck.sub)
	} else {
		err = ck.k.Bind(&ck.sal)
	}
	if err != nil {
		return fmt.Errorf("slabcheck: %w", err)
	}
	if ck.lists, err = chain.NewLists(ck.k); err != nil {
		return fmt.Errorf("slabcheck: %w", err)
	}
	ck.flags = ck.m.Flags()
	if ck.cpus, err = ck.k.PossibleCPUs(); err != nil {
		return fmt.Errorf("slabcheck: %w", err)
	}
	if len(ck.cpus) == 0 {
		return errors.New("slabcheck: the kernel has no CPUs")
	}
	ck.shape = shape.New(ck.k, ck.m)
	ck.written = poison.New(ck.k, ck.m, ck.cpus[len(ck.cpus)-1])
	ck.byCache = map[*slab.Cache]*cacheCheck{}
	list, _ := ck.m.Caches()
	for i, c := range list {
		cc := &cacheCheck{Cache: c, checker: ck, debug: ck.written.Cache(c), order: i, roles: map[uint64]role{}, held: map[uint64]holder{},
			broken: map[int]bool{}, noNode: map[int]bool{}, moved: moved{}, count: map[*rules.Rule]int{}}
		ck.caches = append(ck.caches, cc)
		ck.byCache[c] = cc
	}
	return nil
}

// run checks the structures of all caches, then all slabs.
func (ck *checker) run(ctx context.Context, caches []*cacheCheck) error {
	total := 2 * len(caches)
	err := ck.parallel(ctx, len(caches), func(i int) {
		caches[i].structures()
		ck.progress(i, total)
	})
	if err != nil {
		return err
	}
	ck.claim(caches)
	type piece struct {
		c        *cacheCheck
		from, to int
	}
	const slabsAtOnce = 64
	var work []piece
	for _, c := range caches {
		if c.sizeWrong {
			continue
		}
		for i := 0; i < len(c.slabs); i += slabsAtOnce {
			work = append(work, piece{c, i, min(i+slabsAtOnce, len(c.slabs))})
		}
	}
	return ck.parallel(ctx, len(work), func(i int) {
		work[i].c.checkSlabs(work[i].from, work[i].to)
		ck.progress(len(caches)+i*len(caches)/len(work), total)
	})
}

func (ck *checker) progress(done, total int) {
	if ck.opt.Progress != nil {
		ck.opt.Progress(done, total)
	}
}

// report puts the findings in order.
func (ck *checker) report(caches []*cacheCheck) *Report {
	r := &Report{Findings: ck.findings, Omitted: ck.omitted, Unread: ck.unread, UnreadAt: ck.unreadAt, Caches: len(caches)}
	for _, c := range caches {
		slices.SortStableFunc(c.findings, func(a, b *rules.Finding) int {
			return cmp.Or(cmp.Compare(a.Page, b.Page), cmp.Compare(a.Object, b.Object), cmp.Compare(a.At, b.At), cmp.Compare(a.Rule.ID, b.Rule.ID))
		})
		r.Findings = append(r.Findings, c.findings...)
		r.Omitted += c.omitted
		r.Slabs += len(c.slabs)
		r.Objects += c.objects
		r.Free += c.free + len(c.held)
		r.Pending += c.pending
		r.Unread += c.unread
		r.UnreadAt = append(r.UnreadAt, c.unreadAt...)
	}
	ck.settle(r.Findings)
	for _, f := range r.Findings {
		f.Near = ck.neighbours(f)
	}
	return r
}

// maxUnread bounds the reasons that are kept of a cache.
const maxUnread = 20

// cannot counts what could not be read.
func (c *cacheCheck) cannot(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unread++; len(c.unreadAt) < maxUnread {
		c.unreadAt = append(c.unreadAt, fmt.Errorf("%s: %w", c.Name, err))
	}
}

// add takes a finding of the cache.
func (c *cacheCheck) add(f rules.Finding) {
	f.Cache = c.Cache
	if f.Slab != nil && f.Page == 0 {
		f.Page = f.Slab.Addr
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count[f.Rule]++; c.count[f.Rule] > perRule {
		c.omitted++
		return
	}
	c.findings = append(c.findings, &f)
}
