package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/kdive/kdive/identify"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
)

// identify is the model that every command asks what a word is.
func (t *Target) identify() (*identify.Model, error) {
	return t.models.identity.get(func() (*identify.Model, error) {
		k, err := t.kernel()
		if err != nil {
			return nil, err
		}
		// The model asks once, and keeps that there are none.
		if _, err := t.tasks(); errors.Is(err, context.Canceled) {
			return nil, err
		}
		return identify.New(k, identify.Config{
			Slabs: t.slabs,
			Tasks: t.tasks,
			Trace: func(x *task.Task) *unwind.Trace {
				if tr, err := t.unwinder(); err == nil {
					return tr.unwinder.Trace(thread(tr.table, x))
				}
				return nil
			},
			Stacks: func(cpu int) []unwind.Stack {
				if tr, err := t.unwinder(); err == nil {
					return tr.unwinder.Stacks(cpu)
				}
				return nil
			},
		}), nil
	})
}

// identity is all that is known of an address.
type identity struct {
	identify.Place
	typing   identify.Typing
	member   identify.Member
	frame    identify.Frame
	state    slab.State
	waits    slab.Place // where a free object is
	stateErr error
	caller   string // of a VirtualArea
	user     identify.User

	typed, inMember, framed bool

	shown  []shownMember
	target bool // a pointer leads here: to the thing itself if the offset is 0
}

// identityAt asks the model; types of objects that were not learned are not
// looked for.
func identityAt(k *kernel.Kernel, m *identify.Model, addr uint64) *identity {
	x := &identity{Place: m.Find(addr)}
	if x.typing, x.typed = m.TypeAt(&x.Place); x.typed {
		x.member, x.inMember = m.MemberAt(&x.Place, &x.typing)
	}
	switch x.Kind {
	case identify.Object:
		x.state, x.waits, x.stateErr = x.Object.State()
	case identify.TaskStack, identify.CPUStack:
		if x.frame, x.framed = m.FrameAt(&x.Place); x.framed && x.frame.Part == identify.SavedRegisters {
			if t, err := k.StructType("pt_regs"); err == nil {
				x.typing, x.typed = identify.Typing{Type: t, Certain: true, Why: "the back trace"}, true
				x.member, x.inMember = identify.MemberAt(t, int64(x.frame.Offset))
			}
		}
	case identify.FilePage, identify.AnonPage:
		x.user, _ = m.UserAt(&x.Place)
	case identify.VirtualArea:
		if name, off, ok := k.SymbolAt(x.Area.Caller); ok && x.Area.Caller != 0 {
			x.caller = fmt.Sprintf("%s+%#x", name, off)
		}
	}
	return x
}

// thing is what it is, in one line without the type.
func (x *identity) thing(b []byte) []byte {
	switch x.Kind {
	case identify.Symbol, identify.PerCPU:
		b = appendOffset(append(b, x.Symbol.Name...), x.Offset())
		if x.Kind == identify.PerCPU {
			b = fmt.Appendf(b, " of CPU %d", x.CPU)
		}
		if x.Symbol.Module != nil {
			b = fmt.Appendf(b, " [%s]", x.Symbol.Module.Name)
		}
		if x.Beyond {
			b = append(b, " (behind it)"...)
		}
	case identify.Object:
		b = fmt.Appendf(b, "[%s] %x", x.Object.Slab.Cache.Name, x.Base)
		b = fmt.Appendf(appendOffset(b, x.Offset()), " (%s)", x.stateText())
	case identify.SlabRest:
		b = fmt.Appendf(b, "[%s] slab %x, in no object", x.Object.Slab.Cache.Name, x.Object.Slab.Addr)
	case identify.TaskStack, identify.CPUStack:
		b = x.stackText(b)
	case identify.PerCPUMemory:
		b = fmt.Appendf(b, "per-CPU memory of CPU %d +%#x", x.CPU, x.Offset())
	case identify.PageStruct:
		b = fmt.Appendf(b, "page structure %x of page %x", x.Base, x.Page.Paddr)
	case identify.VirtualArea:
		b = appendOffset(fmt.Appendf(b, "%s %x", cmpOr(x.Area.Kind(), "vmap"), x.Base), x.Offset())
		if x.caller != "" {
			b = fmt.Appendf(b, " by %s", x.caller)
		}
	case identify.ModuleMemory:
		b = appendOffset(fmt.Appendf(b, "module %s, %x", x.Module.Name, x.Base), x.Offset())
	case identify.FreePage:
		b = fmt.Appendf(b, "free page in a block of 2^%d", x.Page.Free.Order)
		if x.Page.Free.CPU >= 0 {
			b = fmt.Appendf(b, ", list of CPU %d", x.Page.Free.CPU)
		}
	case identify.FilePage:
		b = fmt.Appendf(b, "page cache of %s at %#x", x.file(), x.fileOffset())
	case identify.AnonPage:
		if x.user.Task == nil {
			b = fmt.Appendf(b, "anonymous memory of anon_vma %x", x.Page.Owner.Mapping)
		} else {
			b = fmt.Appendf(b, "anonymous memory of %d \"%s\" at %x", x.user.Task.PID, x.user.Task.Comm, x.user.Vaddr)
		}
	case identify.Reserved:
		b = append(b, "reserved page"...)
	case identify.UsedPage:
		if x.Page.Type != "" {
			b = fmt.Appendf(b, "page of type %s", x.Page.Type)
		} else {
			b = append(b, "page in use, by whom is not known"...)
		}
	default:
		b = fmt.Appendf(b, "nothing: %v", x.Err)
	}
	if x.Alias() && (x.Kind == identify.TaskStack || x.Kind == identify.VirtualArea || x.Kind == identify.CPUStack) {
		b = fmt.Appendf(b, " (at %x)", x.At)
	}
	return b
}

// file names the file of a page.
func (x *identity) file() string {
	if x.user.Path != "" {
		return x.user.Path
	}
	return fmt.Sprintf("inode %x", x.Page.Owner.Inode)
}

func (x *identity) fileOffset() uint64 {
	return x.Page.Owner.Index<<kernel.PageShift + uint64(x.Offset())
}

func appendOffset(b []byte, off int64) []byte {
	switch {
	case off < 0:
		return fmt.Appendf(b, "-%#x", -off)
	case off > 0:
		return fmt.Appendf(b, "+%#x", off)
	}
	return b
}

// stateText is whether an object is allocated, and where it is if it is free.
func (x *identity) stateText() string {
	switch {
	case x.state == slab.Free && x.waits.Holder != slab.OwnSlab, x.state == slab.Pending:
		return x.state.String() + ", " + x.waits.String()
	}
	return x.state.String()
}

func (x *identity) stackText(b []byte) []byte {
	if x.Task != nil {
		b = fmt.Appendf(b, "stack of %d \"%s\"", x.Task.PID, x.Task.Comm)
	} else {
		b = fmt.Appendf(b, "%s of CPU %d", x.Stack.Name, x.CPU)
	}
	switch f := &x.frame; {
	case !x.framed:
	case f.Part == identify.Unused:
		b = append(b, ", unused part"...)
	case f.Part == identify.SavedRegisters:
		b = append(b, ", saved registers"...)
	default:
		b = append(b, ' ')
		if f.Number >= 0 {
			b = fmt.Appendf(b, "#%d ", f.Number)
		}
		b = append(b, cmpOr(f.Function, "(unknown)")...)
		if f.Return {
			b = append(b, ", return address"...)
		} else {
			b = fmt.Appendf(b, ", word %d", f.Offset/8)
		}
	}
	return b
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// what is the type and member: "struct file.f_op", with a question mark if it
// is only likely; "" if not known.
func (x *identity) what() string {
	if !x.typed {
		return ""
	}
	s := x.typing.Name()
	if x.target && x.Offset() == 0 {
		return s + x.doubt()
	}
	if !x.inMember {
		s += fmt.Sprintf("+%#x", x.Offset()) // padding, or what follows the structure
	}
	if x.inMember && x.member.Path != "" {
		if x.member.Path[0] != '[' {
			s += "."
		}
		s += x.member.Path
	}
	return s + x.doubt()
}

func (x *identity) doubt() string {
	if x.typing.Certain {
		return ""
	}
	return "?"
}

// line is what search -a shows of a hit.
func (x *identity) line(b []byte) []byte {
	b = x.thing(b)
	if w := x.what(); w != "" {
		b = append(append(b, "  "...), w...)
	}
	return x.appendShown(b)
}
