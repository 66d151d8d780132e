package kernel

import "context"

// directMapInTables looks for a mapping of low memory at an address where the
// direct map can begin: randomised, it lies on 1 GiB (arch/x86/mm/kaslr.c). It
// is the way without symbols.
func (k *Kernel) directMapInTables() (uint64, bool) {
	const kernelHalf, maxTried = 1 << 63, 1 << 16
	tried := 0
	for e, err := range k.place.tables.Mappings(context.Background(), kernelHalf, StartKernelMap-1) {
		if base := e.Vaddr - e.Paddr; err == nil && base&(1<<30-1) == 0 {
			if mapped, _ := k.mapsLow(base); mapped {
				return base, true
			}
		}
		if tried++; tried == maxTried { // it is the lowest area of the kernel's half
			break
		}
	}
	return 0, false
}
