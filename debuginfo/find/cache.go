package find

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kdive/kdive/debuginfo/trust"
)

// SharedCache is the read-only directory that one user may fill for all.
const SharedCache = "/var/cache/kdive"

// Cache names the directories for files that are costly to make: unpacked
// kernels, indexes. Each kind of file has its sub-directory.
type Cache struct {
	Own    string // written and read; "" if there is none
	Shared string // only read; "" for none
	Public bool   // what is written to Own is for all users to read
	ownErr error  // why there is no Own
}

// NewCache decides where the cache is: the --cache option, then $KDIVE_CACHE,
// then kdive below $XDG_CACHE_HOME or ~/.cache (XDG Base Directory
// Specification). Nothing is created before Writable.
func NewCache(option string) Cache {
	c := Cache{Shared: SharedCache}
	own := option
	if own == "" {
		own = os.Getenv("KDIVE_CACHE")
	}
	if own == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			c.ownErr = err
			return c
		}
		own = filepath.Join(base, "kdive")
	}
	// A later change of directory must not move the cache.
	if c.Own, c.ownErr = filepath.Abs(own); c.ownErr != nil {
		c.Own = ""
	}
	return c
}

// NewPublicCache is a cache to fill for all users: that of NewCache, but with
// SharedCache, where all look, in place of the user's home.
func NewPublicCache(option string) Cache {
	if option == "" && os.Getenv("KDIVE_CACHE") == "" {
		option = SharedCache
	}
	c := NewCache(option)
	c.Public = true
	return c
}

// Readable lists the directories in which to look for files of one kind, the
// user's own first. They need not exist. Whoever opens a file there uses
// trust.Open.
func (c Cache) Readable(kind string) []string {
	var dirs []string
	for _, dir := range []string{c.Own, c.Shared} {
		if dir != "" {
			dirs = append(dirs, filepath.Join(dir, kind))
		}
	}
	return dirs
}

// Writable is the user's own directory for files of one kind, made if need be
// for the user alone, or for all to read if the cache is public. It is an error
// if others could write to it.
func (c Cache) Writable(kind string) (string, error) {
	if c.Own == "" {
		return "", fmt.Errorf("no cache directory: %w; name one with --cache or KDIVE_CACHE",
			errors.Join(c.ownErr, errUnset(c.ownErr)))
	}
	dir := filepath.Join(c.Own, kind)
	err := os.MkdirAll(dir, 0o700)
	for _, d := range []struct {
		path   string
		others os.FileMode
	}{{c.Own, 0o011}, {dir, 0o055}} { // what else there may be in the first is not listed
		if err == nil {
			err = trust.Dir(d.path)
		}
		if err == nil && c.Public {
			err = allow(d.path, d.others)
		}
	}
	if err != nil {
		return "", fmt.Errorf("cache directory: %w; name another with --cache or KDIVE_CACHE", err)
	}
	return dir, nil
}

// allow adds permissions to a file or directory of the user's own.
func allow(path string, more os.FileMode) error {
	st, err := os.Stat(path)
	if err != nil || st.Mode()&more == more {
		return err
	}
	return os.Chmod(path, st.Mode().Perm()|more)
}

func errUnset(known error) error {
	if known != nil {
		return nil
	}
	return errors.New("none is set")
}

// temporary names files being written. Writable directories hold nothing else
// that begins so.
const temporary = ".unfinished-"

// sweep removes what killed processes left behind. A file that is a day old is
// written by nobody any more.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		st, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), temporary) && st.Mode().IsRegular() && time.Since(st.ModTime()) > 24*time.Hour {
			_ = os.Remove(filepath.Join(dir, e.Name())) // housekeeping; somebody else may be first
		}
	}
}
