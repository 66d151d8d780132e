package sysinfo

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
)

func TestReadConfig(t *testing.T) {
	const config = "# Linux/x86 Kernel Configuration\nCONFIG_HZ=250\n# CONFIG_SLOB is not set\n"
	pack := func(text []byte) *bytes.Buffer {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(text)
		_ = w.Close()
		return &b
	}
	packed, bomb := pack([]byte(config)), pack(make([]byte, maxConfig+1))
	kernelWith := func(b []byte, size uint64) *kerneltest.Kernel {
		k := kerneltest.New(t)
		k.DefineSymbol("kernel_config_data", 0x10000)
		k.DefineSymbol("kernel_config_data_end", 0x10000+size)
		if len(b) > 0 {
			k.Bytes(0x10000, b)
		}
		return k
	}
	n := uint64(packed.Len())
	if got, err := ReadConfig(kernelWith(packed.Bytes(), n)); err != nil || string(got) != config {
		t.Errorf("%q, %v", got, err)
	}
	missing := kernelWith(packed.Bytes(), n)
	missing.Fail(0x10000, fault.Excluded)
	for _, tt := range []struct {
		k    *kerneltest.Kernel
		want string
	}{
		{kerneltest.New(t), "IKCONFIG"},
		{kernelWith(packed.Bytes(), n/2), "unexpected EOF"},
		{kernelWith([]byte("no gzip file at all"), 19), "gzip"},
		{kernelWith(bomb.Bytes(), uint64(bomb.Len())), "more than"},
		{kernelWith(nil, 1<<40), "bounds"},
		{kernelWith(nil, 1<<63+1<<62), "bounds"},
		{missing, "excluded"},
	} {
		if _, err := ReadConfig(tt.k); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}
