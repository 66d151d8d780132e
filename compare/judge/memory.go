package judge

import (
	"fmt"
	"slices"
	"strings"
)

// memory are the commands that show all of the memory's allocators; what single
// addresses are comes from MemoryCommands.
var memory = []string{
	"kmem -f", "kmem -F", "kmem -v",
	"kmem -i", "kmem -i=shared", "kmem -V", "kmem -n", "kmem -z", "kmem -o", "kmem -h", "kmem -g", "kmem -g 4080",
	"kmem -p", "kmem -m flags,mapping,_refcount,_mapcount", "kmem -p 1000", "kmem -s", "kmem -S", "kmem -s -I dentry,pid",
}

// physicalSamples is how many physical addresses are asked for, all within the
// memory of the smallest dump.
const physicalSamples = 80

// MemoryCommands are the commands about memory whose text is compared on a dump
// with these tasks. Of their answers, those of KeptMemory are kept for tests.
func MemoryCommands(f *Facts) []string {
	c := append([]string(nil), memory...)
	for i := range uint64(physicalSamples) {
		c = append(c, fmt.Sprintf("kmem %x", 0x3000+i*0x95000+i*0x39), fmt.Sprintf("kmem -f %x", 0x4000+i*0x95000))
	}
	for i, addr := range f.TaskAddrs() {
		if i%8 == 0 {
			c = append(c, "kmem "+addr)
		}
	}
	return c
}

// KeptMemory are those whose answers are kept for tests: not what has a line for
// every page or object.
func KeptMemory(f *Facts) []string {
	return slices.DeleteFunc(MemoryCommands(f), func(c string) bool {
		return c == "kmem -p" || c == "kmem -S" || strings.HasPrefix(c, "kmem -m")
	})
}

// Only is a session of crash with the answers to these commands alone.
func Only(session string, commands []string) string {
	var b strings.Builder
	_, sections := Sections(session, CrashPrompt)
	for _, s := range sections {
		if slices.Contains(commands, s.Command) {
			b.WriteString(CrashPrompt + s.Command + "\n" + s.Text)
		}
	}
	return b.String()
}

// Memory judges what kdive printed for MemoryCommands with crash's answers.
func Memory(rules Rules, dump, crash, kdive string) []Comparison {
	var out comparisons
	out.addTexts(rules, dump, crash, answers(kdive, Prompt), func(command string) string {
		name, operand, _ := strings.Cut(command, " ")
		if option, _, more := strings.Cut(operand, " "); strings.HasPrefix(operand, "-") {
			if name += " " + option; more {
				name += " ADDR"
			}
		} else {
			name += " ADDR"
		}
		return name
	})
	return out
}
