package sysinfo

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/kdive/kdive/kernel"
)

const (
	maxConfigPacked = 1 << 20 // some 70 kB in distributions' kernels
	maxConfig       = 16 << 20
)

// ReadConfig is the configuration that the kernel was built with, as
// /proc/config.gz has it. Only kernels built with IKCONFIG carry it
// (kernel/configs.c: a gzip file between two symbols).
func ReadConfig(k kernel.View) ([]byte, error) {
	var n struct {
		Start kernel.Sym `need:"kernel_config_data"`
		End   kernel.Sym `need:"kernel_config_data_end"`
	}
	if err := k.Bind(&n); err != nil {
		return nil, fmt.Errorf("the kernel has no configuration in it (IKCONFIG): %w", err)
	}
	size := uint64(n.End) - uint64(n.Start)
	if n.End < n.Start || size > maxConfigPacked {
		return nil, fmt.Errorf("the kernel's configuration: from %#x to %#x are no sensible bounds", uint64(n.Start), uint64(n.End))
	}
	packed := make([]byte, size)
	if err := k.Read(packed, uint64(n.Start)); err != nil {
		return nil, fmt.Errorf("the kernel's configuration: %w", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("the kernel's configuration: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	if len(text) > maxConfig {
		text, err = text[:maxConfig], fmt.Errorf("it has more than %d bytes", maxConfig)
	}
	if err != nil {
		return text, fmt.Errorf("the kernel's configuration: %w", err)
	}
	return text, nil
}
