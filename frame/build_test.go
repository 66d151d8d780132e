package frame

import (
	"testing"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/value"
)

// memory is a View whose byte at address a is a; from 0x1000 on there is none.
type memory struct{ View }

func (memory) Read(p []byte, addr uint64) error {
	if addr >= 0x1000 {
		return &fault.Error{Addr: addr, Space: fault.Virtual, Reason: fault.Excluded}
	}
	for i := range p {
		p[i] = byte(addr) + byte(i)
	}
	return nil
}

var (
	char  = ctype.New(ctype.Int, "unsigned char", ctype.Def{Size: 1})
	word  = ctype.New(ctype.Int, "int", ctype.Def{Size: 4, Signed: true})
	long  = ctype.New(ctype.Int, "long", ctype.Def{Size: 8, Signed: true})
	ptr   = ctype.PointerTo(word)
	twice = ctype.New(ctype.Struct, "twice", ctype.Def{Size: 16, Members: []ctype.Member{
		{Name: "a", Type: word}, {Name: "b", Type: word, Offset: 4}, {Name: "c", Type: ptr, Offset: 8}}})
	bits = ctype.New(ctype.Struct, "bits", ctype.Def{Size: 1, Members: []ctype.Member{
		{Name: "low", Type: char, BitSize: 3}, {Name: "high", Type: char, BitOffset: 3, BitSize: 5}}})
)

// in is a piece in memory, of bits bits.
func in(addr, bits uint64) location.Piece {
	return location.Piece{Kind: location.InMemory, Addr: addr, Bits: bits, Provenance: location.Provenance{Class: location.Exact}}
}

func computed(v, bits uint64) location.Piece {
	return location.Piece{Kind: location.Computed, Data: bytes8(v), Bits: bits, Provenance: location.Provenance{Class: location.Derived}}
}

func gone(bits uint64) location.Piece {
	return location.Piece{Bits: bits, Provenance: location.LostFor(location.NoRegister, "rdi was not saved")}
}

func TestBuild(t *testing.T) {
	skipped := computed(0xab, 3)
	skipped.Skip = 4
	tests := []struct {
		name   string
		typ    *ctype.Type
		pieces []location.Piece
		want   string
		addr   uint64 // if it is a place in memory
	}{
		{"memory", word, []location.Piece{in(0x10, 0)}, "319951120", 0x10},
		{"no memory", word, []location.Piece{in(0x2000, 0)}, "<excluded>", 0x2000},
		{"register", word, []location.Piece{computed(0xfffffffffffffffe, 0)}, "-2", 0},
		{"lost", word, []location.Piece{gone(0)}, "<lost: rdi was not saved>", 0},
		{"lost struct", twice, []location.Piece{gone(0)}, "<lost: rdi was not saved>", 0},
		{"pieces", twice, []location.Piece{computed(5, 32), gone(32), computed(0x20, 64)},
			"{\n  a = 5,\n  b = <lost: rdi was not saved>,\n  c = 0x20\n}", 0},
		{"the rest is missing", twice, []location.Piece{computed(5, 32), computed(6, 32)},
			"{\n  a = 5,\n  b = 6,\n  c = <lost: optimized out>\n}", 0},
		{"one behind the other", twice, []location.Piece{in(0x40, 64), in(0x48, 64)}, "{\n  a = 1128415552,\n  b = 1195787588,\n  c = 0x4f4e4d4c4b4a4948\n}", 0x40},
		{"apart", long, []location.Piece{in(0x40, 32), in(0x50, 32)}, "6003950658405941568", 0},
		{"a piece that is excluded", twice, []location.Piece{computed(5, 32), in(0x2000, 32), computed(0x20, 64)},
			"{\n  a = 5,\n  b = <excluded>,\n  c = 0x20\n}", 0},
		{"bits", bits, []location.Piece{skipped, computed(0x1f, 5)}, "{\n  low = 2 '\\002',\n  high = 31 '\\037'\n}", 0},
		{"larger than its place", twice, []location.Piece{computed(5, 0)}, "<lost: a piece that is larger than its place>", 0},
		{"too large", ctype.ArrayOf(word, 1<<30), []location.Piece{computed(5, 32), gone(32)}, "<lost: an object of 4294967296 bytes in pieces>", 0},
		{"endless pieces", word, []location.Piece{computed(5, 1<<43), computed(5, 1<<43)}, "5", 0},
	}
	m := New(memory{})
	for _, tt := range tests {
		v := m.build(nil, tt.typ, location.Result{Pieces: tt.pieces}, 0)
		if got := value.Format(v, value.Style{Level: 0}); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if addr, _ := v.Addr(); addr != tt.addr {
			t.Errorf("%s: at %#x, want %#x", tt.name, addr, tt.addr)
		}
	}
}

// TestMembersOfPieces: what is known of an object can be used.
func TestMembersOfPieces(t *testing.T) {
	m := New(memory{})
	v := m.build(nil, twice, location.Result{Pieces: []location.Piece{computed(5, 32), gone(32), computed(0x20, 64)}}, 0)
	c, err := v.Path("c[1]")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Uint(); err != nil || n != 0x27262524 {
		t.Errorf("c[1]: %#x, %v", n, err)
	}
	b, err := v.Member("b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Uint(); err == nil || err.Error() != "lost: rdi was not saved" {
		t.Errorf("b: %v", err)
	}
}
