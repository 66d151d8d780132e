package command

import (
	"errors"
	"fmt"

	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/frame"
	"github.com/kdive/kdive/kernel/scope"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
	"github.com/kdive/kdive/value"
)

// selection is the frame that the user chose of the current task. It ends when
// another task becomes the current one.
type selection struct {
	task   *task.Task
	trace  *unwind.Trace
	index  int  // of the frame
	chosen bool // by the user: its variables have names in expressions

	levels []frame.Level // of the frame
	of     int           // the index that levels are of, plus one
}

var errNoFrames = errors.New("the task has no frames")

// selected is the frame selected of the current task, its first one if the user
// chose none.
func (t *Target) selected() (*selection, error) {
	x, err := t.currentTask()
	if err != nil {
		return nil, err
	}
	if t.frame != nil && t.frame.task == x {
		return t.frame, nil
	}
	tr, err := t.unwinder()
	if err != nil {
		return nil, err
	}
	s := &selection{task: x, trace: tr.follow(thread(tr.table, x))}
	if len(s.trace.Frames) == 0 {
		if s.trace.Err != nil {
			return nil, fmt.Errorf("%w: %w", errNoFrames, s.trace.Err)
		}
		return nil, errNoFrames
	}
	t.frame = s
	return s, nil
}

// variables are those of the selected frame.
func (t *Target) variables(s *selection) ([]frame.Level, error) {
	if s.of == s.index+1 {
		return s.levels, nil
	}
	tr, err := t.unwinder()
	if err != nil {
		return nil, err
	}
	levels, err := tr.frames.Levels(s.trace, s.index)
	if err == nil {
		s.levels, s.of = levels, s.index+1
	}
	return levels, err
}

// local finds a variable of the frame that the user chose: in the innermost call
// that has one of the name.
func (t *Target) local(name string) (*frame.Variable, bool) {
	s := t.frame
	if s == nil || !s.chosen || s.task != t.current {
		return nil, false
	}
	levels, _ := t.variables(s) // what there is
	for i := range levels {
		if v, ok := levels[i].Find(name); ok {
			return v, true
		}
	}
	return nil, false
}

// bindFrame lets a scope know the frame.
func (t *Target) bindFrame(s *scope.Scope) {
	s.Locals = func(name string) (value.Value, bool) {
		v, ok := t.local(name)
		if !ok {
			return value.Value{}, false
		}
		return v.Value, true
	}
	s.Registers = func(name string) (uint64, bool) {
		sel, err := t.selected()
		if err != nil {
			return 0, false
		}
		tr, err := t.unwinder()
		if err != nil {
			return 0, false
		}
		for r := unwind.RAX; r <= unwind.RIP; r++ {
			if r.String() == name {
				n, from := tr.frames.Register(sel.trace, sel.index, r)
				return n, from.Class != location.Lost
			}
		}
		return 0, false
	}
}
