package die

import (
	"errors"
	"fmt"
)

// Location is one entry of a location list: an expression and the link-time
// addresses at which it holds. A Location with Always set holds everywhere
// else (DW_LLE_default_location), or everywhere if it is the only one.
type Location struct {
	Range
	Always bool
	Expr   []byte
}

// maxLocations bounds one list.
const maxLocations = 1 << 16

var (
	errLocationsEnd = errors.New("location list ends early")
	errLocationKind = errors.New("location list: unknown kind of entry")
)

// Locations decodes a DW_AT_location (or any attribute of its classes): one
// expression, or a list from .debug_loc or .debug_loclists. Entries with an
// empty range are left out. With an error come the entries before it.
func (u *Unit) Locations(v Value) ([]Location, error) {
	if v.IsBlock() {
		return []Location{{Always: true, Expr: v.Block}}, nil
	}
	if u.Version < 5 {
		return u.locations4(v.U)
	}
	off := v.U
	if v.Form == FormLoclistx {
		n := uint64(len(u.d.LocLists))
		if u.lstBase > n || v.U > n {
			return nil, fmt.Errorf("location list %d: outside .debug_loclists", v.U)
		}
		b := At(u.d.LocLists, int(min(n, u.lstBase+4*v.U)))
		off = u.lstBase + uint64(b.U32())
		if b.Bad {
			return nil, fmt.Errorf("location list %d: outside .debug_loclists", v.U)
		}
	}
	return u.locations5(off)
}

// locations4 reads .debug_loc (DWARF 4, 2.6.2).
func (u *Unit) locations4(off uint64) ([]Location, error) {
	if off >= uint64(len(u.d.Loc)) {
		return nil, fmt.Errorf("location list at %#x: outside .debug_loc", off)
	}
	b := At(u.d.Loc, int(off))
	base := u.LowPC
	selector := ^uint64(0) >> (64 - 8*u.AddrSize)
	var list []Location
	for len(list) < maxLocations {
		low, high := b.Uint(u.AddrSize), b.Uint(u.AddrSize)
		switch {
		case b.Bad:
			return list, errLocationsEnd
		case low == 0 && high == 0:
			return list, nil
		case low == selector:
			base = high
			continue
		}
		expr := b.Block(uint64(b.U16()))
		if b.Bad {
			return list, errLocationsEnd
		}
		if low < high {
			list = append(list, Location{Range: Range{base + low, base + high}, Expr: expr})
		}
	}
	return list, errors.New("location list too long")
}

// Location list entries (DWARF 5, 7.7.3).
const (
	lleEnd = iota
	lleBaseX
	lleStartXEndX
	lleStartXLength
	lleOffsetPair
	lleDefault
	lleBase
	lleStartEnd
	lleStartLength
	lleViewPair // GNU
)

// locations5 reads .debug_loclists.
func (u *Unit) locations5(off uint64) ([]Location, error) {
	if off >= uint64(len(u.d.LocLists)) {
		return nil, fmt.Errorf("location list at %#x: outside .debug_loclists", off)
	}
	b := At(u.d.LocLists, int(off))
	base := u.LowPC
	var list []Location
	for len(list) < maxLocations {
		var l Location
		var err error
		kind := b.U8()
		switch kind {
		case lleEnd:
			if b.Bad {
				return list, errLocationsEnd
			}
			return list, nil
		case lleBaseX:
			base, err = u.AddrX(b.Uleb())
		case lleStartXEndX:
			if l.Low, err = u.AddrX(b.Uleb()); err == nil {
				l.High, err = u.AddrX(b.Uleb())
			}
		case lleStartXLength:
			l.Low, err = u.AddrX(b.Uleb())
			l.High = l.Low + b.Uleb()
		case lleOffsetPair:
			l.Low, l.High = base+b.Uleb(), base+b.Uleb()
		case lleDefault:
			l.Always = true
		case lleBase:
			base = b.Uint(u.AddrSize)
		case lleStartEnd:
			l.Low, l.High = b.Uint(u.AddrSize), b.Uint(u.AddrSize)
		case lleStartLength:
			l.Low = b.Uint(u.AddrSize)
			l.High = l.Low + b.Uleb()
		case lleViewPair:
			b.Uleb()
			b.Uleb()
		default:
			return list, errLocationKind
		}
		if err != nil {
			return list, err
		}
		if kind == lleBaseX || kind == lleBase || kind == lleViewPair {
			if b.Bad {
				return list, errLocationsEnd
			}
			continue
		}
		l.Expr = b.Block(b.Uleb())
		if b.Bad {
			return list, errLocationsEnd
		}
		if l.Always || l.Low < l.High {
			list = append(list, l)
		}
	}
	return list, errors.New("location list too long")
}
