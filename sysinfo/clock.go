package sysinfo

import (
	"errors"
	"fmt"
	"time"

	"github.com/kdive/kdive/kernel"
)

// Clock is the time at which the dump was taken.
type Clock struct {
	Date   time.Time     // wall clock, to the second, UTC
	Uptime time.Duration // from jiffies; stands still in suspend
	Boot   time.Time     // wall clock at which the monotonic clock was 0, UTC
	HZ     HZ
}

// ReadClock reads wall clock and uptime. Parts that are known come with an
// error about the others; unknown ones are zero.
func ReadClock(k kernel.View) (Clock, error) {
	var c Clock
	var errs []error
	if t, err := readTimekeeper(k); err != nil {
		errs = append(errs, err)
	} else {
		c.Date = time.Unix(t.sec, 0).UTC()
		c.Boot = time.Unix(-t.wtmSec, -t.wtmNsec).UTC()
	}
	jiffies, jerr := variable(k, 8, "jiffies_64")
	hz, herr := ReadHZ(k)
	c.HZ = hz
	if err := errors.Join(jerr, herr); err != nil {
		errs = append(errs, err)
	} else {
		c.Uptime = sinceBoot(jiffies, hz.Value)
	}
	return c, errors.Join(errs...)
}

// sinceBoot is the time that jiffies counted. They start at (unsigned int)
// (-300 * HZ), include/linux/jiffies.h.
func sinceBoot(jiffies, hz uint64) time.Duration {
	ticks := jiffies - uint64(uint32(-300*int64(hz)))
	const most = uint64(1<<63-1) / uint64(time.Second)
	if hz == 0 || ticks/hz >= most {
		return 0
	}
	return time.Duration(ticks/hz)*time.Second + time.Duration(ticks%hz)*time.Second/time.Duration(hz)
}

// timekeeper is the core of struct timekeeper.
type timekeeper struct {
	sec             int64 // wall clock
	nsec            uint64
	wtmSec, wtmNsec int64 // wall to monotonic
}

func (t timekeeper) monotonic() time.Duration {
	return time.Duration(t.sec+t.wtmSec)*time.Second + time.Duration(int64(t.nsec)+t.wtmNsec)
}

type keeperNeeds struct {
	Core kernel.Sym   `need:"timekeeper_data|tk_core"`
	TK   kernel.Field `need:"typeof(timekeeper_data).timekeeper|typeof(tk_core).timekeeper"`
	Sec  kernel.Field `need:"timekeeper.xtime_sec"`
	Nsec kernel.Field `need:"timekeeper.tkr_mono.xtime_nsec"`
	Shft kernel.Field `need:"timekeeper.tkr_mono.shift"`
	WTMs kernel.Field `need:"timekeeper.wall_to_monotonic.tv_sec"`
	WTMn kernel.Field `need:"timekeeper.wall_to_monotonic.tv_nsec"`
}

func readTimekeeper(k kernel.View) (timekeeper, error) {
	var n keeperNeeds
	if err := k.Bind(&n); err != nil {
		return timekeeper{}, err
	}
	base := n.TK.At(uint64(n.Core))
	var t timekeeper
	var err error
	get := func(f *kernel.Field) uint64 {
		v, ferr := f.Uint(k, base)
		err = errors.Join(err, ferr)
		return v
	}
	t.sec, t.wtmSec, t.wtmNsec = int64(get(&n.Sec)), int64(get(&n.WTMs)), int64(get(&n.WTMn))
	nsec, shift := get(&n.Nsec), get(&n.Shft)
	if err != nil {
		return t, fmt.Errorf("timekeeper: %w", err)
	}
	t.nsec = nsec >> (shift & 63)
	const never = 1 << 40 // seconds: 34,000 years
	if t.sec < 0 || t.sec > never || t.wtmSec > never || t.wtmSec < -never || t.nsec > 1e10 {
		return t, fmt.Errorf("timekeeper: damaged: %d s, %d ns, wall to monotonic %d s", t.sec, t.nsec, t.wtmSec)
	}
	return t, nil
}
