#!/bin/sh
# Assembles insns.s and records what objdump prints for it: insns.golden, with address, bytes, AT&T text and Intel text,
# separated by tabs. It needs the binutils whose text this package prints, 2.40 (Debian 12).
# newer.s has what those do not know. AS and OBJDUMP name newer ones for it; without them newer.golden stays.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# record NAME AS OBJDUMP
record() {
	"$2" --64 -o "$tmp/o" "$1.s" 2>/dev/null
	for syntax in att intel; do
		"$3" -d -z -w --insn-width=15 -M "$syntax" "$tmp/o" | grep -P '^ +[0-9a-f]+:\t' | sed 's/^ *//; s/ *$//' >"$tmp/$syntax"
	done
	cut -f3 "$tmp/intel" | paste "$tmp/att" - | sed 's/:\t/\t/; s/ *\t/\t/g' >"$1.golden"
	wc -l "$1.golden"
}

record insns as objdump
if [ -n "${OBJDUMP:-}" ]; then
	record newer "${AS:-as}" "$OBJDUMP"
fi
