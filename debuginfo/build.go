package debuginfo

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/kdive/kdive/debuginfo/index"
	"github.com/kdive/kdive/debuginfo/scan"
)

// setUpIndex prepares the two views of the index: symbols are there within
// milliseconds even if the names have to be collected first.
func (in *Info) setUpIndex() {
	in.stored = sync.OnceValue(in.loadIndex)
	symbols := sync.OnceValues(in.sortSymbols)
	in.symIndex = sync.OnceValues(func() (*index.Index, error) {
		if x := in.usable((*index.Index).CheckSymbols); x != nil {
			return x, nil
		}
		s, err := symbols()
		if err != nil {
			return nil, err
		}
		return index.Build(nil, s), nil
	})
	in.index = sync.OnceValues(func() (*index.Index, error) {
		if x := in.usable((*index.Index).Check); x != nil {
			return x, nil
		}
		return in.buildIndex(symbols)
	})
}

func (in *Info) identity() index.Identity {
	id := index.Identity{Fingerprint: in.dbg.Fingerprint(), BuildID: in.BuildID()}
	if in.file != in.dbg {
		for i, b := range in.file.Fingerprint() {
			id.Fingerprint[i] ^= b
		}
	}
	return id
}

// loadIndex is the stored index, or nil.
func (in *Info) loadIndex() *index.Index {
	if in.opt.Rebuild {
		return nil
	}
	x, err := index.Load(in.opt.IndexDirs, in.identity())
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			in.warning(fmt.Errorf("stored index not used: %w", err))
		}
		return nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.open = append(in.open, x)
	return x
}

// usable is the stored index if a part of it passes its check, else nil.
func (in *Info) usable(check func(*index.Index) error) *index.Index {
	x := in.stored()
	if x == nil {
		return nil
	}
	if err := guard(func() error { return check(x) }); err != nil {
		in.warning(fmt.Errorf("stored index not used: %w", err))
		return nil
	}
	return x
}

func (in *Info) warning(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.warn = append(in.warn, err)
}

func (in *Info) closeIndex() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	var errs []error
	for _, x := range in.open {
		errs = append(errs, x.Close())
	}
	in.open = nil
	return errors.Join(errs...)
}

func (in *Info) sortSymbols() (s *index.Symbols, err error) {
	err = guard(func() error {
		t, err := in.symtab()
		if err == nil {
			s = index.SortSymbols(t)
		}
		return err
	})
	return s, err
}

// buildIndex scans everything, and stores what it found behind the caller's
// back. An object without symbols gets an index of its DWARF.
func (in *Info) buildIndex(symbols func() (*index.Symbols, error)) (*index.Index, error) {
	d, err := in.sections()
	if err != nil {
		return nil, err
	}
	var syms *index.Symbols
	var wg sync.WaitGroup
	wg.Go(func() { syms, _ = symbols() }) // symbol look-ups report the error
	var progress func(int)
	if in.opt.Progress != nil {
		progress = func(done int) { in.opt.Progress(done, len(d.Info)) }
	}
	res, err := scan.Scan(d, guard, progress)
	wg.Wait()
	if err != nil {
		return nil, err
	}
	for _, w := range res.Warnings {
		in.warning(w)
	}
	x := index.Build(res, syms)
	if in.opt.WriteDir != nil {
		in.jobs.Go(func() { in.store(x) })
	}
	return x, nil
}

// store writes the index. That it could not be kept is worth a warning only.
func (in *Info) store(x *index.Index) {
	dir, err := in.opt.WriteDir()
	if err == nil {
		err = x.Save(dir, in.identity(), in.opt.Shareable)
	}
	if err != nil {
		in.warning(fmt.Errorf("index not stored: %w", err))
	}
}
