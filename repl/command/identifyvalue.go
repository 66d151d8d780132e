package command

import (
	"github.com/kdive/kdive/identify"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/task"
)

// value is the typed data of an identity.
func (x *identity) value() output.Value {
	f := fieldList{
		{Name: "kind", Value: output.String(x.Kind.String())},
		{Name: "known_by", Value: optional(x.Evidence())},
	}
	if x.Kind == identify.Nothing {
		f.add("error", output.Fault(x.Err))
		return output.Object(f...)
	}
	f.add("address", output.Addr(x.Base))
	f.add("offset", output.Int(int(x.Offset())))
	f.add("size", output.Uint(x.Size))
	if x.Alias() {
		f.add("known_at", output.Addr(x.At))
	}
	x.ofKind(&f)
	if x.Module != nil {
		f.add("module", output.String(x.Module.Name))
	}
	if x.CPU >= 0 {
		f.add("cpu", output.Int(x.CPU))
	}
	if x.Page.Paddr != 0 {
		f.add("page", output.Addr(x.Page.Paddr))
	}
	if x.framed {
		f.add("frame", frameValue(&x.frame))
	}
	if x.typed {
		f.add("ctype", typingValue(&x.typing))
	}
	if x.inMember {
		f.add("member", optional(x.member.Path))
	}
	if len(x.shown) > 0 {
		var members fieldList
		for _, s := range x.shown {
			members.add(s.name, output.Tree(s.tree))
		}
		f.add("members", output.Object(members...))
	}
	return output.Object(f...)
}

// fieldList is an object that is being put together.
type fieldList []output.Field

func (f *fieldList) add(name string, v output.Value) {
	*f = append(*f, output.Field{Name: name, Value: v})
}

func (f *fieldList) addTask(x *task.Task) {
	f.add("pid", output.Int(int(x.PID)))
	f.add("task", output.Addr(x.Addr))
	f.add("comm", output.String(x.Comm))
}

// ofKind adds what only things of this kind have.
func (x *identity) ofKind(f *fieldList) {
	switch x.Kind {
	case identify.Symbol, identify.PerCPU:
		f.add("symbol", output.String(x.Symbol.Name))
		f.add("beyond", output.Bool(x.Beyond))
	case identify.Object, identify.SlabRest:
		f.add("cache_name", output.String(x.Object.Slab.Cache.Name))
		f.add("slab", output.Addr(x.Object.Slab.Addr))
		if x.Kind == identify.Object {
			x.objectState(f)
		}
	case identify.TaskStack:
		f.addTask(x.Task)
	case identify.CPUStack:
		f.add("stack", output.String(x.Stack.Name))
	case identify.VirtualArea:
		f.add("vmap_area", output.Addr(x.Area.Addr))
		f.add("area_kind", optional(x.Area.Kind()))
		f.add("caller", optional(x.caller))
	case identify.FreePage:
		x.freeBlock(f)
	case identify.UsedPage:
		f.add("page_type", optional(x.Page.Type))
	case identify.FilePage:
		f.add("inode", output.Addr(x.Page.Owner.Inode))
		f.add("path", optional(x.user.Path))
		f.add("file_offset", output.Uint(x.fileOffset()))
	case identify.AnonPage:
		f.add("anon_vma", output.Addr(x.Page.Owner.Mapping))
		if x.user.Task != nil {
			f.add("user_address", output.Addr(x.user.Vaddr))
			f.addTask(x.user.Task)
		}
	}
}

func (x *identity) objectState(f *fieldList) {
	f.add("index", output.Int(x.Object.Index))
	f.add("state", output.String(x.state.String()))
	if x.state == slab.Free || x.state == slab.Pending {
		f.add("list", output.String(x.waits.String()))
	}
}

// freeBlock says where the free block is that a page lies in.
func (x *identity) freeBlock(f *fieldList) {
	free := x.Page.Free
	f.add("order", output.Int(free.Order))
	f.add("list", optionalAddr(free.List))
	if free.Zone != nil {
		f.add("zone", output.String(free.Zone.Name))
		f.add("node", output.Int(free.Zone.Node))
	}
	if free.CPU >= 0 {
		f.add("list_of_cpu", output.Int(free.CPU))
	}
}

func frameValue(f *identify.Frame) output.Value {
	part := [...]string{"unused", "frame", "registers"}[f.Part]
	number := output.Null()
	if f.Number >= 0 {
		number = output.Int(f.Number)
	}
	return output.Object(output.Field{Name: "part", Value: output.String(part)}, output.Field{Name: "frame", Value: number},
		output.Field{Name: "symbol", Value: optional(f.Function)}, output.Field{Name: "pc", Value: optionalAddr(f.PC)},
		output.Field{Name: "offset", Value: output.Uint(f.Offset)}, output.Field{Name: "return_address", Value: output.Bool(f.Return)},
		output.Field{Name: "guess", Value: output.Bool(f.Guess)})
}

func typingValue(t *identify.Typing) output.Value {
	f := fieldList{{Name: "name", Value: output.String(t.Name())}, {Name: "certain", Value: output.Bool(t.Certain)},
		{Name: "source", Value: output.String(t.Source.String())}, {Name: "why", Value: output.String(t.Why)}}
	if t.Holders > 0 {
		f.add("holder", output.Addr(t.Holder))
		f.add("holders", output.Int(t.Holders))
		f.add("against", output.Int(t.Against))
	}
	return output.Object(f...)
}
