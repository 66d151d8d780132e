// Package fault says why a read of dumped memory gave no bytes.
//
// Every reader of the project, from the page reader of a compressed dump up to
// a member access through three pointers, returns bytes or an error; where the
// memory itself is the cause, the error chain holds an *Error with the address,
// its address space and the reason. Commands print the reason in place and go
// on. The package knows nothing of dump formats or of kernels.
package fault

import (
	"errors"
	"fmt"
)

// Space is the address space an address belongs to.
type Space uint8

// The address spaces of an x86-64 dump.
const (
	Physical Space = iota // machine or guest physical address
	Virtual               // kernel virtual address
	User                  // virtual address in the address space of one task
)

func (s Space) String() string {
	switch s {
	case Physical:
		return "physical"
	case Virtual:
		return "kernel virtual"
	case User:
		return "user virtual"
	}
	return fmt.Sprintf("space(%d)", uint8(s))
}

// Reason is why memory could not be read.
type Reason uint8

// The reasons, in the order in which a read can fail.
const (
	Unmapped   Reason = iota + 1 // the page tables map nothing there
	SwappedOut                   // the page-table entry names a swap slot, or a page that is on its way
	NotRAM                       // the dump describes no memory at this physical address
	Excluded                     // the dump filter left the page out
	Truncated                    // the dump file ends before the page's bytes
	Damaged                      // the bytes are there and do not decode
)

// String is the short form that commands print in place of a value.
func (r Reason) String() string {
	switch r {
	case Unmapped:
		return "not mapped"
	case SwappedOut:
		return "swapped out"
	case NotRAM:
		return "not RAM"
	case Excluded:
		return "excluded"
	case Truncated:
		return "truncated"
	case Damaged:
		return "damaged"
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// explain is the long form, part of a sentence that names the address.
func (r Reason) explain() string {
	switch r {
	case Excluded:
		return "page excluded by the dump filter"
	case Truncated:
		return "in a part of the dump that is missing"
	case NotRAM:
		return "no memory in the dump at this address"
	case Damaged:
		return "page data damaged"
	}
	return r.String()
}

// Error is a failed read.
type Error struct {
	Addr   uint64 // first address that could not be read
	Space  Space  // address space of Addr
	Reason Reason
	Detail string // what the codec, the page walk or the file said; may be empty
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s address %#x: %s", e.Space, e.Addr, e.Reason.explain())
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	return s
}

// At is the failure of the same read seen from another address space: a page
// walk that ends in an excluded page reports the virtual address it was asked
// for, and keeps the physical one as detail.
func At(err error, space Space, addr uint64) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Space == space && e.Addr == addr {
		return e
	}
	detail := fmt.Sprintf("%s %#x", e.Space, e.Addr)
	if e.Detail != "" {
		detail += ": " + e.Detail
	}
	return &Error{Addr: addr, Space: space, Reason: e.Reason, Detail: detail}
}

// NotInDump reports whether a read failed for want of the dump: its filter left the
// page out, its file ends before it, or its bytes do not decode.
func NotInDump(err error) bool {
	switch ReasonOf(err) {
	case Excluded, Truncated, Damaged:
		return true
	}
	return false
}

// ReasonOf returns the reason in err's chain, or 0 if memory is not the cause.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}
