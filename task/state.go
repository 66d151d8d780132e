package task

import (
	"encoding/binary"
	"math/bits"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// State is what a task does.
type State struct {
	Bits uint64 // task_struct.__state
	Exit uint64 // task_struct.exit_state
}

// states are the names of task states. The kernel's own table of them, the one
// behind /proc/PID/stat, says which bits there are: entry i belongs to bit i-1.
type states struct {
	names  []string // "R (running)", "S (sleeping)", ...
	idle   int      // index of "I (idle)", 0 if the kernel has none
	report uint64   // bits that have a name
}

// knownStates is the table since 4.14, for dumps that do not hold it.
var knownStates = []string{"R (running)", "S (sleeping)", "D (disk sleep)", "T (stopped)", "t (tracing stop)",
	"X (dead)", "Z (zombie)", "P (parked)", "I (idle)"}

const (
	maxStates    = 32
	maxStateName = 16 // bytes
)

func loadStates(k kernel.View, fault func(string, ...any)) *states {
	names, err := readStates(k)
	if err != nil {
		fault("task_state_array: %w; the names of task states are those of other kernels", err)
		names = knownStates
	}
	s := &states{names: names}
	for i, n := range names {
		switch {
		case strings.HasPrefix(n, "I"):
			s.idle = i
		case i > 0:
			s.report |= 1 << (i - 1)
		}
	}
	return s
}

func readStates(k kernel.View) ([]string, error) {
	t, err := k.VariableType("task_state_array")
	if err != nil {
		return nil, err
	}
	var need struct {
		Array kernel.Sym `need:"task_state_array"`
	}
	if err := k.Bind(&need); err != nil {
		return nil, err
	}
	n := min(max(t.Underlying().Count(), 0), maxStates)
	b := make([]byte, n*8)
	if err := k.Read(b, uint64(need.Array)); err != nil {
		return nil, err
	}
	var names []string
	for ; len(b) > 0; b = b[8:] {
		s, err := value.CString(k, binary.LittleEndian.Uint64(b), maxStateName)
		if err != nil {
			return nil, err
		}
		names = append(names, s)
	}
	return names, nil
}

// The bits above those with a name follow in this order since 4.14 (TASK_DEAD,
// TASK_WAKEKILL, TASK_WAKING, TASK_NOLOAD, TASK_NEW in include/linux/sched.h).
const (
	deadBit = iota
	_
	wakingBit
	noloadBit
	newBit
)

// above is the n-th bit above those that have a name.
func (s *states) above(n int) uint64 { return 1 << (bits.Len64(s.report) + n) }

// StateName is the kernel's name of the state, "S (sleeping)"; a task that has
// none is running.
func (t *Table) StateName(st State) string { return t.states.names[t.states.indexOf(st)] }

// indexOf does what the kernel's task_state_index does.
func (s *states) indexOf(st State) int {
	uninterruptible := s.find('D')
	if idle := s.above(noloadBit) | uninterruptible; s.idle != 0 && uninterruptible != 0 && st.Bits&idle == idle && st.Exit == 0 {
		return s.idle
	}
	return min(bits.Len64((st.Bits|st.Exit)&s.report), len(s.names)-1)
}

// find is the bit of the state that letter stands for.
func (s *states) find(letter byte) uint64 {
	for i, n := range s.names {
		if i > 0 && n != "" && n[0] == letter {
			return 1 << (i - 1)
		}
	}
	return 0
}

// StateCode is the two-letter name that crash users know: RU IN UN ST TR ZO DE
// PA ID WA NE, and ?? for bits without a name.
func (t *Table) StateCode(st State) string {
	s := t.states
	if (st.Bits|st.Exit)&s.report == 0 && st.Bits != 0 {
		switch {
		case st.Bits&s.above(deadBit) != 0:
			return "DE"
		case st.Bits&s.above(wakingBit) != 0:
			return "WA"
		case st.Bits&s.above(newBit) != 0:
			return "NE"
		}
		return "??"
	}
	if code, ok := stateCodes[(t.StateName(st) + "?")[0]]; ok {
		return code
	}
	return "??"
}

var stateCodes = map[byte]string{'R': "RU", 'S': "IN", 'D': "UN", 'T': "ST", 't': "TR", 'X': "DE", 'Z': "ZO", 'P': "PA", 'I': "ID", 'W': "WA"}
