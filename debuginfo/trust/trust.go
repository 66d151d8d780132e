// Package trust decides whether a file found in a cache may be believed.
//
// On a host that several people share, a cached file steers what a debugger
// shows and which bytes it follows. So a file counts only if root or the user
// owns it and its directory, and nobody else can write to either. The package
// knows ownership and modes and not what the files are for. Start from Open to
// read, from Dir before writing.
package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrUntrusted is in the error chain where a file or directory exists and
// somebody else could have written to it.
var ErrUntrusted = errors.New("not trusted")

// Open opens a regular file for reading, if it and its directory can be
// trusted. What was checked is what is opened: both checks are made on open
// descriptors, and the last element of path must not be a symbolic link.
// A missing file is fs.ErrNotExist as usual.
func Open(path string) (*os.File, error) {
	dir, err := openDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	// O_NONBLOCK: a FIFO must not stop us before its type is seen.
	fd, err := unix.Openat(dir, filepath.Base(path), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, untrusted(path, "it is a symbolic link")
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	if err := check(fd, path, unix.S_IFREG); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// File says whether Open would succeed; nil if so.
func File(path string) error {
	f, err := Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// Dir says whether files in a directory can be trusted as far as the directory
// goes: root or the user owns it, and nobody else can write to it. A symbolic
// link is followed, for the directory that it leads to is what is checked.
func Dir(path string) error {
	fd, err := openDir(path)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func openDir(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	if err := check(fd, path, unix.S_IFDIR); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// check looks at an open file. An access control list needs no look of its own:
// while there is one, the group bits of the mode are the most it can grant.
func check(fd int, path string, kind uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	switch me := uint32(os.Geteuid()); {
	case st.Mode&unix.S_IFMT != kind && kind == unix.S_IFREG:
		return untrusted(path, "it is not a regular file")
	case st.Mode&unix.S_IFMT != kind:
		return untrusted(path, "it is not a directory")
	case st.Uid != 0 && st.Uid != me:
		return untrusted(path, fmt.Sprintf("user %d owns it, neither root nor user %d", st.Uid, me))
	case st.Mode&0o022 != 0:
		return untrusted(path, fmt.Sprintf("others can write to it (mode %04o)", st.Mode&0o7777))
	}
	return nil
}

func untrusted(path, why string) error {
	return fmt.Errorf("%s: %w: %s", path, ErrUntrusted, why)
}
