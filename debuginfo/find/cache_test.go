package find

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kdive/kdive/debuginfo/trust"
)

func TestNewCache(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		option, kdive, xdg, home string
		want                     string
	}{
		{"/opt", "/env", "/xdg", "/home", "/opt"},
		{"rel", "/env", "/xdg", "/home", filepath.Join(wd, "rel")},
		{"", "/env", "/xdg", "/home", "/env"},
		{"", "", "/xdg", "/home", "/xdg/kdive"},
		{"", "", "", "/home", "/home/.cache/kdive"},
		{"", "", "", "", ""},
		{"", "", "not/absolute", "/home", ""},
	}
	for _, tt := range tests {
		t.Setenv("KDIVE_CACHE", tt.kdive)
		t.Setenv("XDG_CACHE_HOME", tt.xdg)
		t.Setenv("HOME", tt.home)
		c := NewCache(tt.option)
		if c.Own != tt.want || c.Shared != SharedCache {
			t.Errorf("%+v: own %q, shared %q", tt, c.Own, c.Shared)
		}
		dirs := strings.Join(c.Readable("index"), " ")
		want := "/var/cache/kdive/index"
		if tt.want != "" {
			want = tt.want + "/index " + want
		}
		if dirs != want {
			t.Errorf("%+v: readable %q", tt, dirs)
		}
		if _, err := c.Writable("index"); tt.want == "" && (err == nil || !strings.Contains(err.Error(), "--cache")) {
			t.Errorf("%+v: writable without a directory: %v", tt, err)
		}
	}
}

// What a public cache holds is for all to read, also where it was not before.
func TestPublicCache(t *testing.T) {
	t.Setenv("KDIVE_CACHE", "")
	if c := NewPublicCache(""); c.Own != SharedCache || !c.Public {
		t.Errorf("%+v", c)
	}
	t.Setenv("KDIVE_CACHE", "/env")
	if c := NewPublicCache(""); c.Own != "/env" {
		t.Errorf("%+v", c)
	}
	c := Cache{Own: filepath.Join(t.TempDir(), "kdive")}
	packed := filepath.Join(t.TempDir(), "vmlinux.zst")
	write(t, packed, zstdBytes(kernel("public", "6.1", true)))
	private, err := c.Unpack(t.Context(), packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	mode := func(path string) os.FileMode {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return st.Mode().Perm()
	}
	if m := mode(private); m != 0o600 {
		t.Errorf("private file: %v", m)
	}
	c.Public = true
	if _, err := c.Writable("index"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Unpack(t.Context(), packed, nil); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path string
		want os.FileMode
	}{{c.Own, 0o711}, {filepath.Join(c.Own, "index"), 0o755}, {filepath.Dir(private), 0o755}, {private, 0o644}} {
		if m := mode(tt.path); m != tt.want {
			t.Errorf("%s: %v, want %v", tt.path, m, tt.want)
		}
	}
}

func TestWritable(t *testing.T) {
	c := Cache{Own: filepath.Join(t.TempDir(), "a", "kdive")}
	dir, err := c.Writable("index")
	if err != nil || dir != filepath.Join(c.Own, "index") {
		t.Fatalf("%q, %v", dir, err)
	}
	for _, d := range []string{c.Own, dir} {
		if st, err := os.Stat(d); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", d, st.Mode(), err)
		}
	}
	for _, d := range []string{c.Own, dir} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Writable("index"); !errors.Is(err, trust.ErrUntrusted) {
			t.Errorf("%s writable by all: %v", d, err)
		}
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Writable("index"); err != nil {
		t.Errorf("readable by all: %v", err)
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{
		temporary + "old": 48 * time.Hour, temporary + "new": time.Hour, "other": 1000 * time.Hour,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	sweep(dir)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 || entries[0].Name() != temporary+"new" || entries[1].Name() != "other" {
		t.Errorf("left: %v, %v", entries, err)
	}
}
