package die

import (
	"debug/dwarf"
	"errors"
	"fmt"
)

// Range is a half-open interval of link-time addresses.
type Range struct{ Low, High uint64 }

// Contains reports whether pc is in the range.
func (r Range) Contains(pc uint64) bool { return r.Low <= pc && pc < r.High }

// maxRanges bounds one list of ranges.
const maxRanges = 1 << 16

// Ranges are the addresses that an entry covers: DW_AT_low_pc and high_pc, or
// DW_AT_ranges. Empty ranges are left out.
func (e *Entry) Ranges() ([]Range, error) {
	if v, ok := e.Attr(dwarf.AttrRanges); ok {
		return e.Unit.rangeList(v)
	}
	v, ok := e.Attr(dwarf.AttrLowpc)
	if !ok {
		return nil, nil
	}
	low, err := v.Addr()
	if err != nil {
		return nil, err
	}
	if v, ok = e.Attr(dwarf.AttrHighpc); !ok {
		return nil, nil
	}
	high := low + v.U
	if !v.IsConst() {
		if high, err = v.Addr(); err != nil {
			return nil, err
		}
	}
	if high <= low {
		return nil, nil
	}
	return []Range{{low, high}}, nil
}

func (u *Unit) rangeList(v Value) ([]Range, error) {
	if u.Version < 5 {
		return u.ranges4(v.U)
	}
	off := v.U
	if v.Form == FormRnglistx {
		n := uint64(len(u.d.RngLists))
		if u.rngBase > n || v.U > n {
			return nil, fmt.Errorf("range list %d: outside .debug_rnglists", v.U)
		}
		b := At(u.d.RngLists, int(min(n, u.rngBase+4*v.U)))
		off = u.rngBase + uint64(b.U32())
		if b.Bad {
			return nil, fmt.Errorf("range list %d: outside .debug_rnglists", v.U)
		}
	}
	return u.ranges5(off)
}

var errRangesEnd = errors.New("range list ends early")

// ranges4 reads .debug_ranges (DWARF 4, 2.17.3).
func (u *Unit) ranges4(off uint64) ([]Range, error) {
	if off >= uint64(len(u.d.Ranges)) {
		return nil, fmt.Errorf("range list at %#x: outside .debug_ranges", off)
	}
	b := At(u.d.Ranges, int(off))
	base := u.LowPC
	selector := ^uint64(0) >> (64 - 8*u.AddrSize)
	var list []Range
	for len(list) < maxRanges {
		low, high := b.Uint(u.AddrSize), b.Uint(u.AddrSize)
		switch {
		case b.Bad:
			return list, errRangesEnd
		case low == 0 && high == 0:
			return list, nil
		case low == selector:
			base = high
		case low < high:
			list = append(list, Range{base + low, base + high})
		}
	}
	return list, errors.New("range list too long")
}

// Range list entries (DWARF 5, 7.25).
const (
	rleEnd = iota
	rleBaseX
	rleStartXEndX
	rleStartXLength
	rleOffsetPair
	rleBase
	rleStartEnd
	rleStartLength
)

// ranges5 reads .debug_rnglists.
func (u *Unit) ranges5(off uint64) ([]Range, error) {
	if off >= uint64(len(u.d.RngLists)) {
		return nil, fmt.Errorf("range list at %#x: outside .debug_rnglists", off)
	}
	b := At(u.d.RngLists, int(off))
	base := u.LowPC
	var list []Range
	for len(list) < maxRanges {
		var low, high uint64
		var err error
		switch kind := b.U8(); {
		case b.Bad:
			return list, errRangesEnd
		case kind == rleEnd:
			return list, nil
		case kind == rleBaseX:
			base, err = u.AddrX(b.Uleb())
		case kind == rleStartXEndX:
			if low, err = u.AddrX(b.Uleb()); err == nil {
				high, err = u.AddrX(b.Uleb())
			}
		case kind == rleStartXLength:
			low, err = u.AddrX(b.Uleb())
			high = low + b.Uleb()
		case kind == rleOffsetPair:
			low, high = base+b.Uleb(), base+b.Uleb()
		case kind == rleBase:
			base = b.Uint(u.AddrSize)
		case kind == rleStartEnd:
			low, high = b.Uint(u.AddrSize), b.Uint(u.AddrSize)
		case kind == rleStartLength:
			low = b.Uint(u.AddrSize)
			high = low + b.Uleb()
		default:
			return list, fmt.Errorf("range list: unknown entry kind %d", kind)
		}
		if err != nil {
			return list, err
		}
		if b.Bad {
			return list, errRangesEnd
		}
		if low < high {
			list = append(list, Range{low, high})
		}
	}
	return list, errors.New("range list too long")
}

// CodeRanges are the addresses that the unit's root entry says it covers.
func (u *Unit) CodeRanges() ([]Range, error) { return u.root.Ranges() }
