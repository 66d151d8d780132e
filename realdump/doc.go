// Package realdump tests kdive on dumps of real kernels.
//
// What crash and drgn say of these dumps is kept in testdata/facts; package
// judge compares it with what kdive says. The bundled dump is always tested;
// others are where KDIVE_FIXTURES and KDIVE_FORMATS say, and without these their
// tests are skipped. The package has tests only.
package realdump
