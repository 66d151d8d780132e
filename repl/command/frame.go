package command

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// frameCommand selects a frame.
func frameCommand(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "frame",
		Synopsis: "[-r] [number]",
		Summary:  "select or print a frame of the current task",
		Detail: `
The number is the one that bt prints; without it the selected frame is printed, the
first one if none was selected. Frames that bt prints without a number (interrupted by
an exception, left by a jump) are reached with up and down.

Once a frame is selected, its parameters and locals are names in expressions, those of
the innermost inlined call first, and hide variables of the kernel of the same name
(file.c::name still means those): p, whatis, and operands in parentheses of other
commands know them. A word that is an address operand means the value of a pointer or
number, the address of a structure: struct file filp. Words of hexadecimal digits stay
numbers. $rbx is a register of the frame, the first frame's if none was selected. The
choice ends when another task becomes the current one.`,
		Options: []repl.Option{{Name: "r", Help: "its registers, too, and where their values come from"}},
		Examples: []repl.Example{
			{Line: "frame 3", Help: "Select frame 3."},
			{Line: "frame", Help: "Print the selected frame."},
		},
		Records: []output.Describer{frameRecord, registersRecord, frameRegisterRecord},
		Run: func(_ context.Context, c *repl.Call) error {
			switch len(c.Args) {
			case 0:
				return t.moveFrame(c, func(s *selection) int { return s.index }, false)
			case 1:
			default:
				return c.Usage("one number is enough")
			}
			n, err := repl.ParseNumber(c.Args[0])
			if err != nil {
				return c.Usage("%v", err)
			}
			return t.moveFrame(c, func(s *selection) int { return s.numbered(n) }, true)
		},
	}
}

// step makes up and down.
func step(t *Target, name, where string, sign int) *repl.Command {
	return &repl.Command{
		Name:     name,
		Synopsis: "[count]",
		Summary:  "select the frame " + where,
		Detail:   "From the selected frame, by one frame or more; see help frame.",
		Examples: []repl.Example{{Line: name, Help: "By one."}, {Line: name + " 2", Help: "By two."}},
		Records:  []output.Describer{frameRecord, registersRecord},
		Run: func(_ context.Context, c *repl.Call) error {
			n := uint64(1)
			if len(c.Args) > 0 {
				var err error
				if n, err = repl.ParseNumber(c.Args[0]); err != nil || len(c.Args) > 1 {
					return c.Usage("a count of frames was expected")
				}
			}
			return t.moveFrame(c, func(s *selection) int {
				to := s.index + sign*int(min(n, 1<<20))
				return max(0, min(to, len(s.trace.Frames)-1))
			}, true)
		},
	}
}

// numbered is the position of the frame that bt numbers n; -1 if there is none.
func (s *selection) numbered(n uint64) int {
	for i := range s.trace.Frames {
		if !isNumbered(s.trace, i) {
			continue
		}
		if n == 0 {
			return i
		}
		n--
	}
	return -1
}

// moveFrame selects a frame and prints it.
func (t *Target) moveFrame(c *repl.Call, to func(*selection) int, choose bool) error {
	s, err := t.selected()
	if err != nil {
		return err
	}
	i := to(s)
	if i < 0 || i >= len(s.trace.Frames) {
		return fmt.Errorf("the task has no such frame")
	}
	if s.index = i; choose {
		s.chosen = true
	}
	p, err := t.tracePrinter(c)
	if err != nil {
		return err
	}
	p.task, p.lines, p.offsets = s.task, true, true
	for k := range i {
		if isNumbered(s.trace, k) {
			p.number++
		}
	}
	p.frame(s.trace, i)
	if c.Has("r") {
		return t.frameRegisters(c)
	}
	return nil
}

// args prints the parameters of the selected frame.
func args(t *Target) *repl.Command {
	return variablesCommand(t, "args", "parameters", true)
}

// locals prints the local variables of the selected frame.
func locals(t *Target) *repl.Command {
	return variablesCommand(t, "locals", "local variables", false)
}

func variablesCommand(t *Target, name, what string, parameters bool) *repl.Command {
	return &repl.Command{
		Name:     name,
		Synopsis: "[-x|-d] [-f number]",
		Summary:  "print the " + what + " of a frame",
		Detail: `
Of the frame that frame, up or down selected, the first one if none was; under a line
for each call that was inlined into it, the innermost first. Behind each value stands
where it comes from: exact, it stands where the debug info says at this pc; derived, it
follows from something else (what the caller passed, a register that a function saved
that was called later, a constant); lost, with the reason.`,
		Options: []repl.Option{
			{Name: "f", Arg: "number", Help: "of this frame, by the number that bt prints"},
			{Name: "x", Help: "numbers in hexadecimal"},
			{Name: "d", Help: "numbers in decimal"},
		},
		Examples: []repl.Example{{Line: name, Help: "Of the selected frame."}, {Line: name + " -f 3", Help: "Of frame 3."}},
		Records:  []output.Describer{variableRecord},
		Run:      func(_ context.Context, c *repl.Call) error { return runVariables(t, c, what, parameters) },
	}
}

func runVariables(t *Target, c *repl.Call, what string, parameters bool) error {
	if len(c.Args) > 0 {
		return c.Usage("no operand was expected")
	}
	s, err := t.selected()
	if err != nil {
		return err
	}
	if c.Has("f") {
		n, _, err := c.Number("f")
		if err != nil {
			return err
		}
		other := *s
		if other.index = s.numbered(n); other.index < 0 {
			return fmt.Errorf("the task has no frame %d", n)
		}
		s = &other
	}
	levels, err := t.variables(s)
	if err != nil && len(levels) == 0 {
		return err
	}
	style := t.style(c)
	style.Level = 1 // members of structures stand deeper than the names
	shown := 0
	for i := range levels {
		l := &levels[i]
		if l.Inlined && c.Shell.Settings.Inline || shown > 0 || !l.Inlined {
			c.Out.Printf("%s\n", levelHead(l.Function, l.Inlined))
		}
		for j := range l.Vars {
			if v := &l.Vars[j]; v.Parameter == parameters {
				shown++
				variableRecord.Emit(c.Out, &variableRow{task: s.task, position: s.index, frame: &s.trace.Frames[s.index], level: l, depth: i, Variable: v,
					style: style, indent: "  "})
			}
		}
	}
	if shown == 0 {
		c.Out.Note("(no %s)", what)
	}
	return err
}

func levelHead(function string, inlined bool) string {
	if inlined {
		return "(inlined) " + function
	}
	return function
}
