package admit

import "fmt"

// held are the claims that were admitted and live.
type held struct {
	needs []Need
	// takenMB is the part of their memory that they have taken already: what is
	// free lacks it, so it must not be subtracted twice.
	takenMB int
}

// held are those of the claims that were admitted. Claims of one root share what
// is below it.
func (r *Room) held(claims []*Claim) (h held) {
	promised := map[int]int{}
	for _, c := range claims {
		if c.Held {
			h.needs = append(h.needs, c.Need)
			promised[c.Root] += c.Need.MemoryMB
		}
	}
	for root, mb := range promised {
		h.takenMB += min(r.has(root), mb)
	}
	return h
}

// resource is what a claim waits for, as it follows "waiting for".
type resource string

const (
	nothing    resource = ""
	turn       resource = "its turn"
	memory     resource = "memory"
	processors resource = "a processor"
	idleness   resource = "an idle processor"
	space      resource = "disk space"
)

// lack is what keeps a claim from being admitted.
type lack struct {
	of resource
	// says has the numbers. cure is what people can do, where nothing of ours
	// will give back what is lacking.
	says, cure string
	// hopeless says that waiting cannot help at all.
	hopeless bool
}

// busy is the pressure on processors from which on nothing more is started that
// has time limits, in percent.
const busy = 50

// decide says whether there is room for a need beside the claims that are held.
// Whatever the processors do, one thing runs always: somebody must be first.
func decide(m Reading, h held, need Need, everyProcessor bool) lack {
	soon, taken, writing := -h.takenMB, 0, 0
	for _, n := range h.needs {
		soon += n.MemoryMB
		taken += n.Processors
		if n.Disk == need.Disk {
			writing += n.DiskMB
		}
	}
	l := lack{says: fmt.Sprintf("%d of %d are taken", taken, m.Processors)}
	switch {
	case need.MemoryMB > min(m.FreeMB-soon, m.TotalMB)-ReserveMB:
		l.of, l.hopeless = memory, need.MemoryMB+ReserveMB > m.TotalMB
		l.says = fmt.Sprintf("needs %s and leaves %s to the rest; %s of %s are free, %s of it promised to %d that run",
			gib(need.MemoryMB), gib(ReserveMB), gib(m.FreeMB), gib(m.TotalMB), gib(soon), len(h.needs))
		if l.hopeless || len(h.needs) == 0 {
			l.cure = fmt.Sprintf("end other programs, or use a machine (or a control group) with at least %s of memory", gib(need.MemoryMB+ReserveMB))
		}
	case need.DiskMB > 0 && need.DiskMB > m.DiskMB-writing:
		l.of, l.hopeless = space, writing == 0
		l.says = fmt.Sprintf("needs %s in %s; %s are free, %s of it promised", gib(need.DiskMB), need.Disk, gib(m.DiskMB), gib(writing))
		if l.hopeless {
			l.cure = "make room, for example with `virtmatrix gc`"
		}
	case everyProcessor || taken == 0:
	case need.Processors > m.Processors-taken:
		l.of = processors
	case need.Timed && m.Pressure >= busy:
		l.of = idleness
		l.says += fmt.Sprintf(", and for %.0f%% of the last 10 s something waited for one", m.Pressure)
	}
	return l
}

func gib(mb int) string { return fmt.Sprintf("%.1f GiB", float64(mb)/1024) }
