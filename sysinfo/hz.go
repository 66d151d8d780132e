package sysinfo

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/kdive/kdive/kernel"
)

// HZ is the frequency of the timer interrupt, a configuration constant that no
// variable holds.
type HZ struct {
	Value    uint64
	Evidence []string // what says so
	Doubts   []string // what says otherwise
}

// hzProbe is one way to tell HZ. An exact one gives the very number, the others
// come near.
type hzProbe struct {
	name  string
	exact bool
	probe func(kernel.View) (float64, error)
}

// hzProbes in the order of trust.
var hzProbes = []hzProbe{
	{"clocksource_jiffies", true, hzFromClocksource},
	{"tick_nsec", true, func(k kernel.View) (float64, error) { return perSecond(variable(k, 8, "tick_nsec")) }},
	{"tick_length", true, hzFromTickLength},
	{"lpj_fine and tsc_khz", false, hzFromLoops},
	{"jiffies and the monotonic clock", false, hzFromClock},
}

// The limits of what HZ can be: kernels are built with 24 to 1000 or a little
// more.
const minHZ, maxHZ = 20, 10000

// ReadHZ lets all probes vote. The one that most agree with wins; of equals, the
// one trusted more.
func ReadHZ(k kernel.View) (HZ, error) {
	type vote struct {
		hzProbe
		hz float64
	}
	var votes []vote
	var errs error
	for _, p := range hzProbes {
		v, err := p.probe(k)
		if err == nil && (math.IsNaN(v) || v < minHZ || v > maxHZ) {
			err = fmt.Errorf("%s gives %g", p.name, v)
		}
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		votes = append(votes, vote{p, v})
	}
	var best HZ
	for _, v := range votes {
		c := HZ{Value: uint64(math.Round(v.hz))}
		if !v.exact {
			c.Value = usualHZ(v.hz)
		}
		for _, w := range votes {
			if math.Abs(w.hz-float64(c.Value)) <= tolerance(w.exact)*w.hz {
				c.Evidence = append(c.Evidence, w.name)
			} else {
				c.Doubts = append(c.Doubts, fmt.Sprintf("%s gives %.4g", w.name, w.hz))
			}
		}
		if len(c.Evidence) > len(best.Evidence) {
			best = c
		}
	}
	if best.Value == 0 {
		return best, fmt.Errorf("HZ: nothing tells it: %w", errs)
	}
	return best, nil
}

func tolerance(exact bool) float64 {
	if exact {
		return 0.001 // ticks are rounded to whole nanoseconds
	}
	return 0.02
}

// usualHZ is the configurable value next to v, if one is near.
func usualHZ(v float64) uint64 {
	for _, usual := range [...]float64{100, 250, 300, 1000} {
		if math.Abs(v-usual) <= 0.02*usual {
			return uint64(usual)
		}
	}
	return uint64(math.Round(v))
}

func perSecond(ns uint64, err error) (float64, error) { return 1e9 / float64(ns), err }

// hzFromClocksource: the clock source that counts jiffies scales them by the
// length of a tick, from the moment it is built (kernel/time/jiffies.c).
func hzFromClocksource(k kernel.View) (float64, error) {
	var n struct {
		Jiffies kernel.Sym   `need:"clocksource_jiffies"`
		Mult    kernel.Field `need:"clocksource.mult"`
		Shift   kernel.Field `need:"clocksource.shift"`
	}
	if err := k.Bind(&n); err != nil {
		return 0, err
	}
	mult, e1 := n.Mult.Uint(k, uint64(n.Jiffies))
	shift, e2 := n.Shift.Uint(k, uint64(n.Jiffies))
	if shift > 32 {
		return 0, fmt.Errorf("clocksource_jiffies: shift %d", shift)
	}
	hz, err := perSecond(mult>>shift, nil)
	return hz, errors.Join(e1, e2, err)
}

// hzFromTickLength: NTP keeps the length of a tick in nanoseconds, shifted by
// 32 bits (NTP_SCALE_SHIFT, include/linux/timex.h).
func hzFromTickLength(k kernel.View) (float64, error) {
	var n struct {
		Data   kernel.Sym   `need:"tk_ntp_data"`
		Length kernel.Field `need:"typeof(tk_ntp_data).tick_length"`
	}
	length, err := uint64(0), k.Bind(&n)
	if err == nil {
		length, err = n.Length.Uint(k, uint64(n.Data))
	} else {
		length, err = variable(k, 8, "tick_length")
	}
	// NTP slews the clock by at most 500 ppm, so round to what HZ can be.
	hz, err := perSecond(length>>32, err)
	return math.Round(hz), err
}

// hzFromLoops: with a known time-stamp counter, a jiffy's worth of delay loops is
// its ticks per jiffy.
func hzFromLoops(k kernel.View) (float64, error) {
	lpj, e1 := variable(k, 8, "lpj_fine")
	khz, e2 := variable(k, 4, "tsc_khz")
	return float64(khz) * 1000 / float64(lpj), errors.Join(e1, e2)
}

// hzFromClock: jiffies start 300 seconds before 2^32 (INITIAL_JIFFIES), so
// jiffies - 2^32 is HZ times the uptime less 300 seconds.
func hzFromClock(k kernel.View) (float64, error) {
	jiffies, e1 := variable(k, 8, "jiffies_64")
	t, e2 := readTimekeeper(k)
	if err := errors.Join(e1, e2); err != nil {
		return 0, err
	}
	up := t.monotonic().Seconds() - 300
	if math.Abs(up) < 30 {
		return 0, errors.New("jiffies and the monotonic clock: too near to where jiffies wrap")
	}
	return float64(int64(jiffies-1<<32)) / up, nil
}

// String is for people: the value and why.
func (h HZ) String() string {
	s := fmt.Sprintf("%d (%s)", h.Value, strings.Join(h.Evidence, ", "))
	if len(h.Doubts) > 0 {
		s += "; but " + strings.Join(h.Doubts, ", ")
	}
	return s
}
