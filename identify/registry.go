package identify

import (
	"fmt"

	"github.com/kdive/kdive/ipc"
)

// loadRegistry collects the objects that tables of the kernel name and no typed
// pointer leads to: IPC objects stand in a radix tree by id.
func (m *Model) loadRegistry() {
	m.registry = map[uint64]Typing{}
	model, err := ipc.Load(m.k)
	if err != nil {
		return
	}
	spaces := map[uint64]bool{model.Initial(): true}
	if table := m.tasks(); table != nil {
		for _, x := range table.Tasks {
			if ns, err := model.Namespace(x.Addr); err == nil && ns != 0 {
				spaces[ns] = true
			}
		}
	}
	add := func(addr uint64, name string, id int32, what string) {
		if t, err := m.k.StructType(name); err == nil && len(m.registry) < maxRegistry {
			m.registry[addr] = Typing{Type: t, Source: FromRegistry, Certain: true, Why: fmt.Sprintf("id %d in the table of %s", id, what)}
		}
	}
	for ns := range spaces {
		for s, err := range model.Segments(ns) {
			if err == nil {
				add(s.Addr, "shmid_kernel", s.ID, "shared memory")
			}
		}
		for s, err := range model.SemaphoreSets(ns) {
			if err == nil {
				add(s.Addr, "sem_array", s.ID, "semaphores")
			}
		}
		for q, err := range model.Queues(ns) {
			if err == nil {
				add(q.Addr, "msg_queue", q.ID, "message queues")
			}
		}
	}
}

const maxRegistry = 1 << 20
