package kernel

import "fmt"

// UserTables are the page tables of a user address space, from the value of
// its mm_struct.pgd (a kernel virtual address). With page-table isolation the
// kernel's half of the pair is used, which maps all of user space.
func (k *Kernel) UserTables(pgd uint64) (*PageTables, error) {
	if k.place.tables == nil {
		return nil, ErrNoDebugInfo
	}
	root, _, err := k.Translate(pgd)
	if err != nil {
		return nil, fmt.Errorf("page table root: %w", err)
	}
	return NewPageTables(k.Dump, root, k.place.levels, k.place.encMask), nil
}
