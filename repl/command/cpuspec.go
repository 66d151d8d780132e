package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kdive/kdive/repl"
)

// cpuList reads a CPU specification as in "symbol:spec": a list of numbers and
// ranges (0,2-4), or a or all for every CPU of possible. The result is sorted
// and has each CPU once.
func cpuList(spec string, possible []int) ([]int, error) {
	if spec == "a" || spec == "all" {
		return possible, nil
	}
	var cpus []int
	for part := range strings.SplitSeq(spec, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.ParseUint(low, 10, 16)
		to, err2 := strconv.ParseUint(high, 10, 16)
		if err1 != nil || err2 != nil || to < from {
			return nil, fmt.Errorf("invalid CPU specification: %s", spec)
		}
		for cpu := int(from); cpu <= int(to); cpu++ {
			if !slices.Contains(possible, cpu) {
				return nil, fmt.Errorf("invalid CPU specification: %s: the kernel has no CPU %d", spec, cpu)
			}
			cpus = append(cpus, cpu)
		}
	}
	slices.Sort(cpus)
	return slices.Compact(cpus), nil
}

// hidden reports whether "set offline hide" leaves a CPU out.
func (t *Target) hidden(c *repl.Call, cpu int) bool {
	if c.Shell.Settings.Offline {
		return false
	}
	online, err := t.Opened.Kernel.OnlineCPUs()
	return err == nil && !slices.Contains(online, cpu)
}
