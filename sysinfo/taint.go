package sysinfo

import (
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// Taint is tainted_mask and the letters of its bits.
type Taint struct {
	Mask  uint64
	Flags string // letters of the bits that are set, in their order: "OE"
}

// taintLetters are the letters by bit, for kernels whose table is not in the
// dump (Documentation/admin-guide/tainted-kernels.rst).
const taintLetters = "PFSRMBUDAWCIOELKXTNJ"

// ReadTaint reads the taint mask; the letters are those of the kernel's own
// table.
func ReadTaint(k kernel.View) (Taint, error) {
	mask, err := variable(k, 8, "tainted_mask")
	if err != nil {
		return Taint{Mask: mask}, err
	}
	return Taint{Mask: mask, Flags: TaintFlags(k, mask)}, nil
}

// TaintFlags are the letters of the bits that are set in a taint mask, the
// kernel's or a module's.
func TaintFlags(k kernel.View, mask uint64) string {
	letters := []byte(taintLetters)
	var n struct {
		Table kernel.Sym   `need:"taint_flags"`
		True  kernel.Field `need:"taint_flag.c_true"`
		Size  kernel.Size  `need:"taint_flag"`
	}
	if k.Bind(&n) == nil {
		if typ, err := k.VariableType("taint_flags"); err == nil && typ.Underlying().Kind() == ctype.Array {
			b := make([]byte, min(max(typ.Underlying().Count(), 0), 64)*int64(min(n.Size, 64)))
			if k.Read(b, uint64(n.Table)) == nil {
				letters = letters[:0]
				for ; len(b) >= int(n.Size) && n.Size > 0; b = b[n.Size:] {
					letters = append(letters, byte(n.True.In(b)))
				}
			}
		}
	}
	var flags string
	for bit := range 64 {
		switch {
		case mask>>bit&1 == 0:
		case bit < len(letters) && letters[bit] > ' ' && letters[bit] < 0x7f:
			flags += string(letters[bit])
		default:
			flags += fmt.Sprintf("(%d)", bit)
		}
	}
	return flags
}

// DMI is one identification string of the firmware.
type DMI struct{ Name, Value string }

// dmiNames are the enumerators of enum dmi_field (include/linux/mod_devicetable.h);
// which there are, and their numbers, the kernel's debug info says.
var dmiNames = []string{"DMI_BIOS_VENDOR", "DMI_BIOS_VERSION", "DMI_BIOS_DATE", "DMI_BIOS_RELEASE", "DMI_EC_FIRMWARE_RELEASE",
	"DMI_SYS_VENDOR", "DMI_PRODUCT_NAME", "DMI_PRODUCT_VERSION", "DMI_PRODUCT_SERIAL", "DMI_PRODUCT_UUID", "DMI_PRODUCT_SKU",
	"DMI_PRODUCT_FAMILY", "DMI_BOARD_VENDOR", "DMI_BOARD_NAME", "DMI_BOARD_VERSION", "DMI_BOARD_SERIAL", "DMI_BOARD_ASSET_TAG",
	"DMI_CHASSIS_VENDOR", "DMI_CHASSIS_TYPE", "DMI_CHASSIS_VERSION", "DMI_CHASSIS_SERIAL", "DMI_CHASSIS_ASSET_TAG"}

// maxDMI bounds a string, in bytes.
const maxDMI = 256

// ReadDMI reads the strings that the firmware gave.
func ReadDMI(k kernel.View) ([]DMI, error) {
	ident, ok := k.ImageSymbol("dmi_ident")
	if !ok {
		return nil, fmt.Errorf("no symbol dmi_ident")
	}
	var out []DMI
	for _, name := range dmiNames {
		i, ok := k.Enumerator(name)
		if !ok || i < 0 || i > 64 {
			continue
		}
		p, err := value.Word(k, ident+uint64(i)*8)
		if err != nil {
			return out, fmt.Errorf("dmi_ident: %w", err)
		}
		if p == 0 {
			continue
		}
		s, err := value.CString(k, p, maxDMI)
		if err != nil {
			return out, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, DMI{name, s})
	}
	return out, nil
}
