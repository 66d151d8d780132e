package kernel

import (
	"errors"
	"testing"

	"github.com/kdive/kdive/debuginfo"
)

// A dump can have the mask of possible CPUs and lack the offsets of their areas.
func TestFindPerCPUWithoutOffsets(t *testing.T) {
	k := &Kernel{Info: new(debuginfo.Info), percpu: perCPU{start: 0, end: 0x1000, possible: []int{0, 1}, err: errors.New("damaged")}}
	if s, cpu, ok := k.FindPerCPU(0x10); ok {
		t.Errorf("found %v of CPU %d", s, cpu)
	}
}
