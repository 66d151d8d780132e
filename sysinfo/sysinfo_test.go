package sysinfo

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
	"github.com/kdive/kdive/vmcore"
)

const decls = `
struct clocksource { u64 mask; u32 mult; u32 shift; };
struct timespec64 { s64 tv_sec; long tv_nsec; };
struct tk_read_base { u32 mult; u32 shift; u64 xtime_nsec; };
struct timekeeper { struct tk_read_base tkr_mono; u64 xtime_sec; struct timespec64 wall_to_monotonic; };
struct new_utsname { char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65]; };
struct uts_namespace { struct { int refs; } kref; struct new_utsname name; };
struct pglist_data { int nr_zones; unsigned long node_present_pages, node_spanned_pages; };
struct taint_flag { char c_true; char c_false; bool module; };
enum dmi_field { DMI_NONE, DMI_BIOS_VENDOR, DMI_SYS_VENDOR = 4 };
`

// hzKernel has every variable that tells HZ, after up seconds.
func hzKernel(t *testing.T, hz, up uint64, extra string) *kerneltest.Kernel {
	k := kerneltest.New(t, decls, extra)
	for i, name := range []string{"clocksource_jiffies", "tick_nsec", "tick_length", "lpj_fine", "tsc_khz", "jiffies_64", "tk_core", "timekeeper_data", "tk_ntp_data"} {
		if strings.HasPrefix(name, "t") && strings.HasSuffix(name, "_data") && !strings.Contains(extra, name) || name == "tk_core" && !strings.Contains(extra, name) {
			continue
		}
		k.DefineSymbol(name, 0x1000+uint64(i)*0x100)
	}
	k.Put(0x1000, "clocksource.mult", (1e9+hz/2)/hz<<8)
	k.Put(0x1000, "clocksource.shift", 8)
	k.Words(0x1100, (1e9+hz/2)/hz)
	k.Words(0x1200, 1e9/hz<<32+12345)
	k.Words(0x1300, 2500000*1000/hz)
	k.Words(0x1400, 2500123)
	k.Words(0x1500, uint64(uint32(-300*int64(hz)))+up*hz)
	return k
}

const oldClock = "struct { u32 seq; struct timekeeper timekeeper; } tk_core;"

func setClock(k *kerneltest.Kernel, base, sec, boot uint64) {
	k.Put(base, "timekeeper.xtime_sec", sec)
	k.Put(base, "timekeeper.tkr_mono.shift", 8)
	k.Put(base, "timekeeper.tkr_mono.xtime_nsec", 500_000_000<<8)
	k.Put(base, "timekeeper.wall_to_monotonic.tv_sec", -boot)
}

func TestHZ(t *testing.T) {
	for _, hz := range []uint64{100, 250, 300, 1000} {
		k := hzKernel(t, hz, 4000, oldClock)
		setClock(k, 0x1608, 1_800_004_000, 1_800_000_000)
		got, err := ReadHZ(k)
		if err != nil || got.Value != hz || len(got.Evidence) != 5 || got.Doubts != nil {
			t.Errorf("%d: %v %v", hz, got, err)
		}
	}
}

func TestHZWhenOneProbeLies(t *testing.T) {
	k := hzKernel(t, 250, 4000, oldClock)
	setClock(k, 0x1608, 1_800_004_000, 1_800_000_000)
	k.Put(0x1000, "clocksource.mult", 1e6<<8)
	got, err := ReadHZ(k)
	if err != nil || got.Value != 250 || len(got.Evidence) != 4 || len(got.Doubts) != 1 {
		t.Error(got, err)
	}
	// Nothing can be read.
	k = hzKernel(t, 1000, 4000, oldClock)
	setClock(k, 0x1608, 1_800_004_000, 1_800_000_000)
	k.Fail(0x1000, fault.Excluded)
	if got, err := ReadHZ(k); err == nil {
		t.Error(got)
	}
}

func TestHZNearTheWrapOfJiffies(t *testing.T) {
	k := hzKernel(t, 250, 299, oldClock)
	setClock(k, 0x1608, 1_800_000_299, 1_800_000_000)
	got, err := ReadHZ(k)
	if err != nil || got.Value != 250 || len(got.Evidence) != 4 {
		t.Error(got, err)
	}
}

func TestClock(t *testing.T) {
	for _, tt := range []struct {
		name, decl string
		base       uint64
	}{
		{"tk_core", oldClock, 0x1608},
		{"timekeeper_data", "struct tk_data { u64 seq; u64 pad; struct timekeeper timekeeper; } timekeeper_data[2];", 0x1710},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := hzKernel(t, 250, 90061, tt.decl)
			setClock(k, tt.base, 1_800_090_061, 1_800_000_000)
			c, err := ReadClock(k)
			if err != nil || c.Date.Unix() != 1_800_090_061 || c.Boot.Unix() != 1_800_000_000 || c.Uptime != 90061*time.Second || c.HZ.Value != 250 {
				t.Errorf("%+v %v", c, err)
			}
			k.Put(tt.base, "timekeeper.xtime_sec", 1<<60)
			if c, err := ReadClock(k); err == nil || c.Uptime == 0 || !c.Date.IsZero() {
				t.Errorf("%+v %v", c, err)
			}
		})
	}
}

func TestUptimeNeverOverflows(t *testing.T) {
	for _, j := range []uint64{0, 1, math.MaxUint64, 1 << 63, 4294892296} {
		for _, hz := range []uint64{0, 1, 250, 10000} {
			if d := sinceBoot(j, hz); d < 0 {
				t.Errorf("sinceBoot(%d, %d) = %v", j, hz, d)
			}
		}
	}
}

func TestNames(t *testing.T) {
	k := kerneltest.New(t, decls)
	k.DefineSymbol("init_uts_ns", 0x1000)
	k.Map(0x1000, 0x400)
	for _, m := range []string{"sysname", "nodename", "release", "version", "machine", "domainname"} {
		k.PutString(0x1000, "uts_namespace.name."+m, "the "+m)
	}
	want := Names{"the sysname", "the nodename", "the release", "the version", "the machine", "the domainname"}
	if n, err := ReadNames(k); err != nil || n != want {
		t.Error(n, err)
	}
	k.NoDebugInfo = true
	k.Info, _ = vmcore.ParseVMCoreInfo([]byte("OSRELEASE=the release\nSYMBOL(init_uts_ns)=1000\n"))
	if n, err := ReadNames(k); err != nil || n != want {
		t.Errorf("%+v %v", n, err)
	}
	k.Info, _ = vmcore.ParseVMCoreInfo([]byte("OSRELEASE=another\nSYMBOL(init_uts_ns)=1000\n"))
	if n, err := ReadNames(k); err != nil || n != (Names{Release: "another"}) {
		t.Errorf("%+v %v", n, err)
	}
	k.Info = nil
	if _, err := ReadNames(k); err == nil {
		t.Error("names out of nothing")
	}
}

func TestMemory(t *testing.T) {
	k := kerneltest.New(t, decls, "struct pglist_data *node_data[4];")
	check := func(present, spanned uint64, why fault.Reason) {
		t.Helper()
		size, err := Memory(k)
		if size != (MemorySize{Present: present * 4096, Spanned: spanned * 4096}) || fault.ReasonOf(err) != why {
			t.Error(size, err)
		}
	}
	k.DefineSymbol("contig_page_data", 0x2000)
	k.Put(0x2000, "pglist_data.node_present_pages", 10)
	k.Put(0x2000, "pglist_data.node_spanned_pages", 12)
	check(10, 12, 0)
	k.DefineSymbol("node_data", 0x1000)
	k.Words(0x1000, 0x2000, 0, 0x3000, 0)
	k.Put(0x3000, "pglist_data.node_present_pages", 5)
	k.Put(0x3000, "pglist_data.node_spanned_pages", 6)
	check(15, 18, 0)
	k.Fail(0x3000, fault.Truncated)
	check(10, 12, fault.Truncated)
}

func TestLoad(t *testing.T) {
	k := kerneltest.New(t)
	if _, err := ReadLoad(k); err == nil {
		t.Error("no error")
	}
	k.DefineSymbol("avenrun", 0x1000)
	k.Words(0x1000, 164, 34, 2048*3+2047)
	if l, err := ReadLoad(k); err != nil || l.String() != "0.08, 0.02, 4.00" {
		t.Error(l, err)
	}
}

func TestTaint(t *testing.T) {
	k := kerneltest.New(t, decls, "struct taint_flag taint_flags[3];")
	k.DefineSymbol("tainted_mask", 0x1000)
	k.Words(0x1000, 1<<12|1<<13|1<<40)
	if ta, err := ReadTaint(k); err != nil || ta.Flags != "OE(40)" {
		t.Error(ta, err)
	}
	k.DefineSymbol("taint_flags", 0x1100)
	k.Bytes(0x1100, []byte("aA\x00bB\x00cC\x00"))
	k.Words(0x1000, 5)
	if ta, err := ReadTaint(k); err != nil || ta.Flags != "ac" {
		t.Error(ta, err)
	}
}

func TestDMI(t *testing.T) {
	k := kerneltest.New(t, decls)
	k.DefineSymbol("dmi_ident", 0x1000)
	k.Words(0x1000, 0, 0x2ffe, 0, 0, 0x3100)
	k.Bytes(0x2ffe, []byte("SeaBIOS\x00"))
	k.Bytes(0x3100, []byte("\x00"))
	d, err := ReadDMI(k)
	if err != nil || fmt.Sprint(d) != "[{DMI_BIOS_VENDOR SeaBIOS} {DMI_SYS_VENDOR }]" {
		t.Error(d, err)
	}
}

func TestCPUs(t *testing.T) {
	k := kerneltest.New(t)
	k.Present, k.Online = []int{0, 1, 2}, []int{1}
	if p, o, err := CPUs(k); p != 3 || o != 2 || err != nil {
		t.Error(p, o, err)
	}
}
