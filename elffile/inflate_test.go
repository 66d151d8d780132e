package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"math/rand"
	"strings"
	"testing"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/kdive/kdive/elffile/elftest"
)

func zlibBytes(plain []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
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

// zstdStream has no content size in its frame header.
func zstdStream(plain []byte) []byte {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	if err != nil {
		panic(err)
	}
	for len(plain) > 0 {
		n := min(len(plain), 1000)
		w.Write(plain[:n])
		w.Flush()
		plain = plain[n:]
	}
	w.Close()
	return b.Bytes()
}

func compressed(kind elf.CompressionType, size uint64, data []byte) elftest.Section {
	le := binary.LittleEndian
	h := le.AppendUint32(nil, uint32(kind))
	h = le.AppendUint32(h, 0)
	h = le.AppendUint64(h, size)
	h = le.AppendUint64(h, 1)
	return elftest.Section{Name: ".debug_info", Type: elf.SHT_PROGBITS, Flags: elf.SHF_COMPRESSED, Data: append(h, data...)}
}

func TestInflate(t *testing.T) {
	plain := make([]byte, 300000)
	r := rand.New(rand.NewSource(1))
	for i := range plain {
		plain[i] = byte(r.Intn(7))
	}
	n := uint64(len(plain))
	zeros := make([]byte, 8<<20)
	tests := []struct {
		name string
		sec  elftest.Section
		want string // part of the error; "" for success
	}{
		{"zlib", compressed(elf.COMPRESS_ZLIB, n, zlibBytes(plain)), ""},
		{"zstd", compressed(elf.COMPRESS_ZSTD, n, zstdBytes(plain)), ""},
		{"zstd without size", compressed(elf.COMPRESS_ZSTD, n, zstdStream(plain)), ""},
		{"zlib declares less", compressed(elf.COMPRESS_ZLIB, n-1, zlibBytes(plain)), "more than the declared"},
		{"zlib declares more", compressed(elf.COMPRESS_ZLIB, n+1, zlibBytes(plain)), "EOF"},
		{"zstd declares less", compressed(elf.COMPRESS_ZSTD, n-1, zstdBytes(plain)), "declared"},
		{"zstd declares more", compressed(elf.COMPRESS_ZSTD, n+1, zstdBytes(plain)), "declared"},
		{"zlib cut off", compressed(elf.COMPRESS_ZLIB, n, zlibBytes(plain)[:1000]), "EOF"},
		{"zstd damaged", compressed(elf.COMPRESS_ZSTD, n, []byte("not zstd at all")), "COMPRESS_ZSTD"},
		{"bomb", compressed(elf.COMPRESS_ZSTD, uint64(len(zeros)), zstdBytes(zeros)), "not believed"},
		{"size", compressed(elf.COMPRESS_ZLIB, 1<<63, zlibBytes(plain)), "not believed"},
		{"method", compressed(77, n, zlibBytes(plain)), "unknown method"},
		{"no header", elftest.Section{Name: ".debug_info", Type: elf.SHT_PROGBITS, Flags: elf.SHF_COMPRESSED, Data: []byte("short")}, "header of 5 bytes"},
	}
	for _, tt := range tests {
		f := mustNew(t, elftest.Object{Type: elf.ET_EXEC, Sections: []elftest.Section{tt.sec}})
		got, err := f.Data(f.Section(".debug_info"))
		switch {
		case tt.want == "" && (err != nil || !bytes.Equal(got, plain)):
			t.Errorf("%s: %d bytes, %v", tt.name, len(got), err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if again, _ := f.Data(f.Section(".debug_info")); tt.want == "" && &again[0] != &got[0] {
			t.Errorf("%s: inflated twice", tt.name)
		}
	}
}
