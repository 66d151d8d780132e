package find

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/kdive/kdive/elffile/elftest"
)

func gzipBytes(plain []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(plain)
	w.Close()
	return b.Bytes()
}

func zstdBytes(plain []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(plain, nil)
}

// xzBCJ is xzPlain packed by "xz --x86 --lzma2=preset=9".
const xzBCJ = "/Td6WFoAAATm1rRGAgEEACEBHACHbtrl4ABgAC9dAD+RRYRoPYmm23e22C40v/MMpoVOctANORrMYuMuJIerUqmPCe/Hf+tgZFmcyiUAAACWdD0lFMtZ6AABS2Ercr4JH7bzfQEAAAAABFla"

const xzPlain = "\x7fELF\x02\x01\x01" + string57 + "packed by xz with the x86 filter\n"

const string57 = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func xzBytes() []byte {
	b, err := base64.StdEncoding.DecodeString(xzBCJ)
	if err != nil {
		panic(err)
	}
	return b
}

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func testCache(t *testing.T) Cache {
	return Cache{Own: filepath.Join(t.TempDir(), "cache")}
}

// kernel is a vmlinux that has what the search looks at.
func kernel(id, release string, dwarf bool) []byte {
	o := elftest.Object{Type: elf.ET_EXEC}
	if id != "" {
		o.Sections = append(o.Sections, elftest.BuildID([]byte(id)))
	}
	if release != "" {
		text := "Linux version %s\n\x00Linux version " + release + " (cc) #1 SMP\n\x00"
		o.Sections = append(o.Sections, elftest.Section{Name: ".rodata", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC, Data: []byte(text)})
	}
	if dwarf {
		o.Sections = append(o.Sections, elftest.Section{Name: ".debug_info", Type: elf.SHT_PROGBITS, Data: []byte("dwarf")})
	}
	return o.Bytes()
}

func TestUnpack(t *testing.T) {
	plain := kernel("build id", "6.1", true)
	tests := []struct {
		name   string
		packed []byte
		want   []byte
	}{
		{"zstd", zstdBytes(plain), plain},
		{"zstd in two frames", append(zstdBytes(plain[:100]), zstdBytes(plain[100:])...), plain},
		{"gzip", gzipBytes(plain), plain},
		{"gzip in two members", append(gzipBytes(plain[:100]), gzipBytes(plain[100:])...), plain},
		{"xz with a BCJ filter", xzBytes(), []byte(xzPlain)},
	}
	for _, tt := range tests {
		c := testCache(t)
		// The name lies: contents decide.
		path := write(t, filepath.Join(t.TempDir(), "vmlinux.bz2"), tt.packed)
		var calls, last int64
		got, err := c.Unpack(t.Context(), path, func(p string, done, total int64) {
			if calls++; done < last || done > total || p != path {
				t.Errorf("%s: progress %d after %d of %d of %s", tt.name, done, last, total, p)
			}
			last = done
		})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if last != int64(len(tt.packed)) || calls == 0 {
			t.Errorf("%s: progress ends at %d of %d", tt.name, last, len(tt.packed))
		}
		if data, err := os.ReadFile(got); err != nil || !bytes.Equal(data, tt.want) {
			t.Errorf("%s: %d bytes of %d, %v", tt.name, len(data), len(tt.want), err)
		}
		if st, err := os.Stat(got); err != nil || st.Mode().Perm() != 0o600 || !strings.HasPrefix(got, c.Own) {
			t.Errorf("%s: %s, mode %v, %v", tt.name, got, st.Mode(), err)
		}
	}
}

func TestUnpackNothingToDo(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "vmlinux.zst"), kernel("x", "6.1", true))
	c := testCache(t)
	if got, err := c.Unpack(t.Context(), path, nil); err != nil || got != path {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := os.Stat(c.Own); !os.IsNotExist(err) {
		t.Error("a cache directory was made for nothing")
	}
}

func TestUnpackRefused(t *testing.T) {
	plain := kernel("build id", "6.1", true)
	bomb := append([]byte("\x7fELF"), make([]byte, ratioFrom+4<<20)...)
	boot := make([]byte, 1024)
	copy(boot[0x202:], "HdrS")
	bad := zstdBytes(plain)
	bad[len(bad)/2] ^= 0x55
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"bomb", zstdBytes(bomb), "not believed"},
		{"gzip bomb", gzipBytes(bomb), "not believed"},
		{"zstd cut off", zstdBytes(plain)[:50], "cut off"},
		{"gzip cut off", gzipBytes(plain)[:50], "cut off"},
		{"xz cut off", xzBytes()[:60], "truncated"},
		{"xz without index", xzBytes()[:80], "truncated"},
		{"damaged", bad, "unpacking it"},
		{"tar inside", gzipBytes([]byte("./modules/\x00\x00\x00")), "what is packed in it is not an ELF file"},
		{"nothing inside", gzipBytes(nil), "what is packed in it is not an ELF file"},
		{"bzImage", boot, "a boot image"},
		{"bzip2", []byte("BZh91AY&SY"), "bzip2"},
		{"text", []byte("hello"), "neither an ELF file"},
		{"empty", nil, "neither an ELF file"},
	}
	for _, tt := range tests {
		c := testCache(t)
		path := write(t, filepath.Join(t.TempDir(), "vmlinux"), tt.data)
		got, err := c.Unpack(t.Context(), path, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
		if left, _ := os.ReadDir(filepath.Join(c.Own, unpackedKind)); len(left) > 0 {
			t.Errorf("%s: left behind %v", tt.name, left)
		}
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := testCache(t).Unpack(t.Context(), fifo, nil); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("FIFO: %v", err)
	}
}

func TestUnpackCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	plain := append(kernel("x", "6.1", true), make([]byte, 4<<20)...)
	path := write(t, filepath.Join(t.TempDir(), "vmlinux.gz"), gzipBytes(plain))
	c := testCache(t)
	_, err := c.Unpack(ctx, path, func(string, int64, int64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(c.Own, unpackedKind)); len(left) > 0 {
		t.Errorf("left behind %v", left)
	}
}

func TestUnpackOnce(t *testing.T) {
	plain := kernel("build id", "6.1", true)
	path := write(t, filepath.Join(t.TempDir(), "vmlinux.zst"), zstdBytes(plain))
	c := testCache(t)
	unpack := func() (string, bool) {
		t.Helper()
		worked := false
		got, err := c.Unpack(t.Context(), path, func(string, int64, int64) { worked = true })
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(got)
		if err != nil || !bytes.Equal(data, plain) {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
		return got, worked
	}
	first, worked := unpack()
	if !worked {
		t.Error("nothing was unpacked")
	}
	if again, worked := unpack(); worked || again != first {
		t.Error("unpacked twice")
	}
	// What a crash of the machine cut off is made anew.
	if err := os.Truncate(first, 100); err != nil {
		t.Fatal(err)
	}
	if again, worked := unpack(); !worked || again != first {
		t.Error("a cut off file was taken")
	}
	// So is what others could have written.
	if err := os.Chmod(first, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, worked := unpack(); !worked {
		t.Error("a file that others can write to was taken")
	}
	// A shared directory serves those who have nothing of their own.
	shared := c.Own
	c = Cache{Own: filepath.Join(t.TempDir(), "empty"), Shared: shared}
	if got, worked := unpack(); worked || got != first {
		t.Error("the shared directory was not used")
	}
	if err := os.Chmod(filepath.Join(shared, unpackedKind), 0o777); err != nil {
		t.Fatal(err)
	}
	if got, worked := unpack(); !worked || got == first {
		t.Error("a shared directory that others can write to was used")
	}
	// Another file of the same name is another file.
	plain = kernel("another", "6.2", true)
	write(t, path, zstdBytes(plain))
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if got, worked := unpack(); !worked || got == first {
		t.Error("a changed file was taken for the old one")
	}
}

func TestPlainName(t *testing.T) {
	for in, want := range map[string]string{
		"vmlinux-6.1.0-56-cloud-amd64.zst": "vmlinux-6.1.0-56-cloud-amd64",
		"a b\n*\xff.xz":                    "a_b___",
		strings.Repeat("x", 200):           strings.Repeat("x", 80),
	} {
		if got := plainName(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// FuzzExpand feeds the decoders damaged input.
func FuzzExpand(f *testing.F) {
	plain := kernel("build id", "6.1", true)
	f.Add(zstdBytes(plain))
	f.Add(gzipBytes(plain))
	f.Add(xzBytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		err := expand(sniff(data), &out, bytes.NewReader(data), int64(len(data)), func() error { return nil })
		if err == nil && !bytes.HasPrefix(out.Bytes(), []byte(elf.ELFMAG)) {
			t.Errorf("accepted %q", out.Bytes()[:min(16, out.Len())])
		}
		if out.Len() > ratioFrom && out.Len()/maxRatio > len(data)+1<<20 {
			t.Errorf("%d bytes became %d", len(data), out.Len())
		}
	})
}
