package slab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// Track is who allocated or freed an object last, kept behind each object of
// caches that track users (slub_debug=U; struct track, mm/slub.c).
type Track struct {
	Freed bool   // else it is about the allocation
	Addr  uint64 // address in the code that called the allocator
	CPU   int
	PID   int
	When  uint64   // in jiffies
	Age   int64    // jiffies from then until the dump
	Stack []uint64 // return addresses, the innermost first; nil if they were not kept
	Err   error    // why there is no stack though there should be
}

// TrackNeeds are the members of struct track.
type TrackNeeds struct {
	Size kernel.Size  `need:"track"`
	Addr kernel.Field `need:"track.addr"`
	CPU  kernel.Field `need:"track.cpu"`
	PID  kernel.Field `need:"track.pid"`
	When kernel.Field `need:"track.when"`
}

type trackNeeds struct {
	Addrs  kernel.Field `need:"?track.addrs"`  // until 5.16 the stack itself
	Handle kernel.Field `need:"?track.handle"` // since then a number in the stack depot

	Jiffies kernel.Sym `need:"?jiffies_64|jiffies"`

	// The depot (lib/stackdepot.c): stacks in pools, by pool and offset.
	Pools   kernel.Sym   `need:"?stack_pools|stack_slabs"`
	Pool1   kernel.Field `need:"?handle_parts.pool_index_plus_1"`
	Pool0   kernel.Field `need:"?handle_parts.pool_index|handle_parts.slabindex"`
	Offset  kernel.Field `need:"?handle_parts.offset"`
	Frames  kernel.Field `need:"?stack_record.size"`
	Own     kernel.Field `need:"?stack_record.handle"`
	Entries kernel.Field `need:"?stack_record.entries"`
}

// tracker reads tracks.
type tracker struct {
	once    sync.Once
	record  TrackNeeds
	n       trackNeeds
	err     error
	pools   uint64 // of the array of pointers to pools
	jiffies uint64
}

// ErrNoTracks says that a cache does not track users.
var ErrNoTracks = errors.New("the cache keeps no records of users (slub_debug=U)")

const (
	maxTrack       = 1024
	depotAlign     = 4    // stacks begin at multiples of 1<<4 bytes (DEPOT_STACK_ALIGN)
	maxDepotPools  = 8192 // DEPOT_POOLS_CAP
	maxDepotFrames = 256
)

func (m *Model) tracker() *tracker {
	t := &m.tracks
	t.once.Do(func() {
		if t.err = m.k.Bind(&t.record); t.err != nil {
			return
		}
		_ = m.k.Bind(&t.n) // all optional
		if t.record.Size <= 0 || t.record.Size > maxTrack {
			t.err = fmt.Errorf("struct track has %d bytes", t.record.Size)
			return
		}
		if t.n.Jiffies != 0 {
			t.jiffies, _ = value.Word(m.k, uint64(t.n.Jiffies))
		}
		// An array until 6.17, since then a pointer to one.
		t.pools = uint64(t.n.Pools)
		for _, name := range [...]string{"stack_pools", "stack_slabs"} {
			if v, err := m.k.VariableType(name); err == nil && v.Underlying().Size() == 8 {
				t.pools, _ = value.Word(m.k, t.pools)
			}
		}
	})
	return t
}

// Behind is where SLUB keeps what lies behind the data of an object, from its
// start ("Object layout", mm/slub.c): inuse is where the free pointer is if it is
// not in the object, tracks where the records of the last allocation and the last
// release follow. With an error they are what the size of the objects says.
func (c *Cache) Behind() (inuse, tracks int64, err error) {
	inuse = c.ObjectSize
	v, err := c.m.sub.CacheUse.Uint(c.m.k, c.Addr)
	if err == nil {
		inuse = int64(uint32(v))
	}
	if tracks = inuse; c.link >= inuse {
		tracks += 8
	}
	return inuse, tracks, err
}

// TrackLayout is how records of users are laid out, and jiffies when the kernel
// died, 0 if they are not known.
func (m *Model) TrackLayout() (*TrackNeeds, uint64, error) {
	t := m.tracker()
	return &t.record, t.jiffies, t.err
}

// Tracks are the records of the object's last allocation and last release, those
// that there are; ErrNoTracks if its cache keeps none.
func (o *Object) Tracks() ([]Track, error) {
	if o.Slab == nil || o.Index < 0 || o.Slab.Cache.Err != nil {
		return nil, errors.New("no object")
	}
	c := o.Slab.Cache
	if !c.m.slub || c.Flags&c.m.flags.StoreUser == 0 {
		return nil, ErrNoTracks
	}
	t := c.m.tracker()
	if t.err != nil {
		return nil, t.err
	}
	_, from, err := c.Behind()
	if err != nil {
		return nil, err
	}
	size := int64(t.record.Size)
	if from+2*size > c.Size {
		return nil, fmt.Errorf("records of users at %d in objects of %d bytes", from, c.Size)
	}
	buf := make([]byte, 2*size)
	if err := c.m.k.Read(buf, o.Addr+uint64(from)); err != nil {
		return nil, err
	}
	var list []Track
	for i := range 2 {
		if r, ok := t.read(c.m, buf[int64(i)*size:int64(i+1)*size]); ok {
			r.Freed = i == 1
			list = append(list, r)
		}
	}
	return list, nil
}

// read decodes a record; ok is false if it was never written.
func (t *tracker) read(m *Model, b []byte) (r Track, ok bool) {
	n, f := &t.n, &t.record
	r = Track{Addr: f.Addr.In(b), CPU: int(int32(f.CPU.In(b))), PID: int(int32(f.PID.In(b))), When: f.When.In(b)}
	if r.Addr == 0 {
		return r, false
	}
	r.Age = int64(t.jiffies - r.When)
	switch {
	case n.Addrs.Present():
		for o := int64(0); o+8 <= n.Addrs.Size(); o += 8 {
			v := value.Number(n.Addrs.Bytes(b)[o:])
			if v == 0 {
				break
			}
			r.Stack = append(r.Stack, v)
		}
	case n.Handle.Present():
		r.Stack, r.Err = t.depot(m, n.Handle.In(b))
	}
	return r, true
}

// depot reads the stack that a handle stands for.
func (t *tracker) depot(m *Model, handle uint64) ([]uint64, error) {
	n := &t.n
	if handle == 0 || t.pools == 0 || !n.Offset.Present() || !n.Frames.Present() || !n.Entries.Present() {
		return nil, nil
	}
	var word [4]byte
	for i := range word {
		word[i] = byte(handle >> (8 * i))
	}
	pool := n.Pool0.In(word[:])
	if n.Pool1.Present() {
		pool = n.Pool1.In(word[:]) - 1
	}
	if pool >= maxDepotPools {
		return nil, fmt.Errorf("stack %#x: pool %d", handle, int64(pool))
	}
	base, err := value.Word(m.k, t.pools+8*pool)
	if err != nil || base == 0 {
		return nil, fmt.Errorf("stack %#x: pool %d: %w", handle, pool, errors.Join(err, errors.New("none")))
	}
	at := base + n.Offset.In(word[:])<<depotAlign
	if own, err := n.Own.Uint(m.k, at); err == nil && n.Own.Present() && uint32(own) != uint32(handle) {
		return nil, fmt.Errorf("stack %#x: there is another one at %#x", handle, at)
	}
	frames, err := n.Frames.Uint(m.k, at)
	if err != nil {
		return nil, fmt.Errorf("stack %#x: %w", handle, err)
	}
	if frames = uint64(uint32(frames)); frames > maxDepotFrames {
		return nil, fmt.Errorf("stack %#x has %d frames", handle, frames)
	}
	buf := make([]byte, 8*frames)
	if err := m.k.Read(buf, n.Entries.At(at)); err != nil {
		return nil, fmt.Errorf("stack %#x: %w", handle, err)
	}
	var stack []uint64
	for o := 0; o < len(buf); o += 8 {
		stack = append(stack, binary.LittleEndian.Uint64(buf[o:]))
	}
	return stack, nil
}
