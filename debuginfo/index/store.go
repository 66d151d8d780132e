package index

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kdive/kdive/debuginfo/trust"
	"github.com/kdive/kdive/mapped"
)

// FileName is the name under which the index of an object is kept: readable
// build ID first, so that people can tell files apart.
func (id Identity) FileName() string {
	name := "no-build-id"
	if len(id.BuildID) > 0 {
		name = hex.EncodeToString(id.BuildID[:min(len(id.BuildID), maxBuildID)])
	}
	return name + "-" + hex.EncodeToString(id.Fingerprint[:8]) + ".index"
}

// Load maps the index of an object, from the first of the directories that has
// one which can be trusted and read. An index that is not usable, for whatever
// reason, is in the error; fs.ErrNotExist alone means that there is none.
func Load(dirs []string, id Identity) (*Index, error) {
	errs := []error{fs.ErrNotExist}
	for _, dir := range dirs {
		x, err := load(filepath.Join(dir, id.FileName()), id)
		if err == nil {
			return x, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if len(errs) > 1 {
		errs = errs[1:]
	}
	return nil, errors.Join(errs...)
}

func load(path string, id Identity) (x *Index, err error) {
	f, err := trust.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := mapped.File(f)
	if err != nil {
		return nil, err
	}
	err = mapped.Guard(func() error {
		x, err = Parse(m.Data, id)
		return err
	})
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	x.close = m.Close
	return x, nil
}

// Save writes an index made by Build into a directory, which must be one that
// only the user can write to. It is there completely or not at all, for the
// user alone or, if shared, for all to read.
func (x *Index) Save(dir string, id Identity, shared bool) error {
	if err := trust.Dir(dir); err != nil {
		return err
	}
	sweep(dir)
	f, err := os.CreateTemp(dir, temporary+"*")
	if err != nil {
		return err
	}
	err = x.write(f, id)
	if err == nil && shared {
		err = f.Chmod(0o644)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, id.FileName()))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// temporary begins the names of files that are being written.
const temporary = ".unfinished-"

// sweep removes what killed processes left behind a day ago or earlier.
func sweep(dir string) {
	names, err := filepath.Glob(filepath.Join(dir, temporary+"*"))
	if err != nil || strings.ContainsAny(dir, `*?[\`) {
		return
	}
	for _, name := range names {
		if st, err := os.Lstat(name); err == nil && st.Mode().IsRegular() && time.Since(st.ModTime()) > 24*time.Hour {
			_ = os.Remove(name) // housekeeping; somebody else may be first
		}
	}
}
