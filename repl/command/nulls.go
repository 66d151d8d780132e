package command

import "github.com/kdive/kdive/repl/output"

// onlyIf is a value, or null if it is not known or there is none.
func onlyIf(known bool, v output.Value) output.Value {
	if !known {
		return output.NullOf(v)
	}
	return v
}

// optional is a string that is null when empty.
func optional(s string) output.Value { return onlyIf(s != "", output.String(s)) }

// optionalAddr is an address that is null when 0.
func optionalAddr(addr uint64) output.Value { return onlyIf(addr != 0, output.Addr(addr)) }

func atLeastZero(n int) output.Value { return onlyIf(n >= 0, output.Int(n)) }

func positive(n int) output.Value { return onlyIf(n > 0, output.Int(n)) }

func nonZero(n uint64) output.Value { return onlyIf(n != 0, output.Uint(n)) }
