package admit

import (
	"strings"
	"testing"
)

// big is a machine on which nothing is scarce.
var big = Reading{FreeMB: 24000, TotalMB: 24576, Processors: 8, DiskMB: 100_000}

func host(used int) held { return held{Need{What: "a host", MemoryMB: 2500, Processors: 1}, used} }

func build(disk string) held {
	return held{Need{What: "an image", MemoryMB: 500, Processors: 1, Disk: disk, DiskMB: 3000}, 0}
}

func TestWhoIsAdmitted(t *testing.T) {
	for name, tc := range map[string]struct {
		change         func(*Reading)
		held           []held
		need           held
		everyProcessor bool
		lacks          resource
		says           string
		alone, never   bool
	}{
		"a free machine":                     {need: host(0)},
		"beside others":                      {held: []held{host(0), host(2000)}, need: host(0)},
		"the last bit of memory":             {change: func(r *Reading) { r.FreeMB = 2500 + ReserveMB }, need: host(0)},
		"a bit less":                         {change: func(r *Reading) { r.FreeMB = 2499 + ReserveMB }, need: host(0), lacks: memory, says: "needs 2.4 GiB and leaves 0.5 GiB to the rest, 2.9 GiB of 24.0 GiB are free and nothing of virtmatrix runs", alone: true},
		"memory that another will yet take":  {change: func(r *Reading) { r.FreeMB = 5000 }, held: []held{host(500)}, need: host(0), lacks: memory, says: "4.9 GiB are free, 2.0 GiB of it promised to 1 that runs"},
		"memory that another has taken":      {change: func(r *Reading) { r.FreeMB = 5000 }, held: []held{host(2400)}, need: host(0)},
		"more than a claim promised":         {change: func(r *Reading) { r.FreeMB = 3100 }, held: []held{host(9999)}, need: host(0)},
		"a machine that is too small":        {change: func(r *Reading) { r.TotalMB, r.FreeMB = 2048, 1900 }, need: host(0), lacks: memory, says: "there are only 2.0 GiB", never: true},
		"too small, and others run":          {change: func(r *Reading) { r.TotalMB, r.FreeMB = 2048, 10 }, held: []held{build("/d")}, need: host(0), lacks: memory, never: true},
		"as many as processors":              {change: func(r *Reading) { r.Processors = 2 }, held: []held{host(0)}, need: host(0)},
		"one more":                           {change: func(r *Reading) { r.Processors = 2 }, held: []held{host(0), host(0)}, need: host(0), lacks: processors, says: "2 of 2 are taken, and other programs keep 0.0 busy"},
		"one more, as somebody wants":        {change: func(r *Reading) { r.Processors = 2 }, held: []held{host(0), host(0)}, need: host(0), everyProcessor: true},
		"wanted, without memory":             {change: func(r *Reading) { r.FreeMB = 100 }, held: []held{host(0)}, need: host(0), everyProcessor: true, lacks: memory},
		"others keep a processor busy":       {change: func(r *Reading) { r.Processors, r.Busy = 2, 0.7 }, held: []held{host(0)}, need: host(0), lacks: processors, says: "1 of 2 are taken, and other programs keep 0.7 busy"},
		"others do a little":                 {change: func(r *Reading) { r.Processors, r.Busy = 2, 0.4 }, held: []held{host(0)}, need: host(0)},
		"others keep all busy, none of ours": {change: func(r *Reading) { r.Processors, r.Busy = 2, 2 }, need: host(0)},
		"one processor":                      {change: func(r *Reading) { r.Processors = 1 }, need: host(0)},
		"room on the disk":                   {need: build("/d"), held: []held{build("/d")}},
		"a disk that another will fill":      {change: func(r *Reading) { r.DiskMB = 5000 }, held: []held{build("/d")}, need: build("/d"), lacks: space, says: "needs 2.9 GiB in /d, 4.9 GiB are free, 2.9 GiB of it promised"},
		"another disk":                       {change: func(r *Reading) { r.DiskMB = 5000 }, held: []held{build("/e")}, need: build("/d")},
		"a full disk":                        {change: func(r *Reading) { r.DiskMB = 1000 }, held: []held{host(0)}, need: build("/d"), lacks: space, says: "needs 2.9 GiB in /d, 1.0 GiB are free", never: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := big
			if tc.change != nil {
				tc.change(&r)
			}
			l := decide(r, tc.held, tc.need.Need, tc.everyProcessor)
			if l.of != tc.lacks || l.alone != tc.alone || l.hopeless != tc.never {
				t.Errorf("lacks %q (alone %t, hopeless %t), want %q (%t, %t)", l.of, l.alone, l.hopeless, tc.lacks, tc.alone, tc.never)
			}
			if !strings.Contains(l.says, tc.says) {
				t.Errorf("says %q, want %q", l.says, tc.says)
			}
			if (l.alone || l.hopeless) && l.cure == "" {
				t.Error("there is no cure")
			}
		})
	}
}
