// Package die reads debugging information entries (DIEs): the units of
// .debug_info, their abbreviations, attributes and forms.
//
// It knows the encoding of DWARF 2 to 5 in its 32-bit format (DWARF 5 standard,
// chapter 7), and nothing of types, symbols or the kernel. Sections are slices
// that somebody else mapped; every offset in them is checked before use. Start
// from New, then Data.Unit and Unit.Entry: an Entry is a cursor that decodes an
// attribute when it is asked for. The constants of tags and attributes are
// those of debug/dwarf; the operators of expressions, which it does not run, are
// here.
package die
