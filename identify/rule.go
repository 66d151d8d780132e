package identify

import (
	"fmt"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
)

// A rule says what a pointer without a type points to: if another member of the
// structure that holds it has a certain value. That is general knowledge about
// the kernel; it counts where structures, members and symbols exist.
type rule struct {
	holder string // structure
	member string // the pointer
	by     string // member whose value decides
	via    string // and, if not "", the member of what that points to (struct.member)
	value  string // of it: symbols, any of which it must be, or "0x..." for bits that must be set
	target string // structure
}

var rules = []rule{
	{"file", "private_data", "f_op", "", "shm_file_operations shm_file_operations_huge", "shm_file_data"},
	{"file", "private_data", "f_op", "", "pipefifo_fops", "pipe_inode_info"},
	{"file", "private_data", "f_op", "", "eventpoll_fops", "eventpoll"},
	{"file", "private_data", "f_op", "", "eventfd_fops", "eventfd_ctx"},
	{"file", "private_data", "f_op", "", "signalfd_fops", "signalfd_ctx"},
	{"file", "private_data", "f_op", "", "timerfd_fops", "timerfd_ctx"},
	{"file", "private_data", "f_op", "", "inotify_fops fanotify_fops", "fsnotify_group"},
	{"file", "private_data", "f_op", "", "tty_fops console_fops", "tty_file_private"},
	{"file", "private_data", "f_op", "", "perf_fops", "perf_event"},
	{"file", "private_data", "f_op", "", "io_uring_fops", "io_ring_ctx"},
	{"file", "private_data", "f_op", "", "bpf_map_fops", "bpf_map"},
	{"file", "private_data", "f_op", "", "bpf_prog_fops", "bpf_prog"},
	{"file", "private_data", "f_op", "", "userfaultfd_fops", "userfaultfd_ctx"},
	{"file", "private_data", "f_op", "", "kernfs_file_fops", "seq_file"},
	{"file", "private_data", "f_op", "file_operations.read", "seq_read", "seq_file"},
	{"file", "private_data", "f_op", "file_operations.read_iter", "seq_read_iter", "seq_file"},
	{"seq_file", "private", "op", "", "kernfs_seq_ops", "kernfs_open_file"},
	{"vm_area_struct", "vm_private_data", "vm_ops", "", "special_mapping_vmops", "vm_special_mapping"},
	{"task_struct", "worker_private", "flags", "", "0x200000", "kthread"}, // PF_KTHREAD
	{"inode", "i_private", "i_fop", "", "pipefifo_fops", "pipe_inode_info"},
}

// boundRule is a rule whose structures exist.
type boundRule struct {
	rule
	at, by, via kernel.Field
	values      []uint64
	bits        uint64
	typ         *ctype.Type
}

func (m *Model) loadRules() {
	for _, r := range rules {
		b := boundRule{rule: r}
		var errs [4]error
		b.at, errs[0] = m.k.Field(r.holder + "." + r.member)
		b.by, errs[1] = m.k.Field(r.holder + "." + r.by)
		if r.via != "" {
			b.via, errs[2] = m.k.Field(r.via)
		}
		b.typ, errs[3] = m.k.StructType(r.target)
		if errs != [4]error{} {
			continue
		}
		for name := range strings.FieldsSeq(r.value) {
			if _, err := fmt.Sscanf(name, "0x%x", &b.bits); err == nil && strings.HasPrefix(name, "0x") {
				continue
			}
			if a, ok := m.k.ImageSymbol(name); ok {
				b.values = append(b.values, a)
			}
		}
		if b.values != nil || b.bits != 0 {
			m.rules = append(m.rules, b)
		}
	}
}

// ruleFor is what a pointer in a structure of that name points to, by a rule.
// base is the address of the structure, off that of the pointer in it.
func (m *Model) ruleFor(name string, base uint64, off int64) (*ctype.Type, string) {
	m.ruleOnce.Do(m.loadRules)
	for i := range m.rules {
		b := &m.rules[i]
		if b.holder != name || b.at.Offset != off {
			continue
		}
		v, err := b.by.Uint(m.k, base)
		if err == nil && b.via.Present() {
			v, err = b.via.Uint(m.k, v)
		}
		if err != nil {
			continue
		}
		if b.bits != 0 && v&b.bits == b.bits {
			return b.typ, fmt.Sprintf("%s.%s of %#x, whose %s has %#x", b.holder, b.member, base, b.rule.by, b.bits)
		}
		for _, want := range b.values {
			if v == want {
				symbol, _, _ := m.k.SymbolAt(v)
				by := b.rule.by
				if b.rule.via != "" {
					by += "->" + b.rule.via[strings.IndexByte(b.rule.via, '.')+1:]
				}
				return b.typ, fmt.Sprintf("%s.%s of %#x, whose %s is %s", b.holder, b.member, base, by, symbol)
			}
		}
	}
	return nil, ""
}
