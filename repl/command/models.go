package command

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/kdive/kdive/identify"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/vfs"
)

// models are what the commands of a session share of the opened kernel.
type models struct {
	command atomic.Pointer[context.Context] // of the command that runs; nil if none does

	tasks    loaded[task.Table]
	slabs    loaded[slab.Model]
	identity loaded[identify.Model]
	tracer   loaded[tracer]
	files    loaded[vfs.Model]

	pages   loaded[mm.Pages]
	buddy   loaded[mm.Buddy]
	vmareas loaded[mm.VMAreas]
	owners  loaded[mm.Owners]
}

// loaded is a model, made when first needed, or why there is none. Who interrupts
// its making leaves that to the next.
type loaded[M any] struct {
	mu    sync.Mutex
	done  bool
	model *M
	err   error
}

func (l *loaded[M]) get(load func() (*M, error)) (*M, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.done {
		l.model, l.err = load()
		l.done = !errors.Is(l.err, context.Canceled)
	}
	return l.model, l.err
}

// fromInfo loads what takes no more than a kernel with debug info.
func fromInfo[M any](t *Target, load func(kernel.View) (*M, error)) (*M, error) {
	k, _, err := t.info()
	if err != nil {
		return nil, err
	}
	return load(k)
}

// tasks is the dump's task table. Of many tasks, on pages that are not in memory
// yet, it takes a while: who loads it may be interrupted.
func (t *Target) tasks() (*task.Table, error) {
	return t.models.tasks.get(func() (*task.Table, error) {
		return fromInfo(t, func(k kernel.View) (*task.Table, error) { return task.Load(t.context(), k) })
	})
}

// context is that of the command that runs. It is kept because the places that
// first need a model lie deep in operands and expressions.
func (t *Target) context() context.Context {
	if ctx := t.models.command.Load(); ctx != nil {
		return *ctx
	}
	return context.Background()
}

// interruptible lets what a command loads end with the command.
func (t *Target) interruptible(run func(context.Context, *repl.Call) error) func(context.Context, *repl.Call) error {
	return func(ctx context.Context, c *repl.Call) error {
		outer := t.models.command.Swap(&ctx)
		if outer != nil && (*outer).Err() != nil && ctx.Err() == nil {
			outer = nil // of a command that was left behind, which this one is no part of
		}
		defer t.models.command.CompareAndSwap(&ctx, outer)
		return run(ctx, c)
	}
}

// slabs is the model of the opened kernel's object caches.
func (t *Target) slabs() (*slab.Model, error) {
	return t.models.slabs.get(func() (*slab.Model, error) {
		k, _, err := t.info()
		if err != nil {
			return nil, err
		}
		return slab.Load(k)
	})
}

// files are the open files of the opened kernel's tasks.
func (t *Target) files() (*vfs.Model, error) {
	return t.models.files.get(func() (*vfs.Model, error) { return fromInfo(t, vfs.Load) })
}

// pages are the page structures of the opened kernel.
func (t *Target) pages() (*mm.Pages, error) {
	return t.models.pages.get(func() (*mm.Pages, error) { return fromInfo(t, mm.LoadPages) })
}

// buddy is the page allocator of the opened kernel.
func (t *Target) buddy() (*mm.Buddy, error) {
	return t.models.buddy.get(func() (*mm.Buddy, error) { return fromPages(t, mm.LoadBuddy) })
}

// vmareas are the areas of virtually contiguous memory of the opened kernel.
func (t *Target) vmareas() (*mm.VMAreas, error) {
	return t.models.vmareas.get(func() (*mm.VMAreas, error) { return fromInfo(t, mm.LoadVMAreas) })
}

// owners tell whose memory a page of the opened kernel is.
func (t *Target) owners() (*mm.Owners, error) {
	return t.models.owners.get(func() (*mm.Owners, error) { return fromPages(t, mm.LoadOwners) })
}

// fromPages loads what goes by page structures.
func fromPages[M any](t *Target, load func(kernel.View, *mm.Pages) (*M, error)) (*M, error) {
	pages, err := t.pages()
	if err != nil {
		return nil, err
	}
	return load(t.Opened.Kernel, pages)
}
