package replay

import (
	"slices"
	"strings"

	"github.com/kdive/kdive/disasm"
)

// jumps is how a function, or a part of one that has a symbol, is left by jumps.
type jumps struct {
	to       []jump
	indirect bool // it may also lead anywhere
}

type jump struct{ pc, target uint64 }

const (
	// maxSearch bounds how many functions are looked at for one chain.
	maxSearch = 1 << 12
	// dispatcher is how many functions a function must leave to for being a switch
	// over functions: of those that it does not leave to by itself, what they may
	// call through pointers is not looked at.
	dispatcher = 16
)

// jumpsOf decodes the code of the symbol at start. It is not the analysis of
// package symbolic, for there are hundreds to look at.
func (m *Model) jumpsOf(start uint64) *jumps {
	m.mu.Lock()
	defer m.mu.Unlock()
	if j, ok := m.leaves[start]; ok {
		return j
	}
	if len(m.leaves) >= maxSearch*4 {
		clear(m.leaves)
	}
	j := m.findJumps(start)
	m.leaves[start] = j
	return j
}

func (m *Model) findJumps(start uint64) *jumps {
	s, ok := m.v.FindSymbol(start)
	if !ok || s.Addr != start || s.Size == 0 || s.Size > maxPiece {
		return &jumps{indirect: true}
	}
	code := make([]byte, s.Size)
	if m.v.Read(code, start) != nil {
		return &jumps{indirect: true}
	}
	j := &jumps{}
	for off := 0; off < len(code); {
		in, err := disasm.AMD64.Decode(code[off:], start+uint64(off))
		if err != nil {
			break
		}
		off += in.Len
		if in.Flow != disasm.Jump && in.Flow != disasm.CondJump {
			continue
		}
		to, direct := in.Target()
		if direct {
			_, indirect := m.thunk(to)
			direct = !indirect
		}
		switch {
		case !direct:
			j.indirect = true
		case to-start >= s.Size:
			j.to = append(j.to, jump{in.PC, to})
		}
	}
	return j
}

// chain is the jumps by which the function at from leads to the one at to, the
// first first: nil if it does not, or if it may in more than one way.
func (m *Model) chain(from, to uint64) []uint64 {
	key := [2]uint64{from, to}
	m.mu.Lock()
	list, ok := m.chains[key]
	m.mu.Unlock()
	if ok {
		return list
	}
	list = m.findChain(from, to)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.chains) >= maxFuncs {
		clear(m.chains)
	}
	m.chains[key] = list
	return list
}

func (m *Model) findChain(from, to uint64) []uint64 {
	first := m.jumpsOf(from)
	if first.indirect {
		return nil
	}
	distinct := map[uint64]bool{}
	for _, j := range first.to {
		distinct[m.through(j.target)] = true
	}
	s := &search{m: m, to: to, blind: len(distinct) >= dispatcher, ways: map[uint64]route{from: {}}, entered: map[uint64]int{}}
	s.run(from)
	end, ok := s.ways[to]
	if s.failed || !ok || to == from {
		return nil
	}
	// It is the only way if each function on it is entered once.
	for _, f := range append(end.funcs, to) {
		if f != from && s.entered[f] != 1 || f == from && s.entered[f] != 0 {
			return nil
		}
	}
	return end.jumps
}

// search looks for all ways from one function to another, the shortest first.
type search struct {
	m       *Model
	to      uint64
	ways    map[uint64]route // to each function that was found
	entered map[uint64]int   // how many jumps lead to its start
	blind   bool             // do not mind jumps through pointers
	failed  bool
}

// route is how a function is left for another.
type route struct {
	funcs, jumps []uint64
}

func (s *search) run(from uint64) {
	for todo := []uint64{from}; len(todo) > 0 && !s.failed; todo = todo[1:] {
		at := todo[0]
		j, w := s.m.jumpsOf(at), s.ways[at]
		s.failed = len(s.ways) > maxSearch || j.indirect && !s.blind
		for _, x := range j.to {
			target := s.m.through(x.target)
			sym, ok := s.m.v.FindSymbol(target)
			if !ok { // code that the kernel generated: it may lead anywhere
				s.failed = s.failed || !s.blind
				continue
			}
			next := route{append(slices.Clone(w.funcs), at), append(slices.Clone(w.jumps), x.pc)}
			if sym.Addr != target || strings.Contains(sym.Name, ".cold") {
				next.jumps = w.jumps // within a function and its outlined part
			} else {
				s.entered[target]++
			}
			if _, seen := s.ways[sym.Addr]; seen {
				continue
			}
			s.ways[sym.Addr] = next
			if sym.Addr != s.to && len(next.jumps) < maxLinks && len(next.funcs) < 2*maxLinks {
				todo = append(todo, sym.Addr)
			}
		}
	}
}
