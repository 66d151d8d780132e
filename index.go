package kdive

import (
	"context"

	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/debuginfo/find"
)

// IndexOptions of Index.
type IndexOptions struct {
	Cache    string // where to keep unpacked kernels and indexes; see find.NewCache
	Share    bool   // for all users to read, in find.SharedCache unless Cache or $KDIVE_CACHE say otherwise
	Progress find.Progress
}

// Index builds the index of a kernel's debug info and stores it in the cache,
// anew even if there is one.
func Index(ctx context.Context, vmlinux string, opt IndexOptions) error {
	cache := find.NewCache(opt.Cache)
	if opt.Share {
		cache = find.NewPublicCache(opt.Cache)
	}
	res, err := find.Named(ctx, vmlinux, find.Request{Cache: cache, Progress: opt.Progress})
	if err != nil {
		return err
	}
	info, err := debuginfo.Open(res.Path, debuginfo.Options{
		DebugPath: res.DebugPath,
		WriteDir:  func() (string, error) { return cache.Writable(indexKind) },
		Rebuild:   true,
		Shareable: opt.Share,
	})
	if err != nil {
		return err
	}
	err = info.Wait()
	if cerr := info.Close(); err == nil {
		err = cerr
	}
	return err
}
