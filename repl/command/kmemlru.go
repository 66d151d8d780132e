package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// lruRow is one list of pages by age.
type lruRow struct {
	mm.LRUList
	pages uint64
	err   error
}

// label is the list's name, with its generation.
func (r *lruRow) label() string {
	if r.Seq < 0 {
		return r.Name
	}
	return fmt.Sprintf("%s:%d", r.Name, r.Seq)
}

var lruRecord = &output.Record[lruRow]{
	Type: "lru_list",
	Help: "a list of pages in the order in which they may be reclaimed",
	Columns: []output.Column[lruRow]{
		{Name: "list", Head: "LRU_LIST        ", Verb: "%016x", Help: "address of the list_head", Get: func(r *lruRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "lruvec", Head: "  LRUVEC          ", Verb: "  %016x", Help: "address of the struct lruvec", Get: func(r *lruRow) output.Value { return output.Addr(r.Vec.Addr) }},
		{Name: "node", Head: "  NODE", Verb: "  %4d", Help: "number of the node", Get: func(r *lruRow) output.Value { return output.Int(r.Vec.Node) }},
		{Name: "pages", Head: "    PAGES", Verb: "  %7d", Help: "pages on the list", Get: func(r *lruRow) output.Value { return output.Uint(r.pages) }},
		{Verb: "  %-14s", Head: "  LIST          ", Get: func(r *lruRow) output.Value { return output.String(r.label()) }},
		{Name: "cgroup_name", Head: "  CGROUP", Verb: "  %s", None: "-", Help: "last part of the memory cgroup's path", Get: func(r *lruRow) output.Value { return optional(r.Vec.Name) }},
		{Name: "name", Help: "the kernel's name of the list; anon or file of a generation", Get: func(r *lruRow) output.Value { return output.String(r.Name) }},
		{Name: "active", Help: "whether its pages count as active", Get: func(r *lruRow) output.Value { return output.Bool(r.Active) }},
		{Name: "generation", Help: "number of the generation, null if it is none", Get: func(r *lruRow) output.Value { return atLeastZero(int(r.Seq)) }},
		{Name: "zone", Help: "index of the zone of a generation's list, else null", Get: func(r *lruRow) output.Value { return atLeastZero(r.Zone) }},
		{Name: "cgroup", Help: "address of the mem_cgroup, null without memory cgroups", Get: func(r *lruRow) output.Value { return optionalAddr(r.Vec.Cgroup) }},
		{Name: "fault", Help: "why pages may be missing, null if none is", Get: func(r *lruRow) output.Value { return output.Fault(r.err) }},
	},
}

// lruPage is a page, or several that were allocated as one, on a list.
type lruPage struct{ list, page, pages uint64 }

var lruPageRecord = &output.Record[lruPage]{
	Type: "lru_page",
	Help: "a page, or several that were allocated as one, on a list",
	Columns: []output.Column[lruPage]{
		{Name: "page", Verb: "%16x", Help: "address of the first page structure", Get: func(r *lruPage) output.Value { return output.Addr(r.page) }},
		{Name: "pages", Help: "number of pages", Get: func(r *lruPage) output.Value { return output.Uint(r.pages) }},
		{Name: "list", Help: "address of the list_head", Get: func(r *lruPage) output.Value { return output.Addr(r.list) }},
	},
}

// kmemLRU is kmem -l and -L: lists that have pages, of the kinds in which.
func kmemLRU(ctx context.Context, t *Target, c *repl.Call, which string, each bool) error {
	if strings.Trim(which, "ai") != "" || which == "" {
		return c.Usage("-l and -L take a (active lists), i (inactive ones) or ai")
	}
	pages, err := t.pages()
	if err != nil {
		return err
	}
	lrus, err := mm.LoadLRUs(t.Opened.Kernel, pages)
	if err != nil {
		return err
	}
	vecs, err := lrus.Vecs(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		c.Warn("%v", firstLine(err))
	}
	if !each {
		lruRecord.Head(c.Out)
	}
	for _, v := range vecs {
		lists, err := lrus.Lists(v)
		if err != nil {
			c.Warn("%v", err)
		}
		for _, list := range lists {
			if !strings.Contains(which, map[bool]string{true: "a", false: "i"}[list.Active]) {
				continue
			}
			if err := showLRU(ctx, c, lrus, list, each); err != nil {
				return err
			}
		}
	}
	return nil
}

// showLRU shows a list that has pages, and each of them if asked for.
func showLRU(ctx context.Context, c *repl.Call, lrus *mm.LRUs, list mm.LRUList, each bool) error {
	row := lruRow{LRUList: list}
	var entries []lruPage
	row.pages, row.err = lrus.Walk(ctx, &list, func(page, pages uint64) {
		if each {
			entries = append(entries, lruPage{list.Addr, page, pages})
		}
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if row.pages == 0 && row.err == nil {
		return nil
	}
	if each {
		lruRecord.Head(c.Out)
	}
	lruRecord.Emit(c.Out, &row)
	for i := range entries {
		lruPageRecord.Emit(c.Out, &entries[i])
	}
	if row.err != nil {
		c.Out.Fault(fmt.Sprintf("list %x", row.Addr), firstLine(row.err))
	}
	return nil
}
