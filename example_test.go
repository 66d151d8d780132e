package kdive_test

import (
	"context"
	"fmt"
	"log"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/task"
)

// Tasks of a dump by name, with a member of their task_struct.
func Example() {
	ctx := context.Background()
	target, err := kdive.Open(ctx, kdive.Options{Files: []string{"testdata/tiny/vmlinux.zst", "testdata/tiny/vmcore.kdump"}})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = target.Close() }()
	tasks, err := task.Load(ctx, target.Kernel)
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range tasks.Tasks {
		if t.Comm != "victim" {
			continue
		}
		object, err := target.Kernel.Object("struct task_struct", t.Addr)
		if err != nil {
			log.Fatal(err)
		}
		weight, err := object.Path("se.load.weight")
		if err != nil {
			log.Fatal(err)
		}
		n, err := weight.Uint() // memory is read now: the error says why if it cannot be
		fmt.Println(t.PID, t.Comm, n, err)
	}
	// Output:
	// 91 victim 1048576 <nil>
}
