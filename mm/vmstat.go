package mm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// statNeeds are of include/linux/vmstat.h and mmzone.h.
type statNeeds struct {
	Zone kernel.Sym `need:"?vm_zone_stat"`
	Node kernel.Sym `need:"?vm_node_stat"`
	NUMA kernel.Sym `need:"?vm_numa_stat"` // until 5.14
	All  kernel.Sym `need:"?vm_stat"`      // until 4.8

	Events     kernel.Sym   `need:"?vm_event_states"` // per CPU
	EventArray kernel.Field `need:"?vm_event_state.event"`

	ZoneStat kernel.Field `need:"?zone.vm_stat"`
	ZonePtr  kernel.Field `need:"?zone.per_cpu_zonestats|zone.pageset"` // per CPU
	ZoneDiff kernel.Field `need:"?per_cpu_zonestat.vm_stat_diff|per_cpu_pageset.vm_stat_diff"`
	NodePtr  kernel.Field `need:"?pglist_data.per_cpu_nodestats"` // per CPU
	NodeDiff kernel.Field `need:"?per_cpu_nodestat.vm_node_stat_diff"`

	Watermark kernel.Field `need:"?zone._watermark|zone.watermark"`
	Boost     kernel.Field `need:"?zone.watermark_boost"`
	Min       kernel.Enum  `need:"?WMARK_MIN"`
	Low       kernel.Enum  `need:"?WMARK_LOW"`
	High      kernel.Enum  `need:"?WMARK_HIGH"`
}

// Stat is a counter of the memory management. What CPUs have counted and not
// yet added is apart: the kernel, too, shows the value without it.
type Stat struct {
	Name    string // of the enumerator, "NR_FREE_PAGES"
	Value   int64  // in the unit that the name tells, mostly pages
	Pending int64  // sum of the CPUs' differences
}

// StatGroup are the counters of an array.
type StatGroup struct {
	Name  string // "VM_ZONE_STAT"
	Stats []Stat
	Err   error // why counters or pending differences are missing
}

// Find is the value of a counter.
func (g *StatGroup) Find(name string) (int64, bool) {
	for _, s := range g.Stats {
		if s.Name == name {
			return s.Value, true
		}
	}
	return 0, false
}

// Stats reads the counters of the memory management.
type Stats struct {
	k kernel.View
	n statNeeds

	zoneNames, nodeNames, numaNames, eventNames []string
}

// maxStats bounds the counters of an array.
const maxStats = 1024

// LoadStats prepares the counters of the memory management.
func LoadStats(k kernel.View) (*Stats, error) {
	s := &Stats{k: k}
	if err := k.Bind(&s.n); err != nil {
		return nil, fmt.Errorf("counters: %w", err)
	}
	if s.n.Zone == 0 && s.n.All == 0 {
		return nil, errors.New("counters: the kernel has neither vm_zone_stat nor vm_stat")
	}
	s.zoneNames = enumNames(k, "zone_stat_item", "NR_VM_ZONE_STAT_ITEMS")
	s.nodeNames = enumNames(k, "node_stat_item", "NR_VM_NODE_STAT_ITEMS")
	s.numaNames = enumNames(k, "numa_stat_item", "NR_VM_NUMA_STAT_ITEMS")
	s.eventNames = enumNames(k, "vm_event_item", "NR_VM_EVENT_ITEMS")
	if s.zoneNames == nil {
		return nil, errors.New("counters: this kernel's debug info lacks enum zone_stat_item")
	}
	return s, nil
}

// enumNames are the enumerators of an enum by value, up to the one that counts
// them. Of two names for a value the first is a mark in the source (..._BASE).
func enumNames(k kernel.View, enum, end string) []string {
	t, err := k.StructType(enum)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range t.Underlying().Enumerators() {
		if e.Name == end || e.Value < 0 || e.Value >= maxStats {
			break
		}
		for int64(len(names)) <= e.Value {
			names = append(names, "")
		}
		names[e.Value] = e.Name
	}
	return names
}

// Groups are the counters of the whole system: by zone, by node, of NUMA if the
// kernel counts that, and events.
func (s *Stats) Groups() []*StatGroup {
	var groups []*StatGroup
	add := func(name string, at kernel.Sym, names []string) *StatGroup {
		if at == 0 || names == nil {
			return nil
		}
		g := s.array(name, uint64(at), names)
		groups = append(groups, g)
		return g
	}
	zones := add("VM_ZONE_STAT", s.n.Zone, s.zoneNames)
	if s.n.Zone == 0 {
		zones = add("VM_STAT", s.n.All, s.zoneNames)
	}
	nodes := add("VM_NODE_STAT", s.n.Node, s.nodeNames)
	add("VM_NUMA_STAT", s.n.NUMA, s.numaNames)
	s.pending(zones, nodes)
	if s.n.Events != 0 && s.eventNames != nil {
		groups = append(groups, s.events())
	}
	return groups
}

// Find is the value of a counter of the whole system.
func (s *Stats) Find(name string) (int64, error) {
	for _, a := range [...]struct {
		at    kernel.Sym
		names []string
	}{{s.n.Zone, s.zoneNames}, {s.n.All, s.zoneNames}, {s.n.Node, s.nodeNames}} {
		for i, have := range a.names {
			if a.at != 0 && have == name {
				v, err := value.Word(s.k, uint64(a.at)+uint64(i)*8)
				if err != nil {
					err = fmt.Errorf("%s: %w", name, err)
				}
				return int64(v), err
			}
		}
	}
	return 0, fmt.Errorf("%w %s", errNoCounter, name)
}

var errNoCounter = errors.New("the kernel has no counter")

// array reads an array of longs.
func (s *Stats) array(name string, at uint64, names []string) *StatGroup {
	g := &StatGroup{Name: name}
	b := make([]byte, len(names)*8)
	if err := s.k.Read(b, at); err != nil {
		g.Err = fmt.Errorf("%s: %w", strings.ToLower(name), err)
		return g
	}
	for i, n := range names {
		g.Stats = append(g.Stats, Stat{Name: n, Value: int64(binary.LittleEndian.Uint64(b[i*8:]))})
	}
	return g
}

// events sums what all CPUs counted.
func (s *Stats) events() *StatGroup {
	g := &StatGroup{Name: "VM_EVENT_STATES"}
	for _, n := range s.eventNames {
		g.Stats = append(g.Stats, Stat{Name: n})
	}
	cpus, err := s.k.PossibleCPUs()
	g.Err = err
	b := make([]byte, len(g.Stats)*8)
	for _, cpu := range cpus {
		off, err := s.k.PerCPUOffset(cpu)
		if err == nil {
			err = s.k.Read(b, uint64(s.n.Events)+off+uint64(s.n.EventArray.Offset))
		}
		if err != nil {
			g.Err = errors.Join(g.Err, fmt.Errorf("events of CPU %d: %w", cpu, err))
			continue
		}
		for i := range g.Stats {
			g.Stats[i].Value += int64(binary.LittleEndian.Uint64(b[i*8:]))
		}
	}
	return g
}

// pending adds the differences of all zones and nodes to the groups.
func (s *Stats) pending(zones, nodes *StatGroup) {
	list, err := LoadNodes(s.k)
	if err != nil && zones != nil {
		zones.Err = errors.Join(zones.Err, err)
	}
	for _, n := range list {
		if nodes != nil {
			nodes.Err = errors.Join(nodes.Err, s.differences(nodes.Stats, n.Addr, &s.n.NodePtr, &s.n.NodeDiff))
		}
		for _, z := range n.Zones {
			if zones != nil && z.Present > 0 {
				zones.Err = errors.Join(zones.Err, s.differences(zones.Stats, z.Addr, &s.n.ZonePtr, &s.n.ZoneDiff))
			}
		}
	}
}

// differences adds what each CPU keeps for the zone or node at addr: an array of
// small integers.
func (s *Stats) differences(stats []Stat, addr uint64, ptr, diff *kernel.Field) error {
	if !ptr.Present() || !diff.Present() {
		return nil // one CPU, or a kernel that adds at once
	}
	each := int(diff.Type.Underlying().Elem().Size())
	if each < 1 || each > 8 {
		return fmt.Errorf("%s: elements of %d bytes", diff.Path, each)
	}
	base, err := ptr.Uint(s.k, addr)
	if err != nil {
		return err
	}
	cpus, err := s.k.PossibleCPUs()
	if err != nil {
		return err
	}
	n := min(len(stats), int(diff.Size())/each)
	b := make([]byte, n*each+8)
	for _, cpu := range cpus {
		off, err := s.k.PerCPUOffset(cpu)
		if err == nil {
			err = s.k.Read(b[:n*each], diff.At(base+off))
		}
		if err != nil {
			return fmt.Errorf("differences of CPU %d: %w", cpu, err)
		}
		for i := range n {
			v := int64(binary.LittleEndian.Uint64(b[i*each:]))
			shift := 64 - 8*each
			stats[i].Pending += v << shift >> shift
		}
	}
	return nil
}

// Watermarks are the numbers of free pages, without the boost, below which a zone
// takes measures.
type Watermarks struct {
	Min, Low, High uint64
	Boost          uint64 // added to each for a while after fragmentation
}

// Zone reads the counters and watermarks of a zone.
func (s *Stats) Zone(z *Zone) (Watermarks, *StatGroup) {
	g := &StatGroup{Name: "VM_STAT"}
	if s.n.ZoneStat.Present() {
		names := s.zoneNames
		if n := int(s.n.ZoneStat.Size() / 8); n < len(names) {
			names = names[:n]
		}
		g = s.array("VM_STAT", s.n.ZoneStat.At(z.Addr), names)
		g.Err = errors.Join(g.Err, s.differences(g.Stats, z.Addr, &s.n.ZonePtr, &s.n.ZoneDiff))
	}
	var w Watermarks
	if !s.n.Watermark.Present() {
		return w, g
	}
	min, low, high := int64(0), int64(1), int64(2)
	if s.n.Min.Present() && s.n.Low.Present() && s.n.High.Present() {
		min, low, high = s.n.Min.Value, s.n.Low.Value, s.n.High.Value
	}
	for _, x := range [...]struct {
		to    *uint64
		index int64
	}{{&w.Min, min}, {&w.Low, low}, {&w.High, high}} {
		if x.index < 0 || x.index*8 >= s.n.Watermark.Size() {
			continue
		}
		v, err := value.Word(s.k, s.n.Watermark.At(z.Addr)+uint64(x.index)*8)
		if *x.to = v; err != nil {
			g.Err = errors.Join(g.Err, fmt.Errorf("watermarks: %w", err))
		}
	}
	if s.n.Boost.Present() {
		w.Boost, _ = s.n.Boost.Uint(s.k, z.Addr)
	}
	return w, g
}
