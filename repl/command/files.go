package command

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/vfs"
)

// files shows open files.
func files(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "files",
		Synopsis: "[-c] [-R reference] [pid | task | command] ...\n-d dentry\n-p inode",
		Summary:  "show open files of tasks, directory entries, and the pages of a file",
		Detail: `
Of each task, the current one if none is named, its root and working directory are
shown and its open files by descriptor. In place of a socket's path stands the name
of its protocol, in place of that of a file without directory the name that the kernel
gave it, such as [eventfd].`,
		Options: []repl.Option{
			{Name: "c", Help: "show the address_space of each file and its number of pages, in place of file and dentry"},
			{Name: "R", Arg: "reference", Help: "only what fits a descriptor number, a part of a path, or the address of a file, dentry, inode or address_space"},
			{Name: "d", Arg: "dentry", Help: "show the directory entry at this address"},
			{Name: "p", Arg: "inode", Help: "show the pages of the inode at this address that are in memory"},
		},
		Examples: []repl.Example{
			{Line: "files 1", Help: "Open files of the init process."},
			{Line: "files -R /dev/console '.*'", Help: "Who has the console open."},
		},
		Records: []output.Describer{directoriesRecord, fileRecord, fileCacheRecord, dentryRecord, inodeRecord, pageRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runFiles(ctx, t, c) },
	}
}

func runFiles(ctx context.Context, t *Target, c *repl.Call) error {
	model, err := t.files()
	if err != nil {
		return err
	}
	if text, ok := c.Value("d"); ok {
		return t.showDentry(c, model, text)
	}
	if text, ok := c.Value("p"); ok {
		return t.showInode(ctx, c, model, text)
	}
	show := func(x *task.Task) { t.taskFiles(ctx, c, model, x) }
	if len(c.Args) == 0 {
		x, err := t.currentTask()
		if err != nil {
			return err
		}
		show(x)
		return ctx.Err()
	}
	for i := range c.Args {
		found, err := t.findTasks(c, i)
		if err != nil {
			c.Error(err)
			continue
		}
		if i > 0 {
			c.Out.Print("\n")
		}
		for _, x := range found {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			show(x)
			c.Out.Print("\n")
		}
	}
	return nil
}

// filesOf shows the open files of the tasks that foreach chose.
func (t *Target) filesOf(f *forCall) error {
	model, err := t.files()
	if err != nil {
		return err
	}
	if !f.c.Has("R") {
		return f.forEach(func(x *task.Task) { t.taskFiles(f.ctx, f.c, model, x) })
	}
	for _, x := range f.tasks {
		if f.ctx.Err() != nil {
			break
		}
		t.taskFiles(f.ctx, f.c, model, x)
	}
	return f.ctx.Err()
}

// directoriesRow is where a task's paths begin.
type directoriesRow struct {
	task *task.Task
	dirs *vfs.Directories
	err  error
	tail string // crash prints a blank with -R
}

func (r *directoriesRow) value(path string) output.Value {
	if path == "" && r.err != nil {
		return output.Fault(r.err)
	}
	return output.String(path)
}

var directoriesRecord = &output.Record[directoriesRow]{
	Type: "directories",
	Help: "where the paths of a task begin",
	Columns: append(taskColumns(func(r *directoriesRow) *task.Task { return r.task }), []output.Column[directoriesRow]{
		{Name: "root", Verb: "ROOT: %s", Help: "root directory", Get: func(r *directoriesRow) output.Value { return r.value(r.dirs.Root) }},
		{Name: "cwd", Verb: "    CWD: %s", Help: "working directory", Get: func(r *directoriesRow) output.Value { return r.value(r.dirs.CWD) }},
		{Verb: "%s", Get: func(r *directoriesRow) output.Value { return output.String(r.tail) }},
	}...),
}

// fileRow is an open file of a task.
type fileRow struct {
	vfs.OpenFile
	task *task.Task
	err  error // why something of it is not known
}

var (
	fileRecord = fileTable("file", "an open file",
		fileColumn("file", "     FILE       ", "address of the struct file", func(r *fileRow) uint64 { return r.File }),
		fileColumn("dentry", "     DENTRY      ", "address of the dentry", func(r *fileRow) uint64 { return r.Dentry }),
		fileColumn("inode", "     INODE       ", "address of the inode", func(r *fileRow) uint64 { return r.Inode }))
	fileCacheRecord = fileTable("file_cache", "an open file and its page cache (-c)",
		fileColumn("inode", "    INODE        ", "address of the inode", func(r *fileRow) uint64 { return r.Inode }),
		fileColumn("mapping", "  I_MAPPING     ", "address of its address_space", func(r *fileRow) uint64 { return r.Mapping }),
		output.Column[fileRow]{Name: "pages", Head: "NRPAGES ", Verb: "%7d ", Help: "number of pages in its page cache", Get: func(r *fileRow) output.Value {
			if r.err != nil && r.Mapping == 0 {
				return output.Fault(r.err)
			}
			return output.Uint(r.Pages)
		}})
)

func fileColumn(name, head, help string, get func(*fileRow) uint64) output.Column[fileRow] {
	return output.Column[fileRow]{Name: name, Head: head, Verb: "%16x ", Help: help, Get: func(r *fileRow) output.Value {
		if v := get(r); v != 0 || r.err == nil {
			return output.Addr(v)
		}
		return output.Fault(r.err)
	}}
}

func fileTable(typ, help string, columns ...output.Column[fileRow]) *output.Record[fileRow] {
	all := taskColumns(func(r *fileRow) *task.Task { return r.task })
	all = append(all, output.Column[fileRow]{Name: "fd", Head: " FD  ", Verb: "%3d ", Help: "descriptor", Get: func(r *fileRow) output.Value { return output.Int(r.FD) }})
	all = append(all, columns...)
	return &output.Record[fileRow]{Type: typ, Help: help, Columns: append(all,
		output.Column[fileRow]{Name: "file_type", Head: "TYPE ", Verb: "%-4s ", Help: "REG, DIR, CHR, BLK, FIFO, SOCK, LNK; UNKN: none of these; N/A: no inode", Get: func(r *fileRow) output.Value { return output.String(r.Type()) }},
		output.Column[fileRow]{Name: "path", Head: "PATH", Verb: "%s", Help: "path; of sockets the protocol; of others without directory a name", Get: func(r *fileRow) output.Value {
			if r.Path == "" && r.err != nil {
				return output.Fault(r.err)
			}
			return output.String(r.Path)
		}})}
}

// taskFiles shows the open files of a task.
func (t *Target) taskFiles(ctx context.Context, c *repl.Call, model *vfs.Model, x *task.Task) {
	reference, only := c.Value("R")
	record := fileRecord
	if c.Has("c") {
		record = fileCacheRecord
	}
	dirs, err := model.Directories(x.Addr)
	if err != nil {
		c.Error(fmt.Errorf("task %d (%s): %w", x.PID, x.Comm, err))
	}
	headed := false
	heading := func() {
		if headed = true; !c.Out.JSON() {
			c.Out.Print(taskHead(x) + "\n")
		}
		if dirs != nil {
			r := directoriesRow{task: x, dirs: dirs, err: err}
			if only {
				r.tail = " "
			}
			directoriesRecord.Emit(c.Out, &r)
		}
	}
	if !only || dirs != nil && (pathFits(dirs.Root, reference) || pathFits(dirs.CWD, reference)) {
		heading()
	}
	shown := 0
	for f, err := range model.Files(x.Addr) {
		if ctx.Err() != nil {
			return
		}
		if err != nil && f.FD < 0 {
			c.Error(err)
			continue
		}
		if only && !fileFits(&f, reference) {
			continue
		}
		if !headed {
			heading()
		}
		if shown++; shown == 1 {
			record.Head(c.Out)
		}
		if err != nil {
			c.Error(err)
		}
		record.Emit(c.Out, &fileRow{f, x, err})
	}
	switch {
	case only && headed:
		c.Out.Print("\n")
	case !only && shown == 0:
		c.Out.Print("No open files\n")
	}
}

// pathFits reports whether a path is meant by what was given with -R: it has
// that in it; "/" means the root alone.
func pathFits(path, reference string) bool {
	if reference == "/" {
		return path == reference
	}
	return path != "" && strings.Contains(path, reference)
}

// fileFits reports whether a file is meant by what was given with -R.
func fileFits(f *vfs.OpenFile, reference string) bool {
	if pathFits(f.Path, reference) {
		return true
	}
	if n, err := repl.ParseNumber(reference); err == nil && n <= math.MaxInt32 && f.FD == int(n) {
		return true
	}
	n, err := repl.ParseAddress(reference)
	return err == nil && n != 0 && (n == f.File || n == f.Dentry || n == f.Inode || n == f.Mapping)
}

var dentryRecord = &output.Record[vfs.Node]{
	Type: "dentry",
	Help: "a directory entry (-d)",
	Columns: []output.Column[vfs.Node]{
		{Name: "dentry", Head: "     DENTRY      ", Verb: "%16x ", Help: "its address", Get: func(n *vfs.Node) output.Value { return output.Addr(n.Dentry) }},
		{Name: "inode", Head: "     INODE       ", Verb: "%16x ", Help: "address of its inode, 0 if there is none", Get: func(n *vfs.Node) output.Value { return output.Addr(n.Inode) }},
		{Name: "super_block", Head: "    SUPERBLK     ", Verb: "%16x ", Help: "address of its super_block", Get: func(n *vfs.Node) output.Value { return output.Addr(n.Super) }},
		{Name: "file_type", Head: "TYPE ", Verb: "%-4s ", Help: "as of open files", Get: func(n *vfs.Node) output.Value { return output.String(n.Type()) }},
		{Name: "path", Head: "PATH", Verb: "%s", Help: "path in the first mount of its file system", Get: func(n *vfs.Node) output.Value { return output.String(n.Path) }},
	},
}

func (t *Target) showDentry(c *repl.Call, model *vfs.Model, text string) error {
	addr, err := t.address(text)
	if err != nil {
		return err
	}
	n, err := model.Dentry(addr)
	if err != nil && n.Super == 0 {
		return fmt.Errorf("dentry %#x: %w", addr, err)
	}
	dentryRecord.Head(c.Out)
	dentryRecord.Emit(c.Out, &n)
	return err
}

var inodeRecord = &output.Record[vfs.Node]{
	Type: "inode",
	Help: "an inode (-p); its pages follow",
	Columns: []output.Column[vfs.Node]{
		{Name: "inode", Head: "     INODE       ", Verb: "%16x ", Help: "its address", Get: func(n *vfs.Node) output.Value { return output.Addr(n.Inode) }},
		{Name: "pages", Head: " NRPAGES", Verb: "%8d", Help: "number of pages in its page cache", Get: func(n *vfs.Node) output.Value { return output.Uint(n.Pages) }},
		{Name: "file_type", Help: "as of open files", Get: func(n *vfs.Node) output.Value { return output.String(n.Type()) }},
		{Name: "mapping", Help: "address of its address_space", Get: func(n *vfs.Node) output.Value { return output.Addr(n.Mapping) }},
	},
}

func (t *Target) showInode(ctx context.Context, c *repl.Call, model *vfs.Model, text string) error {
	addr, err := t.address(text)
	if err != nil {
		return err
	}
	n, err := model.Inode(addr)
	if err != nil {
		return err
	}
	pages, err := t.pages()
	if err != nil {
		return err
	}
	inodeRecord.Head(c.Out)
	inodeRecord.Emit(c.Out, &n)
	c.Out.Print("\n")
	first := true
	for cached, err := range model.CachedPages(n.Mapping) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var page mm.Page
		if err == nil {
			page, err = pages.ByAddr(cached.Page)
		}
		if err != nil {
			c.Error(err)
			continue
		}
		if first {
			pageRecord.Head(c.Out)
			first = false
		}
		pageRecord.Emit(c.Out, &page)
	}
	return nil
}
