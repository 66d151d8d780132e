package mm

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/kdive/kdive/kernel"
)

type flagNeeds struct {
	Table kernel.Sym   `need:"vmaflag_names"`
	Size  kernel.Size  `need:"trace_print_flags"`
	Mask  kernel.Field `need:"trace_print_flags.mask"`
	Name  kernel.Field `need:"trace_print_flags.name"`
}

// AreaFlags names the VM_* flags of areas.
type AreaFlags [64]string

// fixedAreaFlags are those that never changed, lowest bit first, for dumps that
// do not hold the kernel's table (include/linux/mm.h).
var fixedAreaFlags = []string{"READ", "WRITE", "EXEC", "SHARED", "MAYREAD", "MAYWRITE", "MAYEXEC", "MAYSHARE", "GROWSDOWN"}

// LoadAreaFlags reads the table of names that the kernel prints flags with
// (vmaflag_names, mm/debug.c): which bit means what differs between kernels and
// configurations. With an error only the flags that never changed have names.
func LoadAreaFlags(k kernel.View) (*AreaFlags, error) {
	f := &AreaFlags{}
	copy(f[:], fixedAreaFlags)
	var n flagNeeds
	if err := k.Bind(&n); err != nil {
		return f, fmt.Errorf("names of area flags: %w", err)
	}
	size := int64(n.Size)
	if size <= 0 || size > 256 {
		return f, fmt.Errorf("names of area flags: an entry of the table has %d bytes", size)
	}
	entry := make([]byte, size)
	for at, left := uint64(n.Table), 128; ; at, left = at+uint64(size), left-1 {
		if err := k.Read(entry, at); err != nil {
			return f, fmt.Errorf("names of area flags: %w", err)
		}
		mask, name := n.Mask.In(entry), n.Name.In(entry)
		if name == 0 {
			return f, nil
		}
		if left == 0 {
			return f, fmt.Errorf("names of area flags: the table at %#x has no end", uint64(n.Table))
		}
		text, err := flagName(k, name)
		if err != nil {
			return f, fmt.Errorf("names of area flags: %w", err)
		}
		if bits.OnesCount64(mask) == 1 { // 0 is a flag that this kernel does without
			f[bits.TrailingZeros64(mask)] = text
		}
	}
}

func flagName(k kernel.View, addr uint64) (string, error) {
	var b [32]byte
	if err := k.Read(b[:], addr); err != nil {
		return "", err
	}
	name, _, _ := strings.Cut(string(b[:]), "\x00")
	return strings.ToUpper(name), nil
}

// Names are the names of the flags that are set, lowest bit first; of a bit
// without a name, the bit.
func (f *AreaFlags) Names(flags uint64) []string {
	var names []string
	for ; flags != 0; flags &= flags - 1 {
		bit := bits.TrailingZeros64(flags)
		if f[bit] != "" {
			names = append(names, f[bit])
		} else {
			names = append(names, fmt.Sprintf("%#x", uint64(1)<<bit))
		}
	}
	return names
}
