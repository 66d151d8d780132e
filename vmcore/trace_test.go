package vmcore_test

import (
	"slices"
	"testing"
)

func TestTrace(t *testing.T) {
	d := open(t, variants()["kdump zlib"]...)
	type read struct {
		paddr  uint64
		length int
	}
	var got []read
	d.Trace(func(paddr uint64, length int) { got = append(got, read{paddr, length}) })
	var b [32]byte
	if err := d.ReadPhys(b[:], 2*page+16); err != nil {
		t.Error(err)
	}
	if err := d.NewReader().ReadPhys(b[:8], page); err != nil {
		t.Error(err)
	}
	if err := d.ReadPhys(b[:8], 5*page); err == nil { // excluded
		t.Error("no error")
	}
	if want := []read{{2*page + 16, 32}, {page, 8}, {5 * page, 8}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
