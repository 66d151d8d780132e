package find

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kdive/kdive/elffile"
)

// idPaths are the places of a debug file by build ID: the distributions' links
// and the download cache of elfutils' debuginfod client.
func (r *Request) idPaths(id []byte) []string {
	if len(id) < 2 {
		return nil
	}
	first, rest := hex.EncodeToString(id[:1]), hex.EncodeToString(id[1:])
	paths := []string{
		r.system("usr/lib/debug/.build-id", first, rest+".debug"),
		r.system("usr/lib/debug/.build-id", first, rest),
		r.system("usr/lib/.build-id", first, rest),
	}
	client := os.Getenv("DEBUGINFOD_CACHE_PATH")
	if base, err := os.UserCacheDir(); client == "" && err == nil {
		client = filepath.Join(base, "debuginfod_client")
	}
	if client != "" && r.Root == "" {
		paths = append(paths, filepath.Join(client, first+rest, "debuginfo"))
	}
	return paths
}

// separate finds the separate debug file of an ELF file without DWARF: by its
// build ID, or beside it and below /usr/lib/debug by its debug link (GDB
// manual, "Separate Debug Files"). place is the file whose directory counts:
// path itself, or what it was unpacked from.
func (r *Request) separate(path, place string, id Identity) (found, by string, tried []Attempt) {
	f, err := elffile.Open(path)
	if err != nil {
		return "", "", []Attempt{{path, err}}
	}
	link, crc, linked := f.DebugLink()
	f.Close()

	candidates := r.idPaths(id.BuildID)
	if linked {
		dir := filepath.Dir(place)
		candidates = append(candidates, filepath.Join(dir, link), filepath.Join(dir, ".debug", link))
		if abs, err := filepath.Abs(dir); err == nil {
			candidates = append(candidates, r.system("usr/lib/debug", abs, link))
		}
	}
	// The usual name where there is no link.
	if name := filepath.Base(place) + ".debug"; name != link {
		candidates = append(candidates, filepath.Join(filepath.Dir(place), name))
	}
	for _, c := range candidates {
		by, err := checkSeparate(c, path, id.BuildID, crc, linked)
		if err == nil {
			return c, by, tried
		}
		tried = append(tried, Attempt{c, err})
	}
	return "", "", tried
}

// checkSeparate says by what c is the debug file of path. The check sum of the
// whole file is computed only where build IDs cannot decide.
func checkSeparate(c, path string, buildID []byte, crc uint32, linked bool) (by string, err error) {
	if sameFile(c, path) {
		return "", errors.New("the file itself")
	}
	id, err := Identify(c)
	if err != nil {
		return "", err
	}
	if !id.Debug {
		return "", errors.New("it has no DWARF")
	}
	switch by, err := compare(id, buildID, ""); {
	case err == nil:
		return by, nil
	case !errors.Is(err, errNothingToCompare):
		return "", err
	case !linked:
		return "", errors.New("it has no build ID to check")
	}
	sum, err := fileCRC(c)
	if err != nil {
		return "", err
	}
	if sum != crc {
		return "", fmt.Errorf("its CRC is %08x, the debug link wants %08x", sum, crc)
	}
	return "CRC", nil
}

func fileCRC(path string) (uint32, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	h := crc32.NewIEEE()
	_, err = io.Copy(h, f)
	return h.Sum32(), err
}

func sameFile(a, b string) bool {
	sa, err := os.Stat(a)
	if err != nil {
		return false
	}
	sb, err := os.Stat(b)
	return err == nil && os.SameFile(sa, sb)
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
