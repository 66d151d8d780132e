// Package scan runs once over all of .debug_info, on all cores, and notes what
// has a name: types, enumerators, variables and functions.
//
// It knows DWARF's encoding and which entries matter, and nothing of how the
// result is kept. It looks at the top level of each unit, and into enumerations,
// and steps over everything else; each abbreviation, when it is first met, is
// turned into a short program of skips and loads, so that an entry costs tens of
// nanoseconds. A definition that thousands of units repeat (same name, same place in the
// source, same size) is noted once. Start from Scan.
package scan

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kdive/kdive/debuginfo/die"
)

// Kind is what a record names.
type Kind uint8

// The kinds of records. Their numbers are part of the stored index.
const (
	None Kind = iota
	Struct
	Union
	Enum
	Typedef
	Base
	Enumerator // Record.Off is the enumeration
	Variable
	Function
)

func (k Kind) String() string {
	return [...]string{"none", "struct", "union", "enum", "typedef", "base", "enumerator", "variable", "function"}[min(k, Function)]
}

// Flags of records. Their numbers are part of the stored index.
const (
	Declared = 1 << iota // a declaration only
	Located              // a variable with a location or value, a function with code
)

// Record is one named entry.
type Record struct {
	Hash  uint64     // digest of the name (die.Hash)
	Key   uint64     // equal for repetitions of the same definition, see Key
	Name  die.StrRef // where the name stands
	Off   uint32     // of the entry in .debug_info
	Kind  Kind
	Flags uint8
}

// Unit is what is worth keeping of a unit.
type Unit struct {
	Off, End      uint32
	Name, CompDir die.StrRef
	Ranges        []die.Range
}

// Result of a scan.
type Result struct {
	Units    []Unit // by offset
	Parts    [Parts][][]Record
	Warnings []error // units that were passed over and why
}

// Parts is how many parts the records of a scan are dealt to, by PartOf, so that they can
// be sorted a cache full at a time and on all cores. Those of a part come in pieces and in
// no order, with what several goroutines met repeated.
const Parts = 256

// PartOf is the part that names with a digest belong to: its first bits.
func PartOf(hash uint64) int { return int(hash >> 56) }

// maxWarnings bounds Result.Warnings.
const maxWarnings = 20

// Scan reads all units with as many goroutines as there are processors, each
// run under guard (which turns faults of mapped memory into errors). progress,
// if not nil, is told now and then how many bytes of .debug_info are done.
func Scan(d *die.Data, guard func(func() error) error, progress func(done int)) (*Result, error) {
	if uint64(len(d.Info)) > 1<<32 {
		return nil, fmt.Errorf(".debug_info has %d bytes: more than 4 GiB are not supported", len(d.Info))
	}
	res := &Result{}
	var heads []die.Header
	err := guard(func() error {
		for h, err := range d.Headers() {
			if err != nil {
				res.warn(err)
				continue
			}
			heads = append(heads, h)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	res.Units = make([]Unit, len(heads))
	var next, done atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range max(1, min(runtime.GOMAXPROCS(0), 16, len(heads)/8)) {
		wg.Go(func() {
			w := newWorker(d)
			err := guard(func() error {
				for i := next.Add(1) - 1; i < int64(len(heads)); i = next.Add(1) - 1 {
					h := heads[i]
					if err := w.unit(h, &res.Units[i]); err != nil {
						w.warnings = append(w.warnings[:min(len(w.warnings), maxWarnings)], err)
					}
					if progress != nil {
						progress(int(done.Add(int64(h.End - h.Off))))
					}
				}
				return nil
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil && failed == nil {
				failed = err
			}
			for i := range res.Parts {
				res.Parts[i] = append(res.Parts[i], w.records[i].list...)
			}
			if w.count >= maxRecords {
				res.warn(fmt.Errorf("more than %d names: some are left out", maxRecords))
			}
			for _, err := range w.warnings {
				res.warn(err)
			}
		})
	}
	wg.Wait()
	slices.SortFunc(res.Warnings, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return res, failed
}

func (r *Result) warn(err error) {
	if len(r.Warnings) < maxWarnings {
		r.Warnings = append(r.Warnings, err)
	}
}
