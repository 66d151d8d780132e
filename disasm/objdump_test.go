package disasm_test

import (
	"bufio"
	"cmp"
	"debug/elf"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kdive/kdive/disasm"
)

// TestObjdump compares all code of ELF files with what objdump prints for it, byte for byte, comments included, without
// the symbols. It takes time, so it needs to be asked for:
//
//	KDIVE_DISASM   files, separated by colons: a vmlinux, modules
//	KDIVE_SECTION  which sections, separated by commas (default .text)
//	KDIVE_SYNTAX   att (default) or intel
//	KDIVE_LIMIT    how many kinds of differences to list (default 60)
//	OBJDUMP        the program, if it is not objdump
func TestObjdump(t *testing.T) {
	files := os.Getenv("KDIVE_DISASM")
	if files == "" {
		t.Skip("KDIVE_DISASM names no files to compare")
	}
	for _, file := range filepath.SplitList(files) {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) { compareFile(t, file) })
	}
}

// A comparison counts what one file gave.
type comparison struct {
	total, sameText, sameLen int
	outOfStep                int
	unknown                  int            // what objdump calls (bad) and we know
	differ                   map[string]int // shape of objdump's text and ours -> how often
	sections                 []*elf.Section
	section                  *elf.Section
	data                     []byte
	style                    disasm.Style
	example                  map[string]string
	addrs                    []uint64
	texts                    []string
}

func compareFile(t *testing.T, path string) {
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := &comparison{differ: map[string]int{}, example: map[string]string{}, sections: f.Sections}
	symbols, _ := f.Symbols() // without any, objdump writes 0x in front of addresses
	c.style.BareTargets = slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return elf.ST_TYPE(s.Info) != elf.STT_SECTION })
	args := []string{"-d", "--no-show-raw-insn"}
	for _, section := range strings.Split(cmp.Or(os.Getenv("KDIVE_SECTION"), ".text"), ",") {
		args = append(args, "-j", section)
	}
	if os.Getenv("KDIVE_SYNTAX") == "intel" {
		args = append(args, "-M", "intel")
		c.style.Intel = true
	}
	cmd := exec.Command(cmp.Or(os.Getenv("OBJDUMP"), "objdump"), append(args, path)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	if err := c.read(out); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	c.report(t, path)
}

// read reads objdump's output, one symbol's instructions at a time: no instruction crosses the start of a symbol.
func (c *comparison) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "Disassembly of section "); ok {
			c.flush(math.MaxUint64)
			if err := c.open(strings.TrimSuffix(name, ":")); err != nil {
				return err
			}
			continue
		}
		if addr, _, ok := strings.Cut(line, " <"); ok && strings.HasSuffix(line, ">:") {
			if start, err := strconv.ParseUint(addr, 16, 64); err == nil {
				c.flush(start)
			}
			continue
		}
		addr, text, ok := strings.Cut(strings.TrimLeft(line, " "), ":\t")
		if !ok {
			if strings.TrimSpace(line) == "..." { // zeros, not shown
				c.addrs, c.texts = append(c.addrs, 0), append(c.texts, "...")
			}
			continue
		}
		pc, err := strconv.ParseUint(addr, 16, 64)
		if err != nil {
			return err
		}
		c.addrs, c.texts = append(c.addrs, pc), append(c.texts, text)
	}
	c.flush(math.MaxUint64)
	return lines.Err()
}

func (c *comparison) open(name string) (err error) {
	i := slices.IndexFunc(c.sections, func(s *elf.Section) bool { return s.Name == name })
	if i < 0 {
		return fmt.Errorf("no section %s", name)
	}
	c.section = c.sections[i]
	c.data, err = c.section.Data()
	return err
}

// flush compares the instructions collected since the last symbol, up to end, the next symbol or the section's end.
func (c *comparison) flush(end uint64) {
	defer func() { c.addrs, c.texts = c.addrs[:0], c.texts[:0] }()
	if len(c.addrs) == 0 {
		return
	}
	base := c.section.Addr
	if end < base || end > base+uint64(len(c.data)) {
		end = base + uint64(len(c.data))
	}
	pos := c.addrs[0]
	var buf []byte
	for i, pc := range c.addrs {
		if c.texts[i] == "..." {
			if i+1 < len(c.addrs) {
				pos = c.addrs[i+1]
			}
			continue
		}
		if pc != pos {
			c.outOfStep++
			pos = pc
		}
		in, _ := disasm.AMD64.Decode(c.data[pc-base:end-base], pc)
		buf = disasm.AMD64.AppendText(buf[:0], &in, c.style)
		pos += uint64(in.Len)
		stop := end
		if i+1 < len(c.addrs) && c.texts[i+1] != "..." {
			stop = c.addrs[i+1]
		} else if i+1 < len(c.addrs) {
			stop = pos // not known
		}
		c.compare(pc, strip(c.texts[i]), string(buf), pos == stop, &in)
		if pos != stop && strings.Contains(c.texts[i], "(bad)") {
			pos = stop
		}
	}
}

func (c *comparison) compare(pc uint64, theirs, ours string, sameLen bool, in *disasm.Inst) {
	c.total++
	if strings.Contains(theirs, "(bad)") && !in.Bad {
		c.unknown++
		c.differ["unknown to objdump: "+ours]++
		return
	}
	if sameLen {
		c.sameLen++
	}
	if theirs == ours && sameLen {
		c.sameText++
		return
	}
	key := shape(theirs) + "  |  " + shape(ours)
	c.differ[key]++
	if c.differ[key] == 1 {
		c.example[key] = fmt.Sprintf("%x: % x  %s | %s", pc, in.Bytes(), theirs, ours)
	}
}

var (
	symbol = regexp.MustCompile(` <[^>]*>`)
	number = regexp.MustCompile(`0x[0-9a-f]+|[0-9a-f]{8,}`)
	reg    = regexp.MustCompile(`%[re]?[a-ds][xip]l?|%r[0-9]+[dwb]?|%[xy]mm[0-9]+`)
)

// strip removes the symbols behind addresses.
func strip(text string) string {
	if strings.Contains(text, " <") {
		text = symbol.ReplaceAllString(text, "")
	}
	return strings.TrimRight(text, " ")
}

func shape(text string) string {
	return reg.ReplaceAllString(number.ReplaceAllString(text, "N"), "%R")
}

func (c *comparison) report(t *testing.T, path string) {
	known := c.total - c.unknown
	t.Logf("%s: %d instructions, %d unknown to objdump; of the others %d equal in text (%.4f %%), %d in length; out of step %d times",
		path, c.total, c.unknown, c.sameText, 100*float64(c.sameText)/float64(known), c.sameLen, c.outOfStep)
	keys := make([]string, 0, len(c.differ))
	for k := range c.differ {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(c.differ[b]-c.differ[a], cmp.Compare(a, b)) })
	limit := 60
	if n, err := strconv.Atoi(os.Getenv("KDIVE_LIMIT")); err == nil {
		limit = n
	}
	for i, k := range keys {
		if i == limit {
			t.Logf("and %d more kinds of differences", len(keys)-i)
			break
		}
		t.Logf("%7d %s\n\t%s", c.differ[k], k, c.example[k])
	}
	if float64(c.sameText) < 0.999*float64(known) {
		t.Errorf("less than 99.9 %% equal")
	}
	if c.sameLen != known || c.outOfStep > 0 {
		t.Errorf("%d lengths differ, out of step %d times", known-c.sameLen, c.outOfStep)
	}
}
