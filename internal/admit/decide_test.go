package admit

import (
	"strings"
	"testing"
)

// big is a machine on which nothing is scarce.
var big = Reading{FreeMB: 24000, TotalMB: 24576, Processors: 8, DiskMB: 100_000}

func host(used int) claimed {
	return claimed{Need{What: "a host", MemoryMB: 2500, Processors: 1, Timed: true}, used}
}

func build(disk string) claimed {
	return claimed{Need{What: "an image", MemoryMB: 500, Processors: 1, Disk: disk, DiskMB: 3000}, 0}
}

// claimed is a need with what it has taken.
type claimed struct {
	Need
	usedMB int
}

func TestWhoIsAdmitted(t *testing.T) {
	pair := claimed{Need{What: "two hosts", MemoryMB: 5000, Processors: 2}, 0}
	for name, tc := range map[string]struct {
		change         func(*Reading)
		held           []claimed
		need           claimed
		everyProcessor bool
		lacks          resource
		says           string
		cured, never   bool
	}{
		"a free machine":                     {need: host(0)},
		"beside others":                      {held: []claimed{host(0), host(2000)}, need: host(0)},
		"the last bit of memory":             {change: func(r *Reading) { r.FreeMB = 2500 + ReserveMB }, need: host(0)},
		"a bit less":                         {change: func(r *Reading) { r.FreeMB = 2499 + ReserveMB }, need: host(0), lacks: memory, says: "needs 2.4 GiB and leaves 0.5 GiB to the rest; 2.9 GiB of 24.0 GiB are free, 0.0 GiB of it promised to 0 that run", cured: true},
		"memory that another will yet take":  {change: func(r *Reading) { r.FreeMB = 5000 }, held: []claimed{host(500)}, need: host(0), lacks: memory, says: "4.9 GiB of 24.0 GiB are free, 2.0 GiB of it promised to 1 that run"},
		"memory that another has taken":      {change: func(r *Reading) { r.FreeMB = 5000 }, held: []claimed{host(2400)}, need: host(0)},
		"more than a claim promised":         {change: func(r *Reading) { r.FreeMB = 3100 }, held: []claimed{host(9999)}, need: host(0)},
		"a machine that is too small":        {change: func(r *Reading) { r.TotalMB, r.FreeMB = 2048, 1900 }, need: host(0), lacks: memory, says: "of 2.0 GiB are free", cured: true, never: true},
		"too small, and others run":          {change: func(r *Reading) { r.TotalMB, r.FreeMB = 2048, 10 }, held: []claimed{build("/d")}, need: host(0), lacks: memory, cured: true, never: true},
		"as many as processors":              {change: func(r *Reading) { r.Processors = 2 }, held: []claimed{host(0)}, need: host(0)},
		"one more":                           {change: func(r *Reading) { r.Processors = 2 }, held: []claimed{host(0), host(0)}, need: host(0), lacks: processors, says: "2 of 2 are taken"},
		"one more, as somebody wants":        {change: func(r *Reading) { r.Processors = 2 }, held: []claimed{host(0), host(0)}, need: host(0), everyProcessor: true},
		"wanted, without memory":             {change: func(r *Reading) { r.FreeMB = 100 }, held: []claimed{host(0)}, need: host(0), everyProcessor: true, lacks: memory},
		"two more, and one fits":             {change: func(r *Reading) { r.Processors = 2 }, held: []claimed{host(0)}, need: pair, lacks: processors, says: "1 of 2 are taken"},
		"more than there are, alone":         {change: func(r *Reading) { r.Processors = 1 }, need: pair},
		"processors that are busy":           {change: func(r *Reading) { r.Pressure = 70 }, held: []claimed{host(0)}, need: host(0), lacks: idleness, says: "1 of 8 are taken, and for 70% of the last 10 s something waited for one"},
		"busy, as somebody wants":            {change: func(r *Reading) { r.Pressure = 70 }, held: []claimed{host(0)}, need: host(0), everyProcessor: true},
		"busy, and a build may be slow":      {change: func(r *Reading) { r.Pressure = 70 }, held: []claimed{host(0)}, need: build("/d")},
		"others do a little":                 {change: func(r *Reading) { r.Pressure = 20 }, held: []claimed{host(0)}, need: host(0)},
		"others keep all busy, none of ours": {change: func(r *Reading) { r.Pressure = 100 }, need: host(0)},
		"one processor":                      {change: func(r *Reading) { r.Processors = 1 }, need: host(0)},
		"room on the disk":                   {need: build("/d"), held: []claimed{build("/d")}},
		"a disk that another will fill":      {change: func(r *Reading) { r.DiskMB = 5000 }, held: []claimed{build("/d")}, need: build("/d"), lacks: space, says: "needs 2.9 GiB in /d; 4.9 GiB are free, 2.9 GiB of it promised"},
		"another disk":                       {change: func(r *Reading) { r.DiskMB = 5000 }, held: []claimed{build("/e")}, need: build("/d")},
		"a full disk":                        {change: func(r *Reading) { r.DiskMB = 1000 }, held: []claimed{host(0)}, need: build("/d"), lacks: space, says: "needs 2.9 GiB in /d; 1.0 GiB are free", cured: true, never: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := big
			if tc.change != nil {
				tc.change(&r)
			}
			var h held
			for _, c := range tc.held {
				h.needs, h.takenMB = append(h.needs, c.Need), h.takenMB+min(c.usedMB, c.MemoryMB)
			}
			l := decide(r, h, tc.need.Need, tc.everyProcessor)
			if l.of != tc.lacks || (l.cure != "") != tc.cured || l.hopeless != tc.never {
				t.Errorf("lacks %q (cure %q, hopeless %t), want %q (%t, %t)", l.of, l.cure, l.hopeless, tc.lacks, tc.cured, tc.never)
			}
			if !strings.Contains(l.says, tc.says) {
				t.Errorf("says %q, want %q", l.says, tc.says)
			}
		})
	}
}
