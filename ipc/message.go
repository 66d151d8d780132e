package ipc

import (
	"fmt"
	"iter"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// Queue is one msg_queue.
type Queue struct {
	Object
	Bytes uint64 // in all messages together
	Count uint64 // of messages
	LSPID int32  // who sent last, 0 if nobody or not known
	LRPID int32  // who received last, 0 if nobody or not known
}

// Queues yields the message queues of the namespace at ns. An error stands for
// a queue, or a part of the table, that cannot be read.
func (m *Model) Queues(ns uint64) iter.Seq2[Queue, error] {
	return func(yield func(Queue, error) bool) {
		for r, err := range m.objects(ns, Messages, m.n.MsgSize, &m.n.MsgPerm) {
			q := Queue{Object: r.Object}
			if err == nil {
				q.Bytes, q.Count = m.n.MsgBytes.In(r.buf), m.n.MsgCount.In(r.buf)
				q.LSPID, q.LRPID = m.pid(&m.n.MsgLSPID, r.buf), m.pid(&m.n.MsgLRPID, r.buf)
			}
			if !yield(q, err) {
				return
			}
		}
	}
}

// messageNeeds are the layouts of ipc/msgutil.c: a message fills what its page
// leaves behind the header, the rest hangs on it in segments.
type messageNeeds struct {
	List kernel.Field `need:"msg_queue.q_messages"`
	Link kernel.Field `need:"msg_msg.m_list"`
	Type kernel.Field `need:"msg_msg.m_type"`
	Size kernel.Field `need:"msg_msg.m_ts"`
	Next kernel.Field `need:"msg_msg.next"`
	Head kernel.Size  `need:"msg_msg"`
	// The segments' type has no other name in C; its one member is the link.
	SegmentHead kernel.Size `need:"msg_msgseg"`
}

// Message is one message of a queue.
type Message struct {
	Addr uint64 // of its msg_msg
	Type int64
	Size uint64 // in bytes
	Data []byte // of that, as much as was asked for and could be read
}

// Messages yields the messages of a queue, the next to be received first, with
// at most limit bytes of each one's data. A message comes with the error of
// what cannot be read of it.
func (m *Model) Messages(q *Queue, limit int) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		n, err := m.msgs.Get(m.k)
		if err != nil {
			yield(Message{}, err)
			return
		}
		for addr, err := range m.w.List(n.List.At(q.Addr), n.Link.Offset) {
			msg := Message{Addr: addr}
			if err == nil {
				msg, err = n.read(m.k, addr, limit)
			}
			if err != nil {
				err = fmt.Errorf("message queue %d: %w", q.ID, err)
			}
			if !yield(msg, err) {
				return
			}
		}
	}
}

func (n *messageNeeds) read(k kernel.View, addr uint64, limit int) (Message, error) {
	msg := Message{Addr: addr}
	typ, err := n.Type.Int(k, addr)
	if err != nil {
		return msg, err
	}
	msg.Type = typ
	if msg.Size, err = n.Size.Uint(k, addr); err != nil {
		return msg, err
	}
	left := min(msg.Size, uint64(max(limit, 0)))
	next, err := n.Next.Uint(k, addr)
	if err != nil {
		return msg, err
	}
	for at, head := addr, uint64(n.Head); left > 0; {
		const page = 1 << kernel.PageShift
		if head >= page {
			return msg, fmt.Errorf("message %#x: a header of %d bytes", addr, head)
		}
		part := make([]byte, min(left, page-head))
		if err := k.Read(part, at+head); err != nil {
			return msg, fmt.Errorf("message %#x: %w", addr, err)
		}
		msg.Data = append(msg.Data, part...)
		if left -= uint64(len(part)); left == 0 {
			break
		}
		if next == 0 {
			return msg, fmt.Errorf("message %#x: it ends after %d of %d bytes", addr, len(msg.Data), msg.Size)
		}
		at, head = next, uint64(n.SegmentHead)
		if next, err = value.Word(k, at); err != nil {
			return msg, fmt.Errorf("message %#x: %w", addr, err)
		}
	}
	return msg, nil
}
