package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdive/kdive/vmcore/vmcoretest"
)

func openBytes(t testing.TB, b []byte) (Source, bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, flat, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, flat
}

// laidDown is what the records give when each is written to its place.
func laidDown(records []vmcoretest.Record) []byte {
	var out []byte
	for _, r := range records {
		if end := int(r.Offset) + len(r.Data); end > len(out) && len(r.Data) > 0 {
			out = append(out, make([]byte, end-len(out))...)
		}
		copy(out[min(int(r.Offset), len(out)):], r.Data)
	}
	return out
}

func readAll(t *testing.T, s Source) []byte {
	t.Helper()
	b := make([]byte, s.Size())
	if n, err := s.ReadAt(b, 0); n != len(b) {
		t.Fatalf("read %d of %d bytes: %v", n, len(b), err)
	}
	return b
}

func TestFlat(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	content := make([]byte, 100_000)
	for i := range content {
		content[i] = byte(r.Uint32())
	}
	shuffled := vmcoretest.Records(content, 777)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	tests := map[string][]vmcoretest.Record{
		"one record":   {{Offset: 0, Data: content}},
		"in order":     vmcoretest.Records(content, 4096),
		"shuffled":     shuffled,
		"gap":          {{Offset: 5000, Data: content[:100]}, {Offset: 10, Data: content[:20]}},
		"empty record": {{Offset: 90000, Data: nil}, {Offset: 0, Data: content[:10]}},
		"rewritten":    append(vmcoretest.Records(content, 1000), vmcoretest.Record{Offset: 500, Data: bytes.Repeat([]byte{7}, 2000)}),
		"written before": append([]vmcoretest.Record{{Offset: 500, Data: bytes.Repeat([]byte{7}, 2000)}},
			vmcoretest.Records(content, 1000)...),
		"inside":         {{Offset: 0, Data: content[:1000]}, {Offset: 300, Data: content[5000:5001]}},
		"same place":     {{Offset: 8, Data: content[:64]}, {Offset: 8, Data: content[64:128]}, {Offset: 8, Data: content[128:140]}},
		"nothing at all": nil,
	}
	for i := range 30 {
		var records []vmcoretest.Record
		for range 1 + r.IntN(60) {
			n := r.IntN(500)
			at := r.IntN(4000)
			records = append(records, vmcoretest.Record{Offset: int64(at), Data: content[at : at+n]})
			content[at]++ // the next one differs
			records[len(records)-1].Data = bytes.Clone(records[len(records)-1].Data)
		}
		tests["random "+string(rune('a'+i))] = records
	}
	for name, records := range tests {
		t.Run(name, func(t *testing.T) {
			s, flat := openBytes(t, vmcoretest.Flatten(records))
			if !flat {
				t.Fatal("not taken for a flattened stream")
			}
			want := laidDown(records)
			if len(s.Warnings()) != 0 || s.Size() != int64(len(want)) {
				t.Fatalf("size %d, want %d; warnings %q", s.Size(), len(want), s.Warnings())
			}
			if !bytes.Equal(readAll(t, s), want) {
				t.Error("content differs")
			}
			for range 50 { // reads that start and end anywhere
				if len(want) == 0 {
					break
				}
				at := r.IntN(len(want))
				p := make([]byte, r.IntN(300))
				n, err := s.ReadAt(p, int64(at))
				if !bytes.Equal(p[:n], want[at:min(at+len(p), len(want))]) || (n < len(p)) != (err == io.EOF) {
					t.Fatalf("%d bytes at %d: %d, %v", len(p), at, n, err)
				}
			}
		})
	}
}

func TestFlatIndexIsCompact(t *testing.T) {
	content := make([]byte, 1<<20)
	s, _ := openBytes(t, vmcoretest.Flatten(vmcoretest.Records(content, 4096)))
	if n := len(s.(*Flat).runs); n != 1 {
		t.Errorf("256 equal records in a row take %d runs", n)
	}
}

func TestFlatDamage(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	whole := vmcoretest.Flatten(vmcoretest.Records(content, 1000))
	record := 4096 + 5*(16+1000)
	mutate := func(at int, v uint64) []byte {
		b := bytes.Clone(whole)
		binary.BigEndian.PutUint64(b[at:], v)
		return b
	}
	tests := []struct {
		name    string
		stream  []byte
		size    int64
		warning string
	}{
		{"no end mark", whole[:len(whole)-16], 16000, "without an end mark"},
		{"cut inside a record", whole[:record+16+300], 5300, "lacks 700 of 1000"},
		{"cut inside a record header", whole[:record+7], 5000, "without an end mark"},
		{"negative length", mutate(record+8, 1<<63), 5000, "impossible record"},
		{"negative offset", mutate(record, 1<<63), 5000, "impossible record"},
		{"huge length", mutate(record+8, 1<<50), 0, "lacks"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := openBytes(t, tt.stream)
			if w := strings.Join(s.Warnings(), ";"); !strings.Contains(w, tt.warning) {
				t.Errorf("warnings %q lack %q", w, tt.warning)
			}
			if tt.size != 0 && s.Size() != tt.size {
				t.Errorf("size %d, want %d", s.Size(), tt.size)
			}
			got := make([]byte, 5000)
			if n, err := s.ReadAt(got, 0); n != len(got) || !bytes.Equal(got, content[:5000]) {
				t.Errorf("what is before the damage: %d bytes, %v", n, err)
			}
		})
	}
}

func TestFlatGapOfCutStreamIsMissing(t *testing.T) {
	b := vmcoretest.Flatten([]vmcoretest.Record{{Offset: 0, Data: []byte("head")}, {Offset: 100, Data: []byte("tail")}})
	s, _ := openBytes(t, b[:len(b)-16])
	p := make([]byte, 50)
	if n, err := s.ReadAt(p, 0); n != 4 || !errors.Is(err, ErrMissing) {
		t.Errorf("read %d bytes into the gap: %v", n, err)
	}
	if n, _ := s.ReadAt(p[:4], 100); n != 4 || string(p[:4]) != "tail" {
		t.Errorf("behind the gap: %q", p[:n])
	}
}

func TestPlainFile(t *testing.T) {
	s, flat := openBytes(t, []byte("hello"))
	p := make([]byte, 10)
	n, err := s.ReadAt(p, 1)
	if flat || n != 4 || err != io.EOF || string(p[:n]) != "ello" {
		t.Errorf("flat %v, %q, %v", flat, p[:n], err)
	}
	for _, at := range []int64{5, 6, 1 << 40, -1} {
		if n, err := s.ReadAt(p, at); n != 0 || err != io.EOF {
			t.Errorf("at %d: %d bytes, %v", at, n, err)
		}
	}
}

func TestFileCutOffWhileMapped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, bytes.Repeat([]byte{1}, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.Truncate(path, 4096+100); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 8192)
	if n, err := s.ReadAt(p, 0); n != 4096+100 || err != io.EOF {
		t.Errorf("%d bytes, %v", n, err)
	}
	if n, err := s.ReadAt(p, 32<<10); n != 0 || err != io.EOF {
		t.Errorf("beyond the new end: %d bytes, %v", n, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	version := vmcoretest.Flatten(nil)
	version[31] = 2
	for name, content := range map[string][]byte{"version": version, "header": version[:20]} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(path); err == nil || !strings.Contains(err.Error(), "flattened stream") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "absent"), "/dev/null"} {
		if s, _, err := Open(path); err == nil {
			s.Close()
			t.Errorf("%s opens", path)
		}
	}
}

func FuzzFlat(f *testing.F) {
	whole := vmcoretest.Flatten(vmcoretest.Records([]byte("some bytes of a dump"), 7))
	f.Add(whole[4096:])
	f.Add(vmcoretest.Flatten([]vmcoretest.Record{{Offset: 3, Data: []byte("abcdef")}, {Offset: 1, Data: []byte("xyz")}, {Offset: 5, Data: []byte("q")}})[4096:])
	path := filepath.Join(f.TempDir(), "file") // a fuzzer runs one input after the other
	f.Fuzz(func(t *testing.T, records []byte) {
		if err := os.WriteFile(path, append(whole[:4096:4096], records...), 0o600); err != nil {
			t.Fatal(err)
		}
		s, flat, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		fl, ok := s.(*Flat)
		if !flat || !ok {
			t.Fatal("not flat")
		}
		if overlapping(fl.runs) {
			t.Fatal("runs overlap")
		}
		p := make([]byte, 256)
		for _, at := range []int64{0, 1, 100, s.Size() - 10, s.Size()} {
			if n, err := s.ReadAt(p, at); n < 0 || n > len(p) || n < len(p) && err == nil {
				t.Fatalf("at %d: %d bytes, %v", at, n, err)
			}
		}
	})
}
