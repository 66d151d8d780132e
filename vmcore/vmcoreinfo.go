package vmcore

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// VMCoreInfo is the text that a kernel exports for the readers of its dumps
// (kernel/vmcore_info.c): lines of KEY=VALUE. Later lines do not override
// earlier ones of the same key.
type VMCoreInfo struct {
	raw    []byte
	keys   []string
	values map[string]string
}

// maxVMCoreInfo is far above what kernels write (a page, or a few).
const maxVMCoreInfo = 1 << 20

// ParseVMCoreInfo parses the text of a VMCOREINFO note. It is an error if no
// line is a key with a value, or if the text holds bytes that no kernel writes;
// the well-formed lines are then returned beside the error.
func ParseVMCoreInfo(raw []byte) (*VMCoreInfo, error) {
	if len(raw) > maxVMCoreInfo {
		return nil, fmt.Errorf("vmcoreinfo: %d bytes are too many", len(raw))
	}
	if i := bytes.IndexByte(raw, 0); i >= 0 {
		raw = raw[:i]
	}
	v := &VMCoreInfo{raw: bytes.Clone(raw), values: map[string]string{}}
	bad := 0
	for line := range bytes.SplitSeq(raw, []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		key, value, ok := strings.Cut(string(line), "=")
		if !ok || key == "" || !printable(line) {
			bad++
			continue
		}
		if _, dup := v.values[key]; !dup {
			v.keys = append(v.keys, key)
			v.values[key] = value
		}
	}
	switch {
	case len(v.keys) == 0 && bad == 0:
		return nil, errors.New("vmcoreinfo: empty")
	case len(v.keys) == 0:
		return nil, errors.New("vmcoreinfo: no line is KEY=VALUE")
	case bad > 0:
		return v, fmt.Errorf("vmcoreinfo: %d damaged lines", bad)
	}
	return v, nil
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// Raw returns the text as it stands in the dump.
func (v *VMCoreInfo) Raw() []byte { return v.raw }

// Keys returns the keys in the order of the text, such as "OSRELEASE" or
// "SYMBOL(init_uts_ns)".
func (v *VMCoreInfo) Keys() []string { return v.keys }

// Get returns the value of a whole key.
func (v *VMCoreInfo) Get(key string) (string, bool) {
	s, ok := v.values[key]
	return s, ok
}

// Symbol returns the run-time virtual address of a kernel symbol.
func (v *VMCoreInfo) Symbol(name string) (uint64, bool) {
	s, ok := v.values["SYMBOL("+name+")"]
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 16, 64)
	return n, err == nil
}

// Size returns the size in bytes of a structure.
func (v *VMCoreInfo) Size(name string) (int64, bool) { return v.number("SIZE", name) }

// Offset returns the offset in bytes of a member, named "structure.member".
func (v *VMCoreInfo) Offset(name string) (int64, bool) { return v.number("OFFSET", name) }

// Length returns the number of elements of an array.
func (v *VMCoreInfo) Length(name string) (int64, bool) { return v.number("LENGTH", name) }

// Number returns a constant or the value of a variable.
func (v *VMCoreInfo) Number(name string) (int64, bool) { return v.number("NUMBER", name) }

func (v *VMCoreInfo) number(kind, name string) (int64, bool) {
	s, ok := v.values[kind+"("+name+")"]
	if !ok {
		return 0, false
	}
	// A few are written in hexadecimal, with 0x; some as unsigned.
	if n, err := strconv.ParseInt(s, 0, 64); err == nil {
		return n, true
	}
	n, err := strconv.ParseUint(s, 0, 64)
	return int64(n), err == nil
}
