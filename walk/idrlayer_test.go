package walk

import (
	"testing"

	"github.com/kdive/kdive/kernel/kerneltest"
)

func TestLayeredIDR(t *testing.T) {
	k := kerneltest.New(t, `struct idr_layer { unsigned long bitmap; void *ary[4]; int count; int layer; };
struct idr { void *top; void *id_free; int layers; };`)
	w := New(k)
	layer := func(at, layer uint64, slots ...uint64) {
		k.Put(at, "idr_layer.layer", layer)
		for i := range 4 {
			k.Words(at+k.Offset("idr_layer.ary")+uint64(i)*8, 0)
		}
		k.Words(at+k.Offset("idr_layer.ary"), slots...)
	}
	walk := func() []string { return collect(w.IDR(0x1000), showEntry) }
	k.Put(0x1000, "idr.top", 0)
	check(t, walk())
	k.Put(0x1000, "idr.top", 0x2000)
	layer(0x2000, 0, 0xaaa0, 0, 0xbbb0)
	check(t, walk(), "0:aaa0 root/0", "2:bbb0 root/2")
	layer(0x2000, 1, 0x3000, 0, 0x4000)
	layer(0x3000, 0, 0, 0xaaa0)
	layer(0x4000, 0, 0, 0, 0, 0xccc0)
	check(t, walk(), "1:aaa0 root/0/1", "11:ccc0 root/2/3")

	// A layer that is missing, one above its parent, one that leads back.
	layer(0x2000, 1, 0x9000, 0x3000, 0x4000, 0x2000)
	layer(0x3000, 1, 0xaaa0)
	check(t, walk(), "!0x9000 (from 0x2000)", "!shift", "11:ccc0 root/2/3", "!duplicate entry 0x2000")
	layer(0x2000, 40)
	check(t, walk(), "!shift")
}
