package main

import (
	"context"
	"fmt"
	"io"

	"github.com/kdive/kdive"
)

// runIndex builds the indexes of kernels ahead of time.
func runIndex(args []string, stderr io.Writer) int {
	var opt kdive.IndexOptions
	fs := newFlagSet("kdive index")
	fs.StringVar(&opt.Cache, "cache", "", "")
	fs.BoolVar(&opt.Share, "share", false, "")
	files, err := parseMixed(fs, args)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no vmlinux named")
	}
	if err != nil {
		fmt.Fprintf(stderr, "kdive index: %v\n%s", err, usage)
		return exitUsage
	}
	opt.Progress = progress(stderr)
	status := 0
	for _, path := range files {
		if err := kdive.Index(context.Background(), path, opt); err != nil {
			fmt.Fprintf(stderr, "kdive index: %v\n", err)
			status = 1
		}
	}
	return status
}
