package mm

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/kdive/kdive/kernel"
)

// AreaFlags names the VM_* flags of areas.
type AreaFlags [64]string

// fixedAreaFlags are those that never changed, lowest bit first, for dumps that
// do not hold the kernel's table (include/linux/mm.h).
var fixedAreaFlags = []string{"READ", "WRITE", "EXEC", "SHARED", "MAYREAD", "MAYWRITE", "MAYEXEC", "MAYSHARE", "GROWSDOWN"}

// maxAreaFlags bounds the kernel's table, which also has the flags that this
// kernel does without.
const maxAreaFlags = 128

// LoadAreaFlags reads the table of names that the kernel prints flags with
// (vmaflag_names, mm/debug.c): which bit means what differs between kernels and
// configurations. With an error only the flags that never changed, and those
// that the table has before it, have names.
func LoadAreaFlags(k kernel.View) (*AreaFlags, error) {
	f := &AreaFlags{}
	copy(f[:], fixedAreaFlags)
	table, err := flagTable(k, "vmaflag_names", maxAreaFlags)
	for _, x := range table {
		if bits.OnesCount64(x.mask) == 1 {
			f[bits.TrailingZeros64(x.mask)] = strings.ToUpper(x.name)
		}
	}
	if err != nil {
		err = fmt.Errorf("names of area flags: %w", err)
	}
	return f, err
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
