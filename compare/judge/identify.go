package judge

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

var (
	//go:embed identify.py
	identifyScript string
	//go:embed identify_slab.py
	identifySlabScript string
)

// IdentifyScript is what drgn runs to say what some addresses are: of a kernel
// with the allocator SLAB, objects only.
func IdentifyScript(slab bool) string {
	if slab {
		return identifySlabScript
	}
	return identifyScript
}

// Sample is an address, and the answers of which one is right.
type Sample struct {
	Addr string   `json:"addr"`
	Any  []string `json:"any"`
}

// ParseSamples reads what the script printed.
func ParseSamples(text string) ([]Sample, error) {
	var list []Sample
	for line := range strings.Lines(text) {
		var s Sample
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			return nil, fmt.Errorf("sample %q: %w", line, err)
		}
		list = append(list, s)
	}
	return list, nil
}

// IdentifyCommands asks kdive about the samples.
func IdentifyCommands(list []Sample) []string {
	var out []string
	for _, s := range list {
		out = append(out, "whatis -q --json "+s.Addr)
	}
	return out
}

// place is kdive's answer.
type place struct {
	Type string `json:"type"`
	What what   `json:"what"`
}

type what struct {
	Kind    string `json:"kind"`
	Address string `json:"address"`
	Offset  int64  `json:"offset"`
	Size    uint64 `json:"size"`
	Symbol  string `json:"symbol"`
	Cache   string `json:"cache_name"`
	State   string `json:"state"`
	PID     int    `json:"pid"`
	Comm    string `json:"comm"`
	CPU     int    `json:"cpu"`
	Caller  string `json:"caller"`
	Page    string `json:"page"`
	KnownAt string `json:"known_at"`
}

// Identify compares kdive's answers (the output of a session) with the samples.
func Identify(rules Rules, dump string, list []Sample, output string) Tally {
	var t Tally
	said := answers(output, Prompt)
	for i, c := range IdentifyCommands(list) {
		got := spelled(said[c])
		if slices.Contains(list[i].Any, got) {
			t.Equal++
			continue
		}
		diff := fmt.Sprintf("%s: kdive %q, drgn %q", list[i].Addr, got, list[i].Any)
		if id := explainedBy(rules.of(dump, "identify"), diff); id != "" {
			t.Explained++
			t.explain(id, 1)
			continue
		}
		t.Fail(diff)
	}
	return t
}

// spelled is an answer in the words of the script.
func spelled(rows string) string {
	var p place
	for line := range strings.Lines(rows) {
		var row place
		if json.Unmarshal([]byte(line), &row) == nil && row.Type == "place" {
			p = row
		}
	}
	w := &p.What
	address := strings.TrimPrefix(w.Address, "0x")
	switch w.Kind {
	case "object":
		return fmt.Sprintf("object of %s at %s, %s", w.Cache, address, w.State)
	case "slab":
		return fmt.Sprintf("slab %s, no object", w.Cache)
	case "symbol":
		return fmt.Sprintf("symbol %s+%#x", w.Symbol, w.Offset)
	case "per-cpu":
		return fmt.Sprintf("per-cpu %s+%#x of %d", w.Symbol, w.Offset, w.CPU)
	case "task stack":
		return fmt.Sprintf("task stack: %d (%s) +%#x", w.PID, w.Comm, w.Offset)
	case "vmalloc":
		text := fmt.Sprintf("vmap: %s-%#x", w.Address, hexValue(w.Address)+w.Size)
		if w.Caller != "" {
			text += " caller " + w.Caller
		}
		return text
	case "page struct":
		text := fmt.Sprintf("page: pfn %d", hexValue(w.Page)>>12)
		if w.Offset > 0 {
			text += fmt.Sprintf(" +%#x", w.Offset)
		}
		return text
	}
	return w.Kind
}

func hexValue(s string) (v uint64) {
	_, _ = fmt.Sscanf(s, "0x%x", &v) // 0 if it is none
	return v
}
