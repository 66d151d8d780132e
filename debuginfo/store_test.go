package debuginfo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/kdive/kdive/debuginfo/dwarftest"
)

// stored opens a kernel twice, so that its index is in dir, and returns the
// path of the index.
func stored(t *testing.T, kernel, dir string) string {
	t.Helper()
	in := open(t, kernel, dirOptions(dir))
	if err := in.Wait(); err != nil || len(in.Warnings()) > 0 {
		t.Fatal(err, in.Warnings())
	}
	list, err := filepath.Glob(filepath.Join(dir, "*.index"))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0]
}

// answers checks that an object made by twoUnits is understood.
func answers(t *testing.T, in *Info) {
	t.Helper()
	foo, err := in.Type("struct foo")
	if err != nil || foo.Size() != 8 || len(foo.Members()) != 2 {
		t.Errorf("struct foo: %v, %v", foo, err)
	}
	if vars, err := in.Variables("counter"); err != nil || len(vars) != 2 {
		t.Errorf("counter: %v, %v", vars, err)
	}
	if s, ok := in.SymbolAt(0x1508); !ok || s.Name != "func" {
		t.Errorf("symbol: %v, %v", s, ok)
	}
}

func TestIndexIsUsedAgain(t *testing.T) {
	kernel, dir := write(t, twoUnits()), t.TempDir()
	path := stored(t, kernel, dir)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	opt := dirOptions(dir)
	opt.WriteDir = nil
	in := open(t, kernel, opt)
	answers(t, in)
	if in.stored() == nil || len(in.Warnings()) > 0 {
		t.Error("the stored index was not used", in.Warnings())
	}
	opt.Rebuild = true
	in = open(t, kernel, opt)
	answers(t, in)
	if in.stored() != nil {
		t.Error("the stored index was used against the option")
	}
}

func TestSameIndexEveryTime(t *testing.T) {
	kernel := write(t, twoUnits())
	first, err := os.ReadFile(stored(t, kernel, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(stored(t, kernel, t.TempDir()))
	if err != nil || string(first) != string(second) {
		t.Errorf("two runs made different indexes, %v", err)
	}
}

// Damage to any byte must be noticed, and mended.
func TestDamagedIndexIsBuiltAgain(t *testing.T) {
	kernel, dir := write(t, twoUnits()), t.TempDir()
	path := stored(t, kernel, dir)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := map[string][]byte{"empty": nil, "cut off": good[:len(good)-1], "longer": append(append([]byte(nil), good...), 0), "half": good[:len(good)/2]}
	for i := 0; i < len(good); i += 7 {
		b := append([]byte(nil), good...)
		b[i] ^= 0x40
		damaged[fmt.Sprintf("byte %d", i)] = b
	}
	for name, b := range damaged {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		in := open(t, kernel, dirOptions(dir))
		answers(t, in)
		warned := len(in.Warnings()) > 0
		in.Close()
		now, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// Padding between the tables is nobody's.
		if string(now) != string(good) && warned {
			t.Errorf("%s: not written again", name)
		}
		if !warned && string(b) != string(good) && len(b) == len(good) && string(now) == string(good) {
			t.Errorf("%s: written again without a word", name)
		}
	}
}

func TestIndexOfAnotherObject(t *testing.T) {
	dir := t.TempDir()
	path := stored(t, write(t, twoUnits()), dir)
	other := write(t, File(Build(Unit{Root: layoutUnit()})))
	in := open(t, other, dirOptions(dir))
	id := in.identity()
	if err := os.Rename(path, filepath.Join(dir, id.FileName())); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Type("struct all"); err != nil || len(in.Warnings()) != 1 || !strings.Contains(in.Warnings()[0].Error(), "identity") {
		t.Errorf("%v, %v", err, in.Warnings())
	}
}

func TestIndexThatOthersCouldWrite(t *testing.T) {
	kernel, dir := write(t, twoUnits()), filepath.Join(t.TempDir(), "index")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := stored(t, kernel, dir)
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	in := open(t, kernel, Options{IndexDirs: []string{dir}})
	answers(t, in)
	if in.stored() != nil || len(in.Warnings()) != 1 || !strings.Contains(in.Warnings()[0].Error(), "not trusted") {
		t.Errorf("file writable by others: %v", in.Warnings())
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	in = open(t, kernel, dirOptions(dir))
	answers(t, in)
	if err := in.Wait(); err != nil || in.stored() != nil || len(in.Warnings()) != 2 {
		t.Errorf("directory writable by others: %v, %v", err, in.Warnings())
	}
}

func TestShareableIndex(t *testing.T) {
	dir := t.TempDir()
	opt := dirOptions(dir)
	opt.Shareable = true
	in := open(t, write(t, twoUnits()), opt)
	if err := in.Wait(); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, in.identity().FileName()))
	if err != nil || st.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", st, err)
	}
}

// The kernel is cut off while it is open: errors, and the process lives.
func TestCutOffWhileOpen(t *testing.T) {
	kernel := write(t, twoUnits())
	in := open(t, kernel, Options{})
	foo, err := in.Type("struct foo")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(kernel, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Type("struct priv"); err == nil {
		t.Error("a type out of nothing")
	}
	if foo.Members(); foo.Err() == nil {
		t.Error("members out of nothing")
	}
	if _, ok := in.SymbolAt(0x1508); ok {
		t.Error("a symbol out of nothing")
	}
	if _, _, ok := in.Line(0x1000); ok {
		t.Error("a line out of nothing")
	}
	for range in.AllTypes() {
		t.Error("types out of nothing")
	}
}
