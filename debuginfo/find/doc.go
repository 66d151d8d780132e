// Package find knows where debug files are: beside the dump, where the
// distributions install them, in the cache where compressed ones are unpacked.
//
// It knows file names, directory layouts, build IDs and the cache; it must not
// know DWARF, dumps or the kernel. What it is told to look for (release, build
// ID, module names) comes from a hostile dump and never becomes part of a path
// without a check. A search that fails says what it tried and why each
// candidate was refused. Start from Vmlinux, Named and NewModules.
package find
