package command

import (
	"fmt"
	"strings"

	"github.com/kdive/kdive/bitdiff"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/slabcheck/rules"
	"github.com/kdive/kdive/value"
)

var ruleRecord = &output.Record[rules.Rule]{
	Type: "slab_rule",
	Help: "something that must hold in a sound allocator",
	Columns: []output.Column[rules.Rule]{
		{Name: "rule", Head: "RULE                     ", Verb: "%-24s ", Help: "name of the rule, as in findings", Get: func(r *rules.Rule) output.Value { return output.String(r.ID) }},
		{Name: "kind", Head: "KIND       ", Verb: "%-10s ", Help: "what it looks at", Get: func(r *rules.Rule) output.Value { return output.String(r.Kind) }},
		{Name: "meaning", Head: "MEANING", Verb: "%s", Help: "what must hold", Get: func(r *rules.Rule) output.Value { return output.String(r.Help) }},
	},
}

var findingRecord = &output.Record[findingRow]{
	Type: "slab_finding",
	Help: "a place where the allocator contradicts itself",
	Columns: []output.Column[findingRow]{
		{Name: "rule", Help: "the rule that is broken; see -l", Get: func(f *findingRow) output.Value { return output.String(f.Rule.ID) }},
		{Name: "kind", Help: "what the rule looks at", Get: func(f *findingRow) output.Value { return output.String(f.Rule.Kind) }},
		{Name: "sure", Help: "certain, likely, or in flight: an update that was interrupted explains it", Get: func(f *findingRow) output.Value { return output.String(f.Sure.String()) }},
		{Name: "text", Help: "what is wrong, in words", Get: func(f *findingRow) output.Value { return output.String(f.Text) }},
		{Name: "cache", Help: "address of the kmem_cache", Get: func(f *findingRow) output.Value {
			if f.Cache == nil {
				return output.Null()
			}
			return output.Addr(f.Cache.Addr)
		}},
		{Name: "name", Help: "name of the cache", Get: func(f *findingRow) output.Value {
			if f.Cache == nil {
				return output.Null()
			}
			return output.String(f.Cache.Name)
		}},
		{Name: "slab", Help: "address of the struct slab or struct page", Get: func(f *findingRow) output.Value { return optionalAddr(f.Page) }},
		{Name: "memory", Help: "address of the slab's first byte", Get: func(f *findingRow) output.Value {
			if f.Slab == nil {
				return output.Null()
			}
			return output.Addr(f.Slab.Base)
		}},
		{Name: "object", Help: "address of the object", Get: func(f *findingRow) output.Value { return optionalAddr(f.Object) }},
		{Name: "index", Help: "number of the object in its slab", Get: func(f *findingRow) output.Value { return atLeastZero(f.Index) }},
		{Name: "node", Help: "NUMA node of the list or counter", Get: func(f *findingRow) output.Value { return atLeastZero(f.Node) }},
		{Name: "cpu", Help: "CPU of the list", Get: func(f *findingRow) output.Value { return atLeastZero(f.CPU) }},
		{Name: "address", Help: "of the value", Get: func(f *findingRow) output.Value { return optionalAddr(f.At) }},
		{Name: "member", Help: "where that is", Get: func(f *findingRow) output.Value { return optional(f.Member) }},
		{Name: "offset", Help: "of the value from the object, or from the structure that the member is of, in bytes", Get: func(f *findingRow) output.Value { return onlyIf(f.At != 0, output.Int(f.Offset)) }},
		{Name: "found", Help: "the value, an integer of up to 8 bytes", Get: func(f *findingRow) output.Value { return wordValue(f.Found) }},
		{Name: "expected", Help: "what it should be", Get: func(f *findingRow) output.Value { return wordValue(f.Expected) }},
		{Name: "found_bytes", Help: "the value byte by byte, as in memory", Get: func(f *findingRow) output.Value { return bytesValue(f.Found) }},
		{Name: "expected_bytes", Help: "what they should be", Get: func(f *findingRow) output.Value { return bytesValue(f.Expected) }},
		{Name: "bits", Help: "numbers of the bits that differ", Get: func(f *findingRow) output.Value {
			if f.Expected == nil {
				return output.Null()
			}
			return intList(bitdiff.Of(f.Expected, f.Found).Bits)
		}},
		{Name: "changes", Help: "bytes that differ: index, what should be there, what is, each also as text", Get: func(f *findingRow) output.Value {
			if f.Expected == nil {
				return output.Null()
			}
			return changesValue(bitdiff.Of(f.Expected, f.Found).Bytes)
		}},
		{Name: "leads_to", Help: "of a pointer to an object: where it leads", Get: func(f *findingRow) output.Value { return optionalAddr(f.Target) }},
		{Name: "should_lead_to", Help: "and where it should", Get: func(f *findingRow) output.Value { return onlyIf(f.HasWant, output.Addr(f.Want)) }},
		{Name: "neighbours", Help: "the object and those around it: address, index, state, what it is, who points to it, who allocated and freed it", Get: neighboursValue},
		{Name: "proof", Help: "of what is in flight: the CPU, its function in the allocator, the pc, and the address that it holds", Get: proofValue},
	},
	Text: findingText,
}

// wordValue is an integer as it is in memory; null if it has more than 8 bytes.
func wordValue(b []byte) output.Value {
	if len(b) == 0 || len(b) > 8 {
		return output.Null()
	}
	return output.Hex(value.Number(b))
}

func bytesValue(b []byte) output.Value {
	if b == nil {
		return output.Null()
	}
	list := make([]output.Value, len(b))
	for i := range b {
		list[i] = output.Int(int(b[i]))
	}
	return output.List(list...)
}

func intList(n []int) output.Value {
	list := make([]output.Value, len(n))
	for i := range n {
		list[i] = output.Int(n[i])
	}
	return output.List(list...)
}

// changesValue are the bytes that differ.
func changesValue(changes []bitdiff.Change) output.Value {
	char := func(b byte) output.Value {
		if c, ok := bitdiff.Char(b); ok {
			return output.String(c)
		}
		return output.Null()
	}
	list := make([]output.Value, len(changes))
	for i, c := range changes {
		list[i] = output.Object(output.Field{Name: "byte", Value: output.Int(c.Index)},
			output.Field{Name: "from", Value: output.Hex(c.From)}, output.Field{Name: "to", Value: output.Hex(c.To)},
			output.Field{Name: "from_text", Value: char(c.From)}, output.Field{Name: "to_text", Value: char(c.To)})
	}
	return output.List(list...)
}

func proofValue(f *findingRow) output.Value {
	if f.Proof == nil {
		return output.Null()
	}
	return output.Object(output.Field{Name: "cpu", Value: output.Int(f.Proof.CPU)}, output.Field{Name: "function", Value: output.String(f.Proof.Function)},
		output.Field{Name: "pc", Value: output.Addr(f.Proof.PC)}, output.Field{Name: "holds", Value: output.Addr(f.Proof.Holds)})
}

// findingText is a finding for a reader: what and where in the first line, the
// evidence below.
func findingText(b []byte, f *findingRow) []byte {
	name := "-"
	if f.Cache != nil {
		if name = f.Cache.Name; name == "" {
			name = fmt.Sprintf("cache %x", f.Cache.Addr)
		}
	}
	b = fmt.Appendf(b, "%s: %s: %s: %s\n", f.Sure, f.Rule.ID, name, f.Text)
	if f.Object != 0 && f.Slab != nil && f.Index >= 0 {
		b = fmt.Appendf(b, "    OBJECT    %016x #%d of slab %016x (%016x)\n", f.Object, f.Index, f.Page, f.Slab.Base)
	} else if f.Page != 0 {
		b = fmt.Appendf(b, "    SLAB      %016x", f.Page)
		if f.Slab != nil {
			b = fmt.Appendf(b, " (%016x)", f.Slab.Base)
		}
		b = append(b, '\n')
	}
	if f.At != 0 {
		b = fmt.Appendf(b, "    AT        %016x", f.At)
		if f.Member != "" || f.Object != 0 {
			b = fmt.Appendf(b, " %s at %+d", f.Member, f.Offset)
		}
		b = append(b, '\n')
	}
	b = appendBytes(b, "FOUND     ", f.Found, f.Target)
	want := uint64(0)
	if f.Target != 0 {
		want = f.Want
	}
	b = appendBytes(b, "EXPECTED  ", f.Expected, want)
	if f.Expected != nil {
		b = appendDiff(b, "    CHANGED   ", bitdiff.Of(f.Expected, f.Found))
	}
	for i := range f.near {
		b = f.near[i].append(b, f.Index)
	}
	if p := f.Proof; p != nil {
		b = fmt.Appendf(b, "    PROOF     CPU %d was in %s (%016x) and holds %016x\n", p.CPU, p.Function, p.PC, p.Holds)
	}
	return b
}

// appendBytes shows a value as an integer, or byte by byte if it is longer, with
// the characters that it is of, and where a pointer that it encodes leads.
func appendBytes(b []byte, label string, v []byte, leads uint64) []byte {
	if v == nil {
		return b
	}
	b = fmt.Appendf(b, "    %s", label)
	if len(v) <= 8 {
		b = fmt.Appendf(b, "%0*x", 2*len(v), value.Number(v))
		if leads != 0 && leads != value.Number(v) {
			b = fmt.Appendf(b, " (leads to %016x)", leads)
		}
	} else {
		b = fmt.Appendf(b, "% x", v[:min(len(v), 16)])
		if len(v) > 16 {
			b = append(b, " ..."...)
		}
	}
	if text := textOf(v); text != "" {
		b = fmt.Appendf(b, "  '%s'", text)
	}
	return append(b, '\n')
}

// textOf is a value as text if most of it is.
func textOf(v []byte) string {
	good := 0
	out := make([]byte, len(v))
	for i, c := range v {
		out[i] = '.'
		if _, ok := bitdiff.Char(c); ok {
			out[i] = c
			good++
		}
	}
	if len(v) < 4 || good < 4 || good*4 < len(v)*3 {
		return ""
	}
	return string(out)
}

// appendDiff shows bits and bytes that differ.
func appendDiff(b []byte, label string, d bitdiff.Diff) []byte {
	if len(d.Bytes) == 0 {
		return b
	}
	b = append(b, label...)
	if len(d.Bits) <= 16 {
		b = append(b, "bits"...)
		for i := len(d.Bits) - 1; i >= 0; i-- {
			b = fmt.Appendf(b, " %d", d.Bits[i])
		}
	} else {
		b = fmt.Appendf(b, "%d bits", len(d.Bits))
	}
	var list []string
	for i, c := range d.Bytes {
		if i >= 8 {
			list = append(list, fmt.Sprintf("and %d more", len(d.Bytes)-i))
			break
		}
		list = append(list, changeText(c))
	}
	return fmt.Appendf(b, "; %s\n", strings.Join(list, ", "))
}

func changeText(c bitdiff.Change) string {
	s := fmt.Sprintf("byte %d: %02x -> %02x", c.Index, c.From, c.To)
	if c.Printable() {
		s += fmt.Sprintf(" ('%c' -> '%c')", c.From, c.To)
	}
	return s
}
