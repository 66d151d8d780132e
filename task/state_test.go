package task

import (
	"testing"

	"github.com/kdive/kdive/fault"
)

func TestStates(t *testing.T) {
	both(t, func(t *testing.T, old bool) {
		k := standard(t, old)
		tab := load(t, k)
		for _, tt := range []struct {
			st   State
			code string
			name string
		}{
			{State{}, "RU", "R (running)"},
			{State{Bits: 1}, "IN", "S (sleeping)"},
			{State{Bits: 0x2001}, "IN", "S (sleeping)"}, // freezable
			{State{Bits: 2}, "UN", "D (disk sleep)"},
			{State{Bits: 0x102}, "UN", "D (disk sleep)"}, // killable
			{State{Bits: 0x402}, "ID", "I (idle)"},
			{State{Bits: 4}, "ST", "T (stopped)"},
			{State{Bits: 8}, "TR", "t (tracing stop)"},
			{State{Bits: 0x40}, "PA", "P (parked)"},
			{State{Bits: 0x80}, "DE", "R (running)"},
			{State{Bits: 0x80, Exit: 0x20}, "ZO", "Z (zombie)"},
			{State{Exit: 0x10}, "DE", "X (dead)"},
			{State{Bits: 0x200}, "WA", "R (running)"},
			{State{Bits: 0x800}, "NE", "R (running)"},
			{State{Bits: 0x400000}, "??", "R (running)"},
		} {
			if c, n := tab.StateCode(tt.st), tab.StateName(tt.st); c != tt.code || n != tt.name {
				t.Errorf("%+v: %s %s, want %s %s", tt.st, c, n, tt.code, tt.name)
			}
		}
	})
}

func TestStatesFollowTheKernelsTable(t *testing.T) {
	k := standard(t, false)
	// Another order: D before S, no parked and no idle.
	for i, s := range []string{"R (running)", "D (disk sleep)", "S (sleeping)", "T (stopped)"} {
		k.Bytes(statesAt+0x100+uint64(i)*32, []byte(s+"\x00"))
	}
	tab := load(t, k)
	if c := tab.StateCode(State{Bits: 1}); c != "UN" {
		t.Error(c)
	}
	k.Fail(statesAt, fault.Excluded)
	tab = load(t, k)
	if c := tab.StateCode(State{Bits: 1}); c != "IN" || len(tab.Faults) != 1 {
		t.Error(c, tab.Faults)
	}
}
