package livetext

import (
	"strings"
	"testing"
)

const at = 0xffffffff81001000

func TestEffective(t *testing.T) {
	tests := []struct {
		name string
		code []byte
		want string
	}{
		{"nothing", nil, ""},
		{"nop", []byte{0x0f, 0x1f, 0x44, 0, 0}, ""},
		{"nop of old kernels", []byte{0x66, 0x66, 0x66, 0x66, 0x90}, ""},
		{"fill behind code", []byte{0xc3, 0xcc, 0xcc, 0x90, 0xcc}, "ret"},
		{"a trap alone is code", []byte{0xcc}, "int3"},
		{"jump over nops", []byte{0xeb, 0x03, 0x90, 0x90, 0x90}, ""},
		{"jump elsewhere", []byte{0xeb, 0x04, 0x90, 0x90, 0x90}, "jmp 0xffffffff81001006"},
		{"nop, then code", []byte{0x90, 0xfa}, "cli"},
		{"cut off", []byte{0xe8, 0, 0}, "call|.byte|(bad)"},
	}
	for _, tt := range tests {
		var got []string
		for _, in := range effective(decode(at, tt.code), at+uint64(len(tt.code))) {
			got = append(got, strings.Join(strings.Fields(text(&in)), " "))
		}
		s := strings.Join(got, "; ")
		ok := s == tt.want
		for _, alt := range strings.Split(tt.want, "|") {
			ok = ok || strings.Contains(tt.want, "|") && strings.Contains(s, alt)
		}
		if !ok {
			t.Errorf("%s: %q, want %q", tt.name, s, tt.want)
		}
	}
}

func TestSame(t *testing.T) {
	m := &Model{slide: 0x1b000000}
	tests := []struct {
		name       string
		file, dump []byte
		fileAt     uint64
		want       bool
	}{
		{"equal", []byte{0xfa}, []byte{0xfa}, at, true},
		{"another instruction", []byte{0xfa}, []byte{0xfb}, at, false},
		{"more", []byte{0xfa}, []byte{0xfa, 0xfa}, at, false},
		{"a call copied with its target kept", []byte{0xe8, 0xfb, 0x0f, 0, 0}, []byte{0xe8, 0xfb, 0x1f, 0, 0}, at + 0x1000, true},
		{"a call of something else", []byte{0xe8, 0xfb, 0x0f, 0, 0}, []byte{0xe8, 0xfc, 0x1f, 0, 0}, at + 0x1000, false},
		{"an address that moved", []byte{0x48, 0xc7, 0xc7, 0, 0, 0, 0x82}, []byte{0x48, 0xc7, 0xc7, 0, 0, 0, 0x9d}, at, true},
		{"an address that moved elsewhere", []byte{0x48, 0xc7, 0xc7, 0, 0, 0, 0x82}, []byte{0x48, 0xc7, 0xc7, 1, 0, 0, 0x9d}, at, false},
	}
	for _, tt := range tests {
		if got := m.same(decode(tt.fileAt, tt.file), decode(at, tt.dump)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// Code is foreign.
func FuzzEffective(f *testing.F) {
	f.Add([]byte{0xe8, 1, 2, 3, 4}, []byte{0x66, 0x90, 0xcc})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		m := &Model{slide: 0x200000}
		x, y := effective(decode(at, a), at+uint64(len(a))), effective(decode(at, b), at+uint64(len(b)))
		if len(x) > len(a) || !m.same(x, x) {
			t.Errorf("% x", a)
		}
		m.same(x, y)
	})
}
