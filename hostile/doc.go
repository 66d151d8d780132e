// Package hostile damages dumps, kernels and indexes and runs kdive on them.
//
// It is tests only: each mutation of a file (a changed byte, a cut) is one run
// of the real program with a list of commands. None may crash it, hang it or
// make it eat memory; it ends in answers or in an error that says what is
// wrong. Damage to one page may change only what was read from that page: for
// every command the tests know which pages it reads (kdive.Options.Trace), and
// compare all other answers with those on the undamaged file.
//
// A few mutations run always. KDIVE_MUTATIONS=1000 runs so many of every kind,
// KDIVE_MUTATION=7 only the seventh, KDIVE_HOSTILE_DUMP=FILE mutates one more
// dump of the same memory, such as an ELF core of all of it. Start from
// TestDump.
package hostile
