package command

import (
	"sync"

	"github.com/kdive/kdive/mm"
)

// memoryModels are the models of package mm, each loaded when first needed.
type memoryModels struct {
	mu      sync.Mutex
	pages   loaded[mm.Pages]
	buddy   loaded[mm.Buddy]
	vmareas loaded[mm.VMAreas]
	owners  loaded[mm.Owners]
}

// loaded is a model, or why there is none.
type loaded[M any] struct {
	done  bool
	model *M
	err   error
}

func (l *loaded[M]) get(load func() (*M, error)) (*M, error) {
	if !l.done {
		l.model, l.err = load()
		l.done = true
	}
	return l.model, l.err
}

// pages are the page structures of the opened kernel.
func (t *Target) pages() (*mm.Pages, error) {
	k, _, err := t.info()
	if err != nil {
		return nil, err
	}
	t.memory.mu.Lock()
	defer t.memory.mu.Unlock()
	return t.memory.pages.get(func() (*mm.Pages, error) { return mm.LoadPages(k) })
}

// buddy is the page allocator of the opened kernel.
func (t *Target) buddy() (*mm.Buddy, error) {
	pages, err := t.pages()
	if err != nil {
		return nil, err
	}
	t.memory.mu.Lock()
	defer t.memory.mu.Unlock()
	return t.memory.buddy.get(func() (*mm.Buddy, error) { return mm.LoadBuddy(t.Opened.Kernel, pages) })
}

// vmareas are the areas of virtually contiguous memory of the opened kernel.
func (t *Target) vmareas() (*mm.VMAreas, error) {
	k, _, err := t.info()
	if err != nil {
		return nil, err
	}
	t.memory.mu.Lock()
	defer t.memory.mu.Unlock()
	return t.memory.vmareas.get(func() (*mm.VMAreas, error) { return mm.LoadVMAreas(k) })
}

// owners tell whose memory a page of the opened kernel is.
func (t *Target) owners() (*mm.Owners, error) {
	pages, err := t.pages()
	if err != nil {
		return nil, err
	}
	t.memory.mu.Lock()
	defer t.memory.mu.Unlock()
	return t.memory.owners.get(func() (*mm.Owners, error) { return mm.LoadOwners(t.Opened.Kernel, pages) })
}
