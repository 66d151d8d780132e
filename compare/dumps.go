package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// dump is a dump in the lab.
type dump struct {
	name    string
	files   []string // of the dump
	vmlinux string
	modules string // directory with the modules' debug files, "" for none
	crash   bool   // whether crash opens it
	// identify is the kernel's allocator if drgn is asked what addresses are:
	// "slub" or "slab".
	identify string
}

// dumps are those that are compared; compare/run makes them. Paths are relative
// to the lab.
var dumps = []dump{
	{"tiny", []string{"fix/tiny/vmcore.elf"}, "fix/tiny/vmlinux", "fix/tiny", true, "slab"},
	{"tiny-kdump", []string{"fix/tiny/vmcore.kdump"}, "fix/tiny/vmlinux", "fix/tiny", true, ""},
	{"6.1-cloud", []string{"fix/6.1-cloud/vmcore.flat"}, "fix/6.1-cloud/vmlinux", "fix/6.1-cloud/modules", true, ""},
	{"5.10-sysrq", []string{"dumps/5.10-sysrq.elf"}, "kernel/bullseye-cloud-amd64/vmlinux", "kernel/bullseye-cloud-amd64/debug", true, "slub"},
	{"5.10-kdump-sysrq", []string{"dumps/5.10-kdump-sysrq.elf"}, "kernel/bullseye-cloud-amd64/vmlinux", "kernel/bullseye-cloud-amd64/debug", true, ""},
	{"6.1-sysrq", []string{"dumps/6.1-sysrq.elf"}, "kernel/bookworm-cloud-amd64/vmlinux", "kernel/bookworm-cloud-amd64/debug", true, "slub"},
	{"6.1-shmbug", []string{"dumps/6.1-shmbug.elf"}, "kernel/bookworm-cloud-amd64/vmlinux", "kernel/bookworm-cloud-amd64/debug", true, ""},
	{"6.1-kdump", []string{"dumps/6.1-kdump.elf"}, "kernel/bookworm-cloud-amd64/vmlinux", "kernel/bookworm-cloud-amd64/debug", true, ""},
	{"6.1-qemuelf", []string{"dumps/6.1-sysrq-qemuelf.elf"}, "kernel/bookworm-cloud-amd64/vmlinux", "kernel/bookworm-cloud-amd64/debug", true, ""},
	{"6.1-live", []string{"dumps/6.1-live.elf"}, "kernel/bookworm-cloud-amd64/vmlinux", "kernel/bookworm-cloud-amd64/debug", true, ""},
	{"6.1-numa", []string{"dumps/6.1-numa.elf"}, "kernel/bookworm-cloud-amd64/vmlinux", "kernel/bookworm-cloud-amd64/debug", true, ""},
	{"6.1-rt", []string{"dumps/6.1-rt-sysrq.elf"}, "kernel/bookworm-rt-amd64/vmlinux", "kernel/bookworm-rt-amd64/debug", true, "slub"},
	{"6.12-sysrq", []string{"dumps/6.12-sysrq.elf"}, "kernel/bookworm-6.12-cloud-amd64/vmlinux", "kernel/bookworm-6.12-cloud-amd64/debug", true, "slub"},
	{"6.12-la57", []string{"dumps/6.12-sysrq-la57.elf"}, "kernel/bookworm-6.12-cloud-amd64/vmlinux", "kernel/bookworm-6.12-cloud-amd64/debug", true, ""},
	// crash 9.0.2 gives up: "invalid structure member offset: module_num_gpl_syms".
	{"7.2-sysrq", []string{"dumps/7.2-sysrq.elf"}, "kernel/sid-cloud-amd64/vmlinux", "kernel/sid-cloud-amd64/debug", false, "slub"},
	{"7.2-rt", []string{"dumps/7.2-rt-sysrq.elf"}, "kernel/sid-rt-amd64/vmlinux", "kernel/sid-rt-amd64/debug", false, "slub"},
}

// stackDumps are dumps of kernels that crashed on a certain stack, which
// compare/stacks makes: kernel, and how it crashed. They are compared if they are
// there.
var stackDumps = map[string]struct {
	kernel string
	crash  bool
	how    []string
}{
	"5.10": {"bullseye-cloud-amd64", true, []string{"serial", "nmi"}},
	"6.1": {"bookworm-cloud-amd64", true, []string{"serial", "nmi", "hrtimer", "timer", "tasklet", "chain", "irqfault", "softfault", "overflow", "db", "dbinnmi",
		"faultinnmi", "selfnmi", "nmiinirq", "nmiinsoft", "int3", "int3inirq", "nullcall", "fault", "ud2"}},
	"6.12": {"bookworm-6.12-cloud-amd64", true, []string{"serial", "nmi", "hrtimer", "timer", "chain", "irqfault", "overflow", "db", "selfnmi", "nmiinirq", "nullcall"}},
	"7.2":  {"sid-cloud-amd64", false, []string{"serial", "nmi"}},
}

const stackPrefix = "stack-"

func init() {
	for _, version := range slices.Sorted(maps.Keys(stackDumps)) {
		s := stackDumps[version]
		for _, how := range s.how {
			name := version + "-" + how
			dumps = append(dumps, dump{name: stackPrefix + name, files: []string{"dumps/stacks/" + name + ".elf"}, vmlinux: "kernel/" + s.kernel + "/vmlinux", crash: s.crash})
		}
	}
}

// stacksOnly reports whether the dump was made for its stacks.
func (d dump) stacksOnly() bool { return strings.HasPrefix(d.name, stackPrefix) }

// in is the dump with absolute paths.
func (d dump) in(lab string) dump {
	files := make([]string, len(d.files))
	for i, f := range d.files {
		files[i] = filepath.Join(lab, f)
	}
	d.files = files
	d.vmlinux = filepath.Join(lab, d.vmlinux)
	if d.modules != "" {
		d.modules = filepath.Join(lab, d.modules)
	}
	return d
}

// present reports which file is not there.
func (d dump) present() error {
	for _, f := range append([]string{d.vmlinux}, d.files...) {
		if _, err := os.Stat(f); err != nil {
			return fmt.Errorf("not made yet? %w", err)
		}
	}
	return nil
}
