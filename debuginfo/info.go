// Package debuginfo answers questions about one ELF object (a kernel or a
// module) from its symbol table and DWARF: which symbol, type, variable or
// function has a name, what a type looks like, which line an address is.
//
// All addresses are link-time addresses of the file; where a kernel was loaded
// is not its business. An index of names is built by one parallel scan, or
// taken from a cache directory where an earlier run left it; types, lines and
// entries are decoded when asked for. Start from Open. The packages below it:
// die (entries), line (line tables), scan (the pass over everything), index
// (what the pass found, in memory and on disk).
package debuginfo

import (
	"errors"
	"fmt"
	"sync"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/index"
	"github.com/kdive/kdive/debuginfo/line"
	"github.com/kdive/kdive/elffile"
	"github.com/kdive/kdive/mapped"
)

// Options of Open. The zero value uses no index on disk.
type Options struct {
	DebugPath string // separate debug file, if the object itself is stripped

	IndexDirs []string               // directories to look for a stored index in
	WriteDir  func() (string, error) // the directory to store a new index in, made if need be; nil to store none
	Rebuild   bool                   // do not use a stored index
	Shareable bool                   // let other users read the index that is stored

	// Progress is told how much of the debug info has been scanned, in bytes.
	// It is called from several goroutines.
	Progress func(done, total int)
}

// Info is one object with its debug info. Its methods may be called from many
// goroutines. Nothing got from it may be used after Close.
type Info struct {
	path string
	opt  Options
	file *elffile.File // the object
	dbg  *elffile.File // where symbols and DWARF are: file, or the separate file

	sections func() (*die.Data, error) // the DWARF sections, inflated if need be
	symtab   func() (*elffile.SymbolTable, error)
	symIndex func() (*index.Index, error)
	index    func() (*index.Index, error)
	stored   func() *index.Index // the index on disk, or nil
	jobs     sync.WaitGroup      // goroutines that Close waits for

	mu     sync.Mutex
	types  map[int]*ctype.Type // by offset in .debug_info
	defs   map[defName]*defSet
	units  map[int]*unit // by offset of the header
	ids    *line.FileIDs
	tables map[int]*line.Table // by offset of the unit
	rows   int                 // of tables
	files  int                 // file names of units
	warn   []error
	open   []*index.Index // indexes to close
}

// ErrNoDebugInfo is in the error chain where an object has no DWARF.
var ErrNoDebugInfo = errors.New("no debug info")

// Open opens the object at path. It reads headers only; the index is loaded or
// built when first needed, or in the background after Start.
func Open(path string, opt Options) (*Info, error) {
	f, err := elffile.Open(path)
	if err != nil {
		return nil, err
	}
	dbg := f
	if opt.DebugPath != "" {
		if dbg, err = elffile.Open(opt.DebugPath); err != nil {
			f.Close()
			return nil, err
		}
	}
	return newInfo(f, dbg, opt), nil
}

func newInfo(f, dbg *elffile.File, opt Options) *Info {
	in := &Info{
		path: f.Path, opt: opt, file: f, dbg: dbg,
		types: make(map[int]*ctype.Type), defs: make(map[defName]*defSet),
		units: make(map[int]*unit), tables: make(map[int]*line.Table),
	}
	in.sections = sync.OnceValues(in.loadSections)
	in.symtab = sync.OnceValues(in.dbg.Symbols)
	in.setUpIndex()
	return in
}

// Start loads or builds the index in the background.
func (in *Info) Start() {
	in.jobs.Go(func() { _, _ = in.index() }) // whoever needs it gets the error
}

// Wait is until the index is there, and stored if it had to be built.
func (in *Info) Wait() error {
	_, err := in.index()
	in.jobs.Wait()
	return err
}

// Close waits for an index that is being built, and gives everything back.
func (in *Info) Close() error {
	in.jobs.Wait()
	errs := []error{in.closeIndex()}
	if in.dbg != in.file {
		errs = append(errs, in.dbg.Close())
	}
	errs = append(errs, in.file.Close())
	return errors.Join(errs...)
}

// File is the object itself, for its sections and identity.
func (in *Info) File() *elffile.File { return in.file }

// BuildID is the build ID of the object, nil if it has none.
func (in *Info) BuildID() []byte {
	if id := in.file.BuildID(); id != nil {
		return id
	}
	return in.dbg.BuildID()
}

// Section is the contents of a section, relocated in a module; from the
// separate debug file if the object has no bytes for it.
func (in *Info) Section(name string) ([]byte, error) {
	for _, f := range []*elffile.File{in.file, in.dbg} {
		if s := f.Section(name); s.HasData() {
			return f.RelocatedData(s)
		}
	}
	return nil, fmt.Errorf("%s: no section %s", in.path, name)
}

// Warnings are sentences about debug info that had to be passed over.
func (in *Info) Warnings() []error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]error(nil), in.warn...)
}

// guard runs fn, which reads mapped memory.
func guard(fn func() error) error { return mapped.Guard(fn) }

func (in *Info) loadSections() (*die.Data, error) {
	var failed error
	get := func(name string) []byte {
		s := in.dbg.Section(name)
		if !s.HasData() {
			return nil
		}
		b, err := in.dbg.RelocatedData(s)
		if err != nil && failed == nil {
			failed = err
		}
		return b
	}
	d := die.New(die.Sections{
		Info: get(".debug_info"), Abbrev: get(".debug_abbrev"), Str: get(".debug_str"), LineStr: get(".debug_line_str"),
		StrOffsets: get(".debug_str_offsets"), Addr: get(".debug_addr"), Line: get(".debug_line"),
		Ranges: get(".debug_ranges"), RngLists: get(".debug_rnglists"), Loc: get(".debug_loc"), LocLists: get(".debug_loclists"),
	})
	if failed != nil {
		return nil, failed
	}
	if len(d.Info) == 0 || len(d.Abbrev) == 0 {
		return nil, fmt.Errorf("%s: %w", in.dbg.Path, ErrNoDebugInfo)
	}
	in.ids = line.NewFileIDs(&d.Sections)
	return d, nil
}
