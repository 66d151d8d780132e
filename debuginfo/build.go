package debuginfo

import (
	"sync"

	"github.com/kdive/kdive/debuginfo/index"
	"github.com/kdive/kdive/debuginfo/scan"
)

// setUpIndex prepares the two indexes: that of symbols is there within
// milliseconds even if that of names has to be built.
func (in *Info) setUpIndex() {
	stored := sync.OnceValue(in.loadIndex)
	symbols := sync.OnceValues(in.sortSymbols)
	in.symIndex = sync.OnceValues(func() (*index.Index, error) {
		if x := stored(); x != nil {
			return x, nil
		}
		s, err := symbols()
		if err != nil {
			return nil, err
		}
		return index.Parse(index.Build(in.identity(), nil, s), in.identity())
	})
	in.index = sync.OnceValues(func() (*index.Index, error) {
		if x := stored(); x != nil {
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
func (in *Info) loadIndex() *index.Index { return nil }

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

// buildIndex scans everything. An object without symbols or without DWARF gets
// an index of what it has.
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
	in.mu.Lock()
	in.warn = append(in.warn, res.Warnings...)
	in.mu.Unlock()
	data := index.Build(in.identity(), res, syms)
	return index.Parse(data, in.identity())
}
