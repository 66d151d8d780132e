package kernel

import "sync"

// Bound is a struct of needs (see Bind) that is bound when it is first asked for.
// It is safe for concurrent use.
type Bound[T any] struct {
	once sync.Once
	n    T
	err  error
}

// Get is the struct, bound to k as far as that goes, with the error of Bind. It
// must always be asked with the same k.
func (b *Bound[T]) Get(k interface{ Bind(need any) error }) (*T, error) {
	b.once.Do(func() { b.err = k.Bind(&b.n) })
	return &b.n, b.err
}
