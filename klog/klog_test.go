package klog

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
	"github.com/kdive/kdive/vmcore"
)

const ringDecls = `
struct atomic_long { long counter; };
struct prb_data_blk_lpos { unsigned long begin, next; };
struct prb_desc { struct atomic_long state_var; struct prb_data_blk_lpos text_blk_lpos; };
struct dev_printk_info { char subsystem[16]; char device[48]; };
struct printk_info { u64 seq; u64 ts_nsec; u16 text_len; u8 facility; u8 flags:5; u8 level:3; u32 caller_id; struct dev_printk_info dev_info; };
struct prb_desc_ring { unsigned int count_bits; struct prb_desc *descs; struct printk_info *infos; struct atomic_long head_id, tail_id; };
struct prb_data_ring { unsigned int size_bits; char *data; struct atomic_long head_lpos, tail_lpos; };
struct printk_ringbuffer { struct prb_desc_ring desc_ring; struct prb_data_ring text_data_ring; struct atomic_long fail; };
`

// ringInfo is what VMCOREINFO says of the same layout.
const ringInfo = `SYMBOL(prb)=1000
SIZE(printk_ringbuffer)=80
OFFSET(printk_ringbuffer.desc_ring)=0
OFFSET(printk_ringbuffer.text_data_ring)=40
SIZE(prb_desc_ring)=40
OFFSET(prb_desc_ring.count_bits)=0
OFFSET(prb_desc_ring.descs)=8
OFFSET(prb_desc_ring.infos)=16
OFFSET(prb_desc_ring.head_id)=24
OFFSET(prb_desc_ring.tail_id)=32
SIZE(prb_desc)=24
OFFSET(prb_desc.state_var)=0
OFFSET(prb_desc.text_blk_lpos)=8
OFFSET(prb_data_blk_lpos.begin)=0
OFFSET(prb_data_blk_lpos.next)=8
SIZE(printk_info)=88
OFFSET(printk_info.seq)=0
OFFSET(printk_info.ts_nsec)=8
OFFSET(printk_info.text_len)=16
OFFSET(printk_info.caller_id)=20
OFFSET(printk_info.dev_info)=24
OFFSET(dev_printk_info.subsystem)=0
LENGTH(printk_info_subsystem)=16
OFFSET(dev_printk_info.device)=16
LENGTH(printk_info_device)=48
OFFSET(prb_data_ring.size_bits)=0
OFFSET(prb_data_ring.data)=8
`

const (
	prbAt, ringAt = 0x1000, 0x1100
	descsAt       = 0x2ff0 // crosses a page
	infosAt       = 0x4000
	textAt        = 0x8000
	countBits     = 2
	textBits      = 7
)

type fakeRing struct{ *kerneltest.Kernel }

func newRing(t testing.TB) fakeRing {
	k := fakeRing{kerneltest.New(t, ringDecls)}
	k.DefineSymbol("prb", prbAt)
	k.Words(prbAt, ringAt)
	k.Map(ringAt, 0x100)
	k.Put(ringAt, "printk_ringbuffer.desc_ring.count_bits", countBits)
	k.Put(ringAt, "printk_ringbuffer.desc_ring.descs", descsAt)
	k.Put(ringAt, "printk_ringbuffer.desc_ring.infos", infosAt)
	k.Put(ringAt, "printk_ringbuffer.text_data_ring.size_bits", textBits)
	k.Put(ringAt, "printk_ringbuffer.text_data_ring.data", textAt)
	k.Map(descsAt, 24<<countBits)
	k.Map(infosAt, 88<<countBits)
	k.Map(textAt, 1<<textBits)
	return k
}

// put stores a record whose text block begins at position begin and returns
// the position behind it.
func (k fakeRing) put(id, state, begin uint64, text string) uint64 {
	size := uint64(1) << textBits
	next := begin + (8+uint64(len(text))+7)&^7
	at := begin % size
	if begin/size != (next-1)/size { // does not fit before the end
		next = (begin/size+1)*size + next - begin
		at = 0
	}
	k.Bytes(textAt+at, append(binary.LittleEndian.AppendUint64(nil, id), text...))
	k.desc(id, state, begin, next)
	k.info(id, text)
	return next
}

func (k fakeRing) desc(id, state, begin, next uint64) {
	k.Words(descsAt+id%(1<<countBits)*24, id|state<<62, begin, next)
}

func (k fakeRing) info(id uint64, text string) {
	i := infosAt + id%(1<<countBits)*88
	k.Put(i, "printk_info.seq", id-idBase)
	k.Put(i, "printk_info.ts_nsec", 1000*(id-idBase))
	k.Put(i, "printk_info.text_len", uint64(len(text)))
	k.Bytes(i+19, []byte{6<<5 | 8}) // flags and level
	k.Put(i, "printk_info.facility", 3)
	k.Put(i, "printk_info.caller_id", 1<<31|5)
	k.PutString(i, "printk_info.dev_info.subsystem", "pci\x00")
	k.PutString(i, "printk_info.dev_info.device", "+pci:0\x00")
}

func (k fakeRing) limits(tail, head uint64) {
	k.Put(ringAt, "printk_ringbuffer.desc_ring.tail_id", tail)
	k.Put(ringAt, "printk_ringbuffer.desc_ring.head_id", head|2<<62)
}

// idBase is near the end of identifiers, as the kernel's first is.
const idBase = idMask - 5

func texts(k fakeRing) string {
	var out []string
	for r, err := range Records(k) {
		if err != nil {
			out = append(out, "!"+err.Error())
		} else {
			out = append(out, fmt.Sprintf("%d:%s", r.Seq, r.Text))
		}
		if len(out) > 100 {
			break
		}
	}
	return strings.Join(out, " ")
}

func fill(k fakeRing) {
	pos := k.put(idBase+1, stateFinalized, 0x8000-56, "twelve chars") // 24 bytes
	pos = k.put(idBase+2, stateFinalized, pos, "to the very end, 24 byte")
	pos = k.put(idBase+3, stateCommitted, pos, "start")
	k.desc(idBase+4, stateFinalized, 3, 3)
	k.info(idBase+4, "")
	_ = pos
	k.limits(idBase+1, idBase+4)
}

func TestRing(t *testing.T) {
	k := newRing(t)
	fill(k)
	const want = "1:twelve chars 2:to the very end, 24 byte 3:start 4:"
	if got := texts(k); got != want {
		t.Errorf("got %s", got)
	}
	for r := range Records(k) {
		cpu, ok := r.Caller.CPU()
		if r.Level != 6 || r.Facility != 3 || r.Flags != Continuation || r.Time != 1000*r.Seq || cpu != 5 || !ok ||
			r.Subsystem != "pci" || r.Device != "+pci:0" || r.Priority() != 30 || r.Caller.String() != "C5" {
			t.Errorf("%+v", r)
		}
	}
	if last := Last(k, 2); len(last) != 2 || last[1].Seq != 4 || last[0].Text != "start" {
		t.Errorf("%+v", last)
	}
}

func TestRingFromVMCoreInfo(t *testing.T) {
	k := newRing(t)
	fill(k)
	var want []Record
	for r := range Records(k) {
		want = append(want, r)
	}
	k.NoDebugInfo = true
	if got := texts(k); !strings.Contains(got, ErrNoLog.Error()) {
		t.Error(got)
	}
	info, err := vmcore.ParseVMCoreInfo([]byte(ringInfo))
	if err != nil {
		t.Fatal(err)
	}
	k.Info = info
	i := 0
	for r, err := range Records(k) {
		if err != nil || r != want[i] {
			t.Errorf("%+v %v, want %+v", r, err, want[i])
		}
		i++
	}
	if i != len(want) {
		t.Errorf("%d records, want %d", i, len(want))
	}
	k.Info, _ = vmcore.ParseVMCoreInfo([]byte(strings.Replace(ringInfo, "OFFSET(printk_info.seq)=0\n", "", 1)))
	if got := texts(k); !strings.Contains(got, "printk_info.seq") {
		t.Error(got)
	}
}

func TestRingWrapsOldStyle(t *testing.T) {
	// A block that does not fit before the end lies at the start.
	k := newRing(t)
	k.put(idBase+1, stateFinalized, 0x8000-16, "longer than it fits")
	k.limits(idBase+1, idBase+1)
	if got := texts(k); got != "1:longer than it fits" {
		t.Error(got)
	}
}

func TestRingDamage(t *testing.T) {
	tests := []struct {
		name string
		do   func(k fakeRing)
		want string // each word of it has to appear; "!" alone means an error
	}{
		{"reserved", func(k fakeRing) { k.desc(idBase+2, stateReserved, 0, 0) }, "1:twelve chars 3:start 4:"},
		{"reusable", func(k fakeRing) { k.desc(idBase+4-4, stateReusable, 0, 0) }, "1:twelve chars 2:to the very end, 24 byte 3:start"},
		{"foreign descriptor", func(k fakeRing) { k.Words(descsAt+(idBase+2)%4*24, 77|2<<62) }, "1:twelve chars !log record 0x3ffffffffffffffc: damaged: its descriptor belongs to 0x4d 3:start 4:"},
		{"foreign block", func(k fakeRing) { k.Words(textAt+(0x8000-56)%(1<<textBits), 99) },
			"!log record 0x3ffffffffffffffb (1): text: damaged: the block belongs to record 0x63 2:to the very end, 24 byte 3:start 4:"},
		{"positions", func(k fakeRing) { k.desc(idBase+2, stateFinalized, 0x100, 0x10) },
			"1:twelve chars !log record 0x3ffffffffffffffc (2): text: damaged: block from 0x100 to 0x10 3:start 4:"},
		{"no text", func(k fakeRing) { k.desc(idBase+4, stateFinalized, 1, 1) }, "1:twelve chars 2:to the very end, 24 byte 3:start 4:"},
		{"limits", func(k fakeRing) { k.limits(5, idBase+4) },
			"!kernel log: damaged ring: head 0x3ffffffffffffffe and tail 0x5 are too far apart; records taken from all descriptors 1:twelve chars 2:to the very end, 24 byte 3:start 4:"},
		{"bits", func(k fakeRing) { k.Put(ringAt, "printk_ringbuffer.desc_ring.count_bits", 60) }, "!kernel log: damaged ring: 60 bits of descriptors, 7 bits of text"},
		{"descriptors unreadable", func(k fakeRing) { k.Fail(descsAt+0x1000, fault.Truncated) }, ""},
		{"text unreadable", func(k fakeRing) { k.Fail(textAt, fault.Excluded) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newRing(t)
			fill(k)
			tt.do(k)
			got := texts(k)
			if tt.want != "" && got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			switch tt.name {
			case "descriptors unreadable": // one of four lies on the first page
				if strings.Count(got, "truncated") != 4 && !strings.Contains(got, "!") {
					t.Error(got)
				}
			case "text unreadable":
				if strings.Count(got, "page excluded") != 3 || !strings.HasSuffix(got, "4:") {
					t.Error(got)
				}
			case "no text":
				if last := Last(k, 1); !last[0].NoText {
					t.Error("NoText is not set")
				}
			}
		})
	}
}

func TestRingOfNothing(t *testing.T) {
	// Sizes that the dump invents, and nothing behind them.
	k := newRing(t)
	fill(k)
	k.Put(ringAt, "printk_ringbuffer.desc_ring.count_bits", maxCountBits)
	k.Put(ringAt, "printk_ringbuffer.desc_ring.descs", 0xdead0000)
	k.limits(0, 1<<maxCountBits-1)
	n, last := 0, error(nil)
	for _, err := range Records(k) {
		n, last = n+1, err
	}
	if n != maxFaults+1 || !strings.Contains(last.Error(), "the rest is lost") {
		t.Error(n, last)
	}
	k.limits(5, 4)
	n = 0
	for range Records(k) {
		n++
	}
	if n != 1 {
		t.Error(n)
	}
}

const recordDecls = `struct printk_log { u64 ts_nsec; u16 len; u16 text_len; u16 dict_len; u8 facility; u8 flags:5; u8 level:3; };`

func newRecordLog(t testing.TB) *kerneltest.Kernel {
	k := kerneltest.New(t, recordDecls)
	for i, name := range []string{"log_buf", "log_buf_len", "log_first_idx", "log_next_idx", "log_first_seq"} {
		k.DefineSymbol(name, 0x1000+uint64(i)*8)
	}
	k.Words(0x1000, 0x8000, 128, 64, 48, 10)
	k.Map(0x8000, 128)
	put := func(at uint64, text, dict string) {
		k.Put(at, "printk_log.ts_nsec", 5)
		k.Put(at, "printk_log.len", uint64(16+len(text)+len(dict)+7)&^7)
		k.Put(at, "printk_log.text_len", uint64(len(text)))
		k.Put(at, "printk_log.dict_len", uint64(len(dict)))
		k.Bytes(at+15, []byte{4<<5 | 2})
		k.Bytes(at+16, []byte(text+dict))
	}
	put(0x8000+64, "one", "SUBSYSTEM=usb\x00DEVICE=c189:2") // 64..112, then an end mark
	put(0x8000, "two", "")
	put(0x8000+24, "three", "")
	return k
}

func TestRecordLog(t *testing.T) {
	k := fakeRing{newRecordLog(t)}
	if got := texts(k); got != "10:one 11:two 12:three" {
		t.Error(got)
	}
	for r := range Records(k) {
		if r.Level != 4 || r.Flags != Newline || r.Time != 5 {
			t.Errorf("%+v", r)
		}
		if r.Seq == 10 && (r.Subsystem != "usb" || r.Device != "c189:2") {
			t.Errorf("%+v", r)
		}
	}
	k.NoDebugInfo = true
	k.Info, _ = vmcore.ParseVMCoreInfo([]byte("SYMBOL(log_buf)=1000\nSYMBOL(log_buf_len)=1008\nSYMBOL(log_first_idx)=1010\nSYMBOL(log_next_idx)=1018\n" +
		"SIZE(printk_log)=16\nOFFSET(printk_log.ts_nsec)=0\nOFFSET(printk_log.len)=8\nOFFSET(printk_log.text_len)=10\nOFFSET(printk_log.dict_len)=12\n"))
	if got := texts(k); got != "0:one 1:two 2:three" {
		t.Error(got)
	}
	if last := Last(k, 1); last[0].Level != 4 || last[0].Flags != Newline {
		t.Errorf("%+v", last)
	}
}

func TestRecordLogDamage(t *testing.T) {
	k := fakeRing{newRecordLog(t)}
	k.Put(0x8000+24, "printk_log.text_len", 500)
	if got := texts(k); got != "10:one 11:two !log record 12: damaged: 500 bytes of text and 0 of dictionary in 24" {
		t.Error(got)
	}
	k.Put(0x8000, "printk_log.len", 4)
	if got := texts(k); !strings.Contains(got, "record 11 has length 4") {
		t.Error(got)
	}
	k.Put(0x8000, "printk_log.len", 0) // an end mark at the start, for ever
	if got := texts(k); !strings.Contains(got, "length 0") {
		t.Error(got)
	}
	k.Words(0x1018, 1000)
	if got := texts(k); !strings.Contains(got, "damaged: buffer of 128 bytes") {
		t.Error(got)
	}
}

// FuzzRing lets every byte of the ring and of its arrays be anything.
func FuzzRing(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint16(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, uint16(0x118))
	f.Fuzz(func(t *testing.T, b []byte, at uint16) {
		k := newRing(t)
		fill(k)
		k.Map(0x1000, 0x10000)
		if len(b) > 4096 {
			b = b[:4096]
		}
		k.Bytes(0x1000+uint64(at)%0xf000, b)
		n := 0
		for range Records(k) {
			if n++; n > 1<<20 {
				break
			}
		}
	})
}

// FuzzRecordLog does the same for the older format.
func FuzzRecordLog(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0}, uint8(8))
	f.Fuzz(func(t *testing.T, b []byte, at uint8) {
		k := newRecordLog(t)
		k.Bytes(0x8000+uint64(at)%128, b[:min(len(b), 128)])
		n := 0
		for range Records(k) {
			if n++; n > 1000 {
				t.Fatal("endless")
			}
		}
	})
}
