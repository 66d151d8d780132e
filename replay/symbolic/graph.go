package symbolic

import "slices"

// block is a run of instructions that are executed one after the other.
type block struct {
	insts []int32
	succ  []int32 // blocks
	pred  []int32
	loop  bool // it can run more than once
}

// graph is the flow of control of a function.
type graph struct {
	insts  []inst
	blocks []block
	of     []int32 // the block of each instruction
	order  []int32 // blocks, each before its successors where there is no loop
	rank   []int32 // of each block in order
}

// graph makes the blocks.
func (d *decoder) graph() (*graph, error) {
	g := &graph{insts: d.insts, of: make([]int32, len(d.insts))}
	leader := make([]bool, len(d.insts))
	if len(leader) == 0 {
		return nil, errTooLarge
	}
	preds := make([]uint8, len(d.insts))
	count := func(j int32) { preds[j] = min(preds[j]+1, 2) }
	entry, _ := d.find(d.code.Entry)
	leader[entry] = true
	for i := range g.insts {
		in := &g.insts[i]
		if len(in.succ) != 1 || in.exit {
			for _, j := range in.succ {
				leader[j] = true
			}
		}
		for _, j := range in.succ {
			count(j)
		}
		for _, e := range in.edges {
			if j, ok := d.find(e.To); ok {
				leader[j] = true
				leader[i] = true // the edge leaves in front of it
			}
		}
	}
	for i := range leader {
		leader[i] = leader[i] || preds[i] != 1
	}
	for i := range g.insts {
		if !leader[i] {
			continue
		}
		if len(g.blocks) >= maxBlocks {
			return nil, errTooLarge
		}
		b := block{}
		for j := int32(i); ; {
			b.insts = append(b.insts, j)
			g.of[j] = int32(len(g.blocks))
			in := &g.insts[j]
			if len(in.succ) != 1 || leader[in.succ[0]] {
				break
			}
			j = in.succ[0]
		}
		g.blocks = append(g.blocks, b)
	}
	g.connect(d)
	g.number(entry)
	g.findLoops()
	return g, nil
}

func (g *graph) connect(d *decoder) {
	link := func(from, to int32) {
		if !slices.Contains(g.blocks[from].succ, to) {
			g.blocks[from].succ = append(g.blocks[from].succ, to)
			g.blocks[to].pred = append(g.blocks[to].pred, from)
		}
	}
	for b := range g.blocks {
		last := &g.insts[g.blocks[b].insts[len(g.blocks[b].insts)-1]]
		for _, j := range last.succ {
			link(int32(b), g.of[j])
		}
		for _, e := range g.insts[g.blocks[b].insts[0]].edges {
			if j, ok := d.find(e.To); ok {
				link(int32(b), g.of[j])
			}
		}
	}
}

// number orders the blocks in reverse postorder from the first.
func (g *graph) number(entry int32) {
	seen := make([]bool, len(g.blocks))
	type visit struct {
		b    int32
		next int
	}
	stack := []visit{{g.of[entry], 0}}
	seen[g.of[entry]] = true
	for len(stack) > 0 {
		v := &stack[len(stack)-1]
		if succ := g.blocks[v.b].succ; v.next < len(succ) {
			s := succ[v.next]
			v.next++
			if !seen[s] {
				seen[s] = true
				stack = append(stack, visit{s, 0})
			}
			continue
		}
		g.order = append(g.order, v.b)
		stack = stack[:len(stack)-1]
	}
	slices.Reverse(g.order)
	g.rank = make([]int32, len(g.blocks))
	for i, b := range g.order {
		g.rank[b] = int32(i)
	}
}

// findLoops marks the blocks that lie on a cycle: Tarjan's strongly connected
// components, without recursion.
func (g *graph) findLoops() {
	n := len(g.blocks)
	index, low, on := make([]int32, n), make([]int32, n), make([]bool, n)
	type visit struct {
		b    int32
		next int
	}
	var path []int32
	counter := int32(0)
	for _, root := range g.order {
		if index[root] != 0 {
			continue
		}
		stack := []visit{{root, 0}}
		for len(stack) > 0 {
			v := &stack[len(stack)-1]
			b := v.b
			if v.next == 0 {
				counter++
				index[b], low[b], on[b] = counter, counter, true
				path = append(path, b)
			}
			if succ := g.blocks[b].succ; v.next < len(succ) {
				s := succ[v.next]
				v.next++
				if index[s] == 0 {
					stack = append(stack, visit{s, 0})
				} else if on[s] {
					low[b] = min(low[b], index[s])
				}
				continue
			}
			stack = stack[:len(stack)-1]
			if len(stack) > 0 {
				p := stack[len(stack)-1].b
				low[p] = min(low[p], low[b])
			}
			if low[b] == index[b] {
				g.popComponent(&path, b, on)
			}
		}
	}
}

func (g *graph) popComponent(path *[]int32, root int32, on []bool) {
	at := len(*path) - 1
	for (*path)[at] != root {
		at--
	}
	part := (*path)[at:]
	for _, b := range part {
		on[b] = false
		g.blocks[b].loop = len(part) > 1 || slices.Contains(g.blocks[b].succ, b)
	}
	*path = (*path)[:at]
}

// reaches reports whether instruction b can run after a.
func (g *graph) reaches(a, b int32) bool {
	from, to := g.of[a], g.of[b]
	if from == to && !g.blocks[from].loop {
		for _, i := range g.blocks[from].insts {
			if i == a {
				return true // comes first, or is b
			}
			if i == b {
				return false
			}
		}
	}
	seen := make([]bool, len(g.blocks))
	todo := slices.Clone(g.blocks[from].succ)
	for len(todo) > 0 {
		x := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if x == to {
			return true
		}
		if !seen[x] {
			seen[x] = true
			todo = append(todo, g.blocks[x].succ...)
		}
	}
	return false
}
