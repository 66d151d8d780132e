package main

import (
	"context"
	"fmt"
	"io"

	"github.com/kdive/kdive"
)

// runIndex builds the indexes of kernels ahead of time.
func runIndex(o *flags, stderr io.Writer) int {
	opt := kdive.IndexOptions{Cache: o.open.Cache, Share: o.share, Progress: progress(stderr)}
	status := 0
	for _, path := range o.open.Files {
		if err := kdive.Index(context.Background(), path, opt); err != nil {
			fmt.Fprintf(stderr, "kdive index: %v\n", err)
			status = 1
		}
	}
	return status
}
