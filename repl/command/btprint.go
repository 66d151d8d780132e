package command

import (
	"github.com/kdive/kdive/frame"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
)

// tracePrinter prints back traces in the form that a call asks for.
type tracePrinter struct {
	*tracer
	t       *Target
	c       *repl.Call
	task    *task.Task
	lines   bool      // -l
	offsets bool      // -s
	vars    bool      // -V
	form    string    // f, F, r, t, T, e or o; "" for none
	inside  bool      // say how far into objects words point (-F)
	notes   annotator // what words are said to point to (-F, -r); nil: nothing
	inline  bool
	radix   int
	ref     *reference
	from    *startPoint

	printed bool   // something was, so that a blank line comes next
	number  int    // of the next frame
	words0  uint64 // where the words of the frame begin that was printed last; 0: none yet
}

// reference is what -R looks for in frames.
type reference struct {
	name string
	addr uint64 // 0 if it is no number
}

// startPoint is where -I and -S begin.
type startPoint struct {
	ip, sp uint64 // ip is 0 without -I
}

func (t *Target) tracePrinter(c *repl.Call) (*tracePrinter, error) {
	tr, err := t.unwinder()
	if err != nil {
		return nil, err
	}
	p := &tracePrinter{tracer: tr, t: t, c: c, lines: c.Has("l"), offsets: c.Has("s"),
		form: c.Last("f", "F", "r", "t", "T", "e", "o"), inside: c.Has("inside"), vars: c.Has("V"), inline: c.Shell.Settings.Inline, radix: c.Radix()}
	if p.form == "" && t.scanStacks {
		p.form = "o"
	}
	if text, ok := c.Value("R"); ok {
		p.ref = &reference{name: text}
		if a, err := repl.ParseAddress(text); err == nil {
			p.ref.addr = a
		}
	}
	if err := p.annotateWords(c.Count("F") > 1); err != nil {
		c.Warn("%v", err) // words stay numbers, or symbols only
	}
	if p.from, err = t.startPoint(c); err != nil {
		return nil, err
	}
	if !tr.warned {
		for _, err := range tr.unwinder.Warnings() {
			c.Warn("%v", err)
		}
		tr.warned = true
	}
	return p, nil
}

// startPoint reads -I and -S; foreach has neither.
func (t *Target) startPoint(c *repl.Call) (*startPoint, error) {
	ip, hasIP := c.Value("I")
	sp, hasSP := c.Value("S")
	switch {
	case !hasSP && !hasIP:
		return nil, nil
	case !hasSP:
		return nil, c.Usage("-I needs -S: a stack pointer")
	}
	var s startPoint
	var err error
	if s.sp, err = t.address(sp); err == nil && hasIP {
		s.ip, err = t.address(ip)
	}
	return &s, err
}

// print prints one task, with a blank line between it and the one before.
func (p *tracePrinter) print(x *task.Task) {
	p.task = x
	h := thread(p.table, x)
	var tr *unwind.Trace
	if p.form == "" || p.form == "f" || p.form == "F" || p.form == "o" || p.ref != nil {
		tr = p.follow(h)
	}
	if p.ref != nil && !p.mentions(tr) {
		return
	}
	if p.printed {
		p.c.Out.Print("\n")
	}
	p.printed = true
	p.c.Out.Print(taskHead(x) + "\n")
	switch p.form {
	case "t", "T":
		p.textWords(x, p.form == "T")
	case "r", "e":
		s, ok := p.unwinder.TaskStack(h)
		switch {
		case !ok:
			p.c.Out.Note("(no stack)")
		case p.form == "e":
			p.savedRegisters(s)
		default:
			p.words(s.Low, s.High, "%16x:  ")
		}
	case "o":
		p.scannedTrace(tr)
	default:
		p.trace(tr)
	}
}

func (p *tracePrinter) follow(h unwind.Thread) *unwind.Trace {
	var tr *unwind.Trace
	switch {
	case p.from == nil:
		tr = p.unwinder.Trace(h)
	case p.from.ip == 0:
		tr = p.unwinder.Resume(h, p.from.sp)
	default:
		tr = p.unwinder.From(h, p.from.ip, p.from.sp)
	}
	if p.inline {
		tr = p.replay.Extend(tr)
	}
	return tr
}

// follow is the trace of a thread, with the calls that left by a jump.
func (r *tracer) follow(h unwind.Thread) *unwind.Trace { return r.replay.Extend(r.unwinder.Trace(h)) }

// mentions reports whether a frame is what -R asks for.
func (p *tracePrinter) mentions(tr *unwind.Trace) bool {
	for i := range tr.Frames {
		f := &tr.Frames[i]
		s := p.site(f)
		if s.symbol == p.ref.name || p.ref.addr != 0 && (f.PC == p.ref.addr || f.Slot == p.ref.addr) {
			return true
		}
		for _, c := range s.calls {
			if c.name == p.ref.name {
				return true
			}
		}
	}
	return false
}

// trace prints the frames of one task.
func (p *tracePrinter) trace(tr *unwind.Trace) {
	p.number, p.words0 = 0, 0
	for i := range tr.Frames {
		p.frame(tr, i)
	}
	p.traceEnd(tr)
}

// traceEnd prints what stands behind the frames.
func (p *tracePrinter) traceEnd(tr *unwind.Trace) {
	p.userRegisters(tr)
	switch {
	case unwind.IsNoStack(tr.Err):
		p.c.Out.Note("(no stack)")
	case tr.Err != nil:
		p.c.Out.Fault("bt: the trace ends here", tr.Err)
	}
}

func (p *tracePrinter) frame(tr *unwind.Trace, i int) {
	f := &tr.Frames[i]
	s := p.site(f)
	row := &frameRow{task: p.task, frame: f, number: -1, site: s,
		showOffset: p.offsets, showLine: p.lines, showCalls: p.inline && !p.vars, radix: p.radix}
	before := leftStack(tr, i)
	if before != nil {
		row.left = before.Name
	}
	regs, kind := f.Interrupted, "exception"
	if i == 0 && tr.Start != nil {
		regs, kind = tr.Start, "cpu"
	}
	if regs != nil {
		registersRecord.Emit(p.c.Out, &registersRow{task: p.task, regs: regs, kind: kind, symbol: s.symbol, offset: s.offset, radix: p.c.Shell.Settings.Radix})
	}
	if isNumbered(tr, i) {
		row.number = p.number
		p.number++
	}
	if f.Source != unwind.FromTailCall {
		p.frameWords(f, before, row.number >= 0)
	}
	frameRecord.Emit(p.c.Out, row)
	if p.vars {
		p.variables(tr, i, &s)
	}
}

// leftStack is the stack of the frame before, if frame i is on another one.
func leftStack(tr *unwind.Trace, i int) *unwind.Stack {
	if i == 0 {
		return nil
	}
	a, b := tr.Frames[i-1].Stack, tr.Frames[i].Stack
	if a == nil || b == nil || a.Low == b.Low {
		return nil
	}
	return a
}

// isNumbered reports whether a frame has a line with a number; in place of others
// registers are shown.
func isNumbered(tr *unwind.Trace, i int) bool {
	if tr.Frames[i].Source == unwind.FromTailCall {
		return false
	}
	regs := tr.Frames[i].Interrupted != nil || i == 0 && tr.Start != nil
	return !regs || leftStack(tr, i) != nil
}

// variables prints the variables of a frame (-V): those of the function, then
// those of each call inlined into it under its line.
func (p *tracePrinter) variables(tr *unwind.Trace, i int, s *site) {
	levels, err := p.frames.Levels(tr, i)
	if err != nil && len(levels) == 0 {
		levels = []frame.Level{{}}
	}
	own := len(levels) - 1
	p.level(tr, i, &levels[own], own)
	for k := range own {
		if p.inline && k < len(s.calls) {
			c := &s.calls[k]
			p.c.Out.Print(string(appendCall(nil, "inlined", c.name, c.file, c.line)))
		}
		p.level(tr, i, &levels[k], k)
	}
}

func (p *tracePrinter) level(tr *unwind.Trace, i int, l *frame.Level, depth int) {
	for k := range l.Vars {
		variableRecord.Emit(p.c.Out, &variableRow{task: p.task, position: i, frame: &tr.Frames[i], level: l, depth: depth, Variable: &l.Vars[k],
			style: p.t.style(p.c), short: true, indent: "      "})
	}
}

// frameWords prints the words of the frame before (-f, -F), up to the address
// where f was found.
func (p *tracePrinter) frameWords(f *unwind.Frame, before *unwind.Stack, numbered bool) {
	if p.form != "f" && p.form != "F" {
		return
	}
	if p.words0 != 0 && (numbered || before != nil) {
		end := f.Slot + 8
		if before != nil {
			end = before.High
		} else if f.Slot == 0 {
			end = f.SP
		}
		p.words(p.words0, end, "    %x: ")
	}
	switch {
	case f.Slot != 0:
		p.words0 = f.Slot + 8
	case before != nil || p.words0 == 0:
		p.words0 = f.SP
	}
}

func (p *tracePrinter) site(f *unwind.Frame) site {
	key := siteKey{f.PC, f.Exact}
	s, ok := p.sites[key]
	if !ok {
		s = siteAt(p.t.Opened.Kernel, f)
		p.sites[key] = s
	}
	return s
}
