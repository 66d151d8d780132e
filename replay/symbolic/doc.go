// Package symbolic follows what the registers and the stack of a function hold,
// as expressions over what it was called with.
//
// It knows machine code (package disasm) and the calling convention, and nothing
// of kernels, dumps or debug info. Analyze runs over all paths of a function until
// nothing changes any more; Func.At then tells the state in front of an
// instruction, and State with Facts, which say what is really known there, turns
// expressions into numbers. An expression that two paths do not agree on, or that
// a called function may have changed, is a name of its own that equals nothing
// else. Any bytes can be analyzed: work is bounded, and code that cannot be
// followed for sure is an error.
package symbolic
