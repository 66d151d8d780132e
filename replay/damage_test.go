package replay_test

import (
	"math/rand/v2"
	"testing"

	"github.com/kdive/kdive/frame"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/replay"
)

// noisy is a kernel of which every so many bytes that are read are wrong, and
// every so many reads fail.
type noisy struct {
	*kernel.Kernel
	random *rand.Rand
	every  int
}

func (n *noisy) Read(p []byte, addr uint64) error {
	if n.random.IntN(n.every) == 0 {
		return n.Kernel.Read(p, 8) // is not mapped
	}
	err := n.Kernel.Read(p, addr)
	for i := n.random.IntN(n.every); i < len(p); i += 1 + n.random.IntN(2*n.every) {
		p[i] = byte(n.random.Uint32())
	}
	return err
}

// TestDamage replays code, tables and stacks that are damaged: it must come to an
// end without a panic.
func TestDamage(t *testing.T) {
	opened, list := dump(t)
	found := 0
	for seed := range uint64(40) {
		v := &noisy{opened.Kernel, rand.New(rand.NewPCG(seed, 1)), 20 << (seed % 6)}
		m := replay.New(v, nil)
		model := frame.New(v)
		model.Recover = m
		for k, tr := range list {
			if uint64(k)%8 != seed%8 {
				continue
			}
			tr := m.Extend(tr)
			for i := range tr.Frames {
				levels, _ := model.Levels(tr, i)
				found += len(levels)
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d levels", found)
	}
}
