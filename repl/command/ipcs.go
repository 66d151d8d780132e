package command

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/kdive/kdive/ipc"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// ipcs shows System V IPC objects.
func ipcs(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "ipcs",
		Synopsis: "[-smMqac] [-n pid|task] [id | addr] ...",
		Summary:  "show System V shared memory, semaphores and message queues",
		Detail: `
Shows the objects of the IPC namespace of the current task. An object is chosen by its
id or by the address of its shmid_kernel, sem_array or msg_queue.

What -a shows is taken from the memory maps of all processes, not from the segment.
Each mapping says for itself which segment it belongs to; that it belongs to the
segment that it is shown with follows from the file that both have. The two
disagree if one of them is damaged.`,
		Options: []repl.Option{
			{Name: "s", Help: "semaphore sets only"},
			{Name: "m", Help: "shared memory only"},
			{Name: "M", Help: "shared memory only, with the pages that it takes and its inode"},
			{Name: "q", Help: "message queues only"},
			{Name: "a", Help: "show where processes have each shared memory segment attached; JSON always has that"},
			{Name: "c", Help: "show the messages of each queue, at most 4,096 bytes of each"},
			{Name: "n", Arg: "pid|task", Help: "the IPC namespace of this task"},
		},
		Examples: []repl.Example{
			{Line: "ipcs -m", Help: "All shared memory segments."},
			{Line: "ipcs -Ma 13008943", Help: "What there is to know of one."},
		},
		Records: []output.Describer{shmRecord, semRecord, msqRecord, messageRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runIPCs(ctx, t, c) },
	}
}

// ipcsCall is one call of ipcs.
type ipcsCall struct {
	ctx   context.Context
	t     *Target
	c     *repl.Call
	model *ipc.Model
	ns    uint64

	attached map[uint64][]ipc.Attachment // by file; nil until needed
}

func runIPCs(ctx context.Context, t *Target, c *repl.Call) error {
	model, err := fromInfo(t, ipc.Load)
	if err != nil {
		return err
	}
	x := &ipcsCall{ctx: ctx, t: t, c: c, model: model}
	if x.ns, err = x.namespace(); err != nil {
		return err
	}
	all := !c.Has("s") && !c.Has("m") && !c.Has("M") && !c.Has("q")
	var kinds []ipcKind
	if all || c.Has("m") || c.Has("M") {
		kinds = append(kinds, x.segments)
	}
	if all || c.Has("s") {
		kinds = append(kinds, x.semaphores)
	}
	if all || c.Has("q") {
		kinds = append(kinds, x.queues)
	}
	if len(c.Args) == 0 {
		for _, show := range kinds {
			show(nil)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return nil
	}
	for _, arg := range c.Args {
		if err := showIPC(arg, kinds); err != nil {
			c.Error(err)
			c.Out.Print("\n")
		}
	}
	return ctx.Err()
}

// ipcKind shows the objects of one kind that the filter lets through, all if it
// is nil, and returns their number.
type ipcKind func(filter func(*ipc.Object) bool) int

// showIPC shows the objects with one id or address.
func showIPC(arg string, kinds []ipcKind) error {
	n, err := repl.ParseNumber(arg)
	if err != nil {
		return fmt.Errorf("invalid id or address: %s", arg)
	}
	shown := 0
	for _, show := range kinds {
		shown += show(func(o *ipc.Object) bool { return o.Addr == n || n <= math.MaxInt32 && o.ID == int32(n) })
	}
	if shown == 0 {
		return fmt.Errorf("invalid id or address: %s", arg)
	}
	return nil
}

// namespace is that of the task given with -n or of the current one; if that
// has none any more, the initial one.
func (x *ipcsCall) namespace() (uint64, error) {
	if text, ok := x.c.Value("n"); ok {
		task, err := x.t.findTask(text)
		if err != nil {
			return 0, err
		}
		return x.model.Namespace(task.Addr)
	}
	task, err := x.t.currentTask()
	if err == nil {
		var ns uint64
		if ns, err = x.model.Namespace(task.Addr); err == nil {
			return ns, nil
		}
	}
	if x.ctx.Err() != nil {
		return 0, x.ctx.Err()
	}
	if !errors.Is(err, ipc.ErrNoNamespace) {
		x.c.Warn("%v; the initial namespace is shown", err)
	}
	return x.model.Initial(), nil
}

// ipcRows yields the rows of a table that the filter lets through. It prints
// what belongs around the table.
func ipcRows[R any](x *ipcsCall, rows iter.Seq2[R, error], object func(*R) *ipc.Object, filter func(*ipc.Object) bool, head func(), emit func(*R)) int {
	shown := 0
	failed := false
	if filter == nil {
		head()
	}
	for r, err := range rows {
		if x.ctx.Err() != nil {
			return shown
		}
		if err != nil {
			failed = true
			if filter == nil {
				x.c.Error(err)
			}
			continue
		}
		if filter != nil && !filter(object(&r)) {
			continue
		}
		if shown == 0 && filter != nil {
			head()
		}
		emit(&r)
		shown++
	}
	if filter == nil && shown == 0 && !failed {
		x.c.Out.Print("(none allocated)\n")
	}
	if filter == nil || shown > 0 {
		x.c.Out.Print("\n")
	}
	return shown
}

// ipcColumns are the columns that all tables begin with.
func ipcColumns[R any](addrHead, idHead, addrHelp string, object func(*R) *ipc.Object, ns func(*R) uint64) []output.Column[R] {
	return []output.Column[R]{
		{Name: "address", Head: addrHead, Verb: "%-16x ", Help: addrHelp, Get: func(r *R) output.Value { return output.Addr(object(r).Addr) }},
		{Name: "key", Head: "KEY      ", Verb: "%08x ", Help: "the key it was made with, 0 of private ones", Get: func(r *R) output.Value { return output.Hex(object(r).Key) }},
		{Name: "id", Head: idHead, Verb: "%-10d ", Help: "its id", Get: func(r *R) output.Value { return output.Int(object(r).ID) }},
		{Name: "uid", Head: "UID   ", Verb: "%-5d ", Help: "user id of the owner", Get: func(r *R) output.Value { return output.Uint(object(r).UID) }},
		{Name: "permissions", Head: "PERMS ", Verb: "%-5o ", Help: "permission bits", Get: func(r *R) output.Value { return output.Uint(object(r).Permissions()) }},
		{Name: "gid", Help: "group id of the owner", Get: func(r *R) output.Value { return output.Uint(object(r).GID) }},
		{Name: "creator_uid", Help: "user id of the creator", Get: func(r *R) output.Value { return output.Uint(object(r).CUID) }},
		{Name: "creator_gid", Help: "group id of the creator", Get: func(r *R) output.Value { return output.Uint(object(r).CGID) }},
		{Name: "deleted", Help: "whether it was removed and is in use still", Get: func(r *R) output.Value { return output.Bool(object(r).Deleted) }},
		{Name: "namespace", Help: "address of its ipc_namespace", Get: func(r *R) output.Value { return output.Addr(ns(r)) }},
	}
}

// pidValue is a process id, null for 0.
func pidValue(pid int32) output.Value { return onlyIf(pid != 0, output.Int(pid)) }

// semRow is a semaphore set.
type semRow struct {
	ipc.SemaphoreSet
	ns     uint64
	values []int32
	err    error
}

var semRecord = &output.Record[semRow]{
	Type: "semaphore_set",
	Help: "one semaphore set",
	Columns: append(ipcColumns("SEM_ARRAY        ", "SEMID      ", "address of the sem_array",
		func(r *semRow) *ipc.Object { return &r.Object }, func(r *semRow) uint64 { return r.ns }), []output.Column[semRow]{
		{Name: "semaphores", Head: "NSEMS     ", Verb: "%-10d", Help: "number of semaphores", Get: func(r *semRow) output.Value { return output.Int(r.Count) }},
		{Name: "values", Help: "the values of the semaphores; null where the kernel keeps them elsewhere", Get: func(r *semRow) output.Value {
			if r.err != nil {
				return output.Fault(r.err)
			}
			if r.values == nil {
				return output.Null()
			}
			list := make([]output.Value, len(r.values))
			for i, v := range r.values {
				list[i] = output.Int(v)
			}
			return output.List(list...)
		}},
	}...),
}

func (x *ipcsCall) semaphores(filter func(*ipc.Object) bool) int {
	return ipcRows(x, x.model.SemaphoreSets(x.ns), func(s *ipc.SemaphoreSet) *ipc.Object { return &s.Object }, filter,
		func() { semRecord.Head(x.c.Out) },
		func(s *ipc.SemaphoreSet) {
			r := semRow{SemaphoreSet: *s, ns: x.ns}
			if x.c.Out.JSON() {
				r.values, r.err = x.model.Values(s)
			}
			semRecord.Emit(x.c.Out, &r)
		})
}

// msqRow is a message queue.
type msqRow struct {
	ipc.Queue
	ns uint64
}

var msqRecord = &output.Record[msqRow]{
	Type: "message_queue",
	Help: "one message queue",
	Columns: append(ipcColumns("MSG_QUEUE        ", "MSQID      ", "address of the msg_queue",
		func(r *msqRow) *ipc.Object { return &r.Object }, func(r *msqRow) uint64 { return r.ns }), []output.Column[msqRow]{
		{Name: "bytes", Head: "USED-BYTES   ", Verb: "%-12d ", Help: "bytes in all messages together", Get: func(r *msqRow) output.Value { return output.Uint(r.Bytes) }},
		{Name: "messages", Head: "MESSAGES    ", Verb: "%-12d", Help: "number of messages", Get: func(r *msqRow) output.Value { return output.Uint(r.Count) }},
		{Name: "last_send_pid", Help: "who sent last", Get: func(r *msqRow) output.Value { return pidValue(r.LSPID) }},
		{Name: "last_receive_pid", Help: "who received last", Get: func(r *msqRow) output.Value { return pidValue(r.LRPID) }},
	}...),
}

// messageRow is a message of a queue.
type messageRow struct {
	ipc.Message
	queue *ipc.Queue
	err   error
}

var messageRecord = &output.Record[messageRow]{
	Type: "message",
	Help: "one message of a queue (-c)",
	Columns: []output.Column[messageRow]{
		{Name: "queue", Help: "id of the queue", Get: func(r *messageRow) output.Value { return output.Int(r.queue.ID) }},
		{Name: "address", Verb: "  %-16x ", Help: "address of the msg_msg", Get: func(r *messageRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "message_type", Verb: "TYPE: %d  ", Help: "type of the message", Get: func(r *messageRow) output.Value { return output.Int(r.Type) }},
		{Name: "size", Verb: "SIZE: %d  ", Help: "bytes in the message", Get: func(r *messageRow) output.Value { return output.Uint(r.Size) }},
		{Name: "text", Verb: "%s", Help: "the message as text, as far as it was read", Get: func(r *messageRow) output.Value { return output.String(string(r.Data)) }},
		{Name: "data", Help: "the same bytes as numbers", Get: func(r *messageRow) output.Value {
			list := make([]output.Value, len(r.Data))
			for i, b := range r.Data {
				list[i] = output.Uint(b)
			}
			return output.List(list...)
		}},
		{Name: "fault", Help: "why the rest of the message is not known", Get: func(r *messageRow) output.Value { return output.Fault(r.err) }},
	},
}

// messageLimit is how many bytes of a message -c shows.
const messageLimit = 4096

func (x *ipcsCall) queues(filter func(*ipc.Object) bool) int {
	return ipcRows(x, x.model.Queues(x.ns), func(q *ipc.Queue) *ipc.Object { return &q.Object }, filter,
		func() { msqRecord.Head(x.c.Out) },
		func(q *ipc.Queue) {
			msqRecord.Emit(x.c.Out, &msqRow{*q, x.ns})
			if x.c.Has("c") {
				x.messages(q)
			}
		})
}

func (x *ipcsCall) messages(q *ipc.Queue) {
	for msg, err := range x.model.Messages(q, messageLimit) {
		if x.ctx.Err() != nil {
			return
		}
		if err != nil {
			x.c.Error(err)
		}
		if msg.Addr != 0 {
			messageRecord.Emit(x.c.Out, &messageRow{msg, q, err})
		}
	}
}
