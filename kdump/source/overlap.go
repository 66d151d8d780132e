package source

import (
	"container/heap"
	"fmt"
	"sort"
)

// resolve appends to out what is seen of overlapping runs when their records
// are laid down in stream order: at each place the record that stands latest
// in the stream. Runs come sorted by their offset in the dump.
func resolve(out []run, runs []run) ([]run, error) {
	records, err := expand(runs)
	if err != nil {
		return nil, err
	}
	var (
		active latest // records that reach the position, latest first
		next   int
		pos    = records[0].out
	)
	for next < len(records) || len(active) > 0 {
		for len(active) > 0 && active[0].end() <= pos {
			heap.Pop(&active)
		}
		for next < len(records) && records[next].out <= pos {
			if records[next].end() > pos {
				heap.Push(&active, records[next])
			}
			next++
		}
		if len(active) == 0 {
			if next < len(records) {
				pos = records[next].out
			}
			continue
		}
		top := active[0]
		end := top.end()
		if next < len(records) {
			end = min(end, records[next].out)
		}
		out = appendPiece(out, run{pos, top.file + pos - top.out, end - pos, 1})
		pos = end
	}
	return out, nil
}

// expand turns runs into single records sorted by their offset.
func expand(runs []run) ([]run, error) {
	n := int64(0)
	for _, r := range runs {
		n += r.count
	}
	if n > maxRuns {
		return nil, fmt.Errorf("flattened stream has more than %d overlapping records", maxRuns)
	}
	records := make([]run, 0, n)
	for _, r := range runs {
		for k := range r.count {
			records = append(records, run{r.out + k*r.size, r.file + k*(r.size+recordHeader), r.size, 1})
		}
	}
	sort.Slice(records, func(i, j int) bool { return records[i].out < records[j].out })
	return records, nil
}

// appendPiece joins the pieces into which the starts of hidden records cut a
// visible one, and records that make a run again.
func appendPiece(out []run, p run) []run {
	if len(out) == 0 {
		return append(out, p)
	}
	last := &out[len(out)-1]
	switch {
	case last.end() != p.out:
	case last.count == 1 && last.file+last.size == p.file:
		last.size += p.size
		return out
	case last.size == p.size && last.file+last.count*(last.size+recordHeader) == p.file:
		last.count++
		return out
	}
	return append(out, p)
}

// latest is a heap of records, the one that stands last in the stream on top.
type latest []run

func (h latest) Len() int           { return len(h) }
func (h latest) Less(i, j int) bool { return h[i].file > h[j].file }
func (h latest) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *latest) Push(x any)        { *h = append(*h, x.(run)) }
func (h *latest) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
