// Package identify says what an address of the kernel is the address of: a
// variable, an object of a cache, a stack with its frame, a page of a file, and
// which member of which structure.
//
// It joins the models of slabs, tasks, stacks, pages and IPC, and the debug info;
// every answer carries how it is known. It knows nothing of commands or of text
// layouts. Start from New; Model.Find is the look-up, Model.TypeAt the structure
// and member, Model.Learn finds out types by who points to the objects. A Model
// is safe for concurrent use; its parts are read when first needed.
package identify

import (
	"sync"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
	"github.com/kdive/kdive/vfs"
	"github.com/kdive/kdive/walk"
)

// Config is where the models come from. The functions are called when an answer
// first needs them, again and again, and from several goroutines; nil means that
// there is no such model.
type Config struct {
	Slabs  func() (*slab.Model, error)
	Tasks  func() (*task.Table, error)
	Trace  func(x *task.Task) *unwind.Trace // may be called from one goroutine at a time
	Stacks func(cpu int) []unwind.Stack     // of a CPU
}

// Model identifies the addresses of one kernel.
type Model struct {
	k *kernel.Kernel
	c Config
	w *walk.Walker

	slabOnce sync.Once
	slabs    *slab.Model // nil if there is none
	slabErr  error

	spanOnce   sync.Once
	stacks     []span // by address
	cpuAreas   []span
	cpuSymbols []kernel.Symbol // per-CPU variables of the image by address
	perCPU     perCPULayout

	areaOnce sync.Once
	areas    *mm.VMAreas // nil if they cannot be read

	aliasOnce sync.Once
	aliases   []kernel.Extent // by physical address

	pageOnce sync.Once
	pages    *pageReader // nil if there is none

	filesOnce sync.Once
	files     *vfs.Model        // nil if there is none
	paths     map[uint64]string // by directory entry

	traceMu sync.Mutex
	traces  map[*task.Task]*unwind.Trace

	taskOnce sync.Once
	table    *task.Table
	byMM     map[uint64][]*task.Task

	registryOnce sync.Once
	registry     map[uint64]Typing // objects that a table of the kernel names, by address

	ruleOnce sync.Once
	rules    []boundRule

	sharedOnce     sync.Once
	cacheVariables map[uint64][]string // variables that point to a cache

	typeMu   sync.RWMutex
	shapes   map[*ctype.Type][]pointer
	shared   map[*slab.Cache][]Typing
	users    map[*slab.Cache]int
	byCache  map[*slab.Cache]Typing
	bySymbol map[symbolKey]Typing
	learned  map[uint64]Typing // by address of the object
	asked    map[uint64]bool   // objects whose holders were looked for
	members  map[memberKey]Member
}

// New makes the model of a kernel. It reads nothing.
func New(k *kernel.Kernel, c Config) *Model {
	return &Model{k: k, c: c, w: walk.New(k),
		paths: map[uint64]string{}, traces: map[*task.Task]*unwind.Trace{},
		shapes: map[*ctype.Type][]pointer{}, shared: map[*slab.Cache][]Typing{}, users: map[*slab.Cache]int{},
		byCache: map[*slab.Cache]Typing{}, bySymbol: map[symbolKey]Typing{},
		learned: map[uint64]Typing{}, asked: map[uint64]bool{}, members: map[memberKey]Member{}}
}

// slabModel is the allocator, nil if it cannot be read.
func (m *Model) slabModel() *slab.Model {
	m.slabOnce.Do(func() {
		if m.c.Slabs != nil {
			m.slabs, m.slabErr = m.c.Slabs()
		}
	})
	return m.slabs
}

// tasks is the table of tasks, nil if it cannot be read.
func (m *Model) tasks() *task.Table {
	m.taskOnce.Do(func() {
		if m.c.Tasks == nil {
			return
		}
		table, err := m.c.Tasks()
		if err != nil {
			return
		}
		m.table, m.byMM = table, map[uint64][]*task.Task{}
		for _, x := range table.Tasks {
			if x.MM != 0 {
				m.byMM[x.MM] = append(m.byMM[x.MM], x)
			}
		}
	})
	return m.table
}
