package mm

import (
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

type swapNeeds struct {
	Info kernel.Sym   `need:"swap_info"`
	File kernel.Field `need:"swap_info_struct.swap_file"`
}

// maxSwapAreas is the number of swap types that fit in an entry (5 bits).
const maxSwapAreas = 32

// SwapFile is the path of the file or device of swap area number n.
func SwapFile(k kernel.View, n int) (string, error) {
	var need swapNeeds
	if err := k.Bind(&need); err != nil {
		return "", err
	}
	if n < 0 || n >= maxSwapAreas {
		return "", fmt.Errorf("no swap area %d", n)
	}
	info, err := value.Word(k, uint64(need.Info)+uint64(n)*8)
	if err == nil && info == 0 {
		err = fmt.Errorf("the kernel has none of that number")
	}
	if err != nil {
		return "", fmt.Errorf("swap area %d: %w", n, err)
	}
	file, err := need.File.Uint(k, info)
	if err == nil && file == 0 {
		err = fmt.Errorf("it has no file")
	}
	if err != nil {
		return "", fmt.Errorf("swap area %d: %w", n, err)
	}
	return NewPaths(k).File(file)
}
