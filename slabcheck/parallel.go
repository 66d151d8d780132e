package slabcheck

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/kdive/kdive/mapped"
)

// parallel runs do for 0 to n-1 on all processors.
func (ck *checker) parallel(ctx context.Context, n int, do func(i int)) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	var panicked any
	next := 0
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next >= n || failed != nil || ctx.Err() != nil {
			return 0, false
		}
		next++
		return next - 1, true
	}
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			// A panic goes on in the caller's goroutine, where it ends one command
			// and not the session.
			defer func() {
				if p := recover(); p != nil {
					mu.Lock()
					panicked, failed = p, errors.New("panic")
					mu.Unlock()
				}
			}()
			err := mapped.Guard(func() error {
				for i, ok := take(); ok; i, ok = take() {
					do(i)
				}
				return nil
			})
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if panicked != nil {
		panic(panicked)
	}
	if failed == nil {
		failed = ctx.Err()
	}
	return failed
}
