package bitdiff

import (
	"slices"
	"testing"
)

func TestOf(t *testing.T) {
	for _, x := range []struct {
		from, to uint64
		n        int
		bits     []int
		bytes    []Change
	}{
		{0xc6802f, 0xc6805c, 4, []int{0, 1, 4, 5, 6}, []Change{{0, '/', '\\'}}},
		{1, 1, 8, nil, nil},
		{0x0100, 0, 2, []int{8}, []Change{{1, 1, 0}}},
		{1 << 63, 0, 4, nil, nil}, // beyond the width
		{1 << 63, 0, 100, []int{63}, []Change{{7, 0x80, 0}}},
		{5, 6, -1, nil, nil},
	} {
		d := Words(x.from, x.to, x.n)
		if !slices.Equal(d.Bits, x.bits) || !slices.Equal(d.Bytes, x.bytes) {
			t.Errorf("%#x -> %#x in %d bytes: %+v", x.from, x.to, x.n, d)
		}
	}
	if d := Of([]byte{1, 2, 3}, []byte{1, 3}); len(d.Bytes) != 1 || d.Bytes[0].Index != 1 {
		t.Errorf("values of different lengths: %+v", d)
	}
	if !(Change{0, '/', '\\'}).Printable() || (Change{0, 0x6b, 0x7f}).Printable() {
		t.Error("Printable")
	}
}
