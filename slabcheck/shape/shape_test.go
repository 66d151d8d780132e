package shape

import "testing"

// TestReciprocal divides with it, as the kernel does (reciprocal_divide,
// include/linux/reciprocal_div.h).
func TestReciprocal(t *testing.T) {
	for _, size := range []uint32{1, 2, 3, 7, 8, 24, 40, 64, 96, 192, 448, 1000, 4096, 8192, 1<<20 + 8, 1<<31 - 1} {
		r := reciprocalOf(size)
		m, sh1, sh2 := r&0xffffffff, r>>32&0xff, r>>40&0xff
		for _, a := range []uint32{0, 1, size - 1, size, size + 1, 3 * size, 4095, 4096, 1<<31 - 1, 1<<32 - 1} {
			x := uint32(uint64(a) * m >> 32)
			if got := (x + (a-x)>>sh1) >> sh2; got != a/size {
				t.Errorf("%d / %d = %d, not %d", a, size, a/size, got)
			}
		}
	}
}

func TestReadable(t *testing.T) {
	for name, want := range map[string]bool{"kmalloc-64": true, "ext4 inode": true, "": false, "a\x80b": false, "tab\t": false} {
		if readable(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
