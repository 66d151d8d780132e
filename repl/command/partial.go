package command

import (
	"errors"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// gap is a part of a read that gave no bytes.
type gap struct {
	start, end int // offsets in the buffer
	err        error
}

// readAround fills p from addr with what can be read and returns the parts that
// cannot, in order. Whatever fails is given up to the end of its page.
// Neighbours that failed for the same reason are one gap.
func readAround(mem value.Memory, p []byte, addr uint64) []gap {
	var gaps []gap
	for pos := 0; pos < len(p); {
		err := mem.Read(p[pos:], addr+uint64(pos))
		if err == nil {
			break
		}
		bad := pos
		var e *fault.Error
		if errors.As(err, &e) && e.Addr-addr >= uint64(pos) && e.Addr-addr < uint64(len(p)) {
			bad = int(e.Addr - addr)
		}
		inPage := int((addr + uint64(bad)) & (kernel.PageSize - 1))
		end := min(len(p), bad+kernel.PageSize-inPage)
		if n := len(gaps); n > 0 && gaps[n-1].end == bad && sameReason(gaps[n-1].err, err) {
			gaps[n-1].end = end
		} else {
			gaps = append(gaps, gap{bad, end, err})
		}
		pos = end
	}
	return gaps
}

// sameReason tells whether two failed reads failed alike.
func sameReason(a, b error) bool {
	r := fault.ReasonOf(a)
	return r != 0 && r == fault.ReasonOf(b)
}
