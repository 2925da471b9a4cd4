package admit

import (
	"fmt"
	"math"
)

// Reading is what the machine has at a moment.
type Reading struct {
	// FreeMB is the memory that can be had without swapping, TotalMB the most
	// that there is ever, in MiB; both respect the limits of our control group.
	FreeMB, TotalMB int
	// Processors are those that we may use.
	Processors int
	// Busy is how many processors are kept busy by what holds no claim.
	Busy float64
	// DiskMB is what is free on the disk that was asked about, in MiB.
	DiskMB int

	// ticks are what all processors were busy since boot.
	ticks uint64
}

// held is a claim that was admitted and lives.
type held struct {
	Need
	// usedMB is the part of its memory that it has taken already: what is free
	// lacks it, so it must not be subtracted twice.
	usedMB int
}

// resource is what a claim waits for, as it follows "waiting for".
type resource string

const (
	nothing    resource = ""
	turn       resource = "its turn"
	memory     resource = "memory"
	processors resource = "a processor"
	space      resource = "disk space"
	// knowledge is that of what the processors do: it comes within a second.
	knowledge resource = "knowledge"
)

// lack is what keeps a claim from being admitted.
type lack struct {
	of resource
	// says has the numbers; cure is what can be done about it.
	says, cure string
	// alone says that nothing of ours will give back what is lacking, hopeless
	// that waiting cannot help at all.
	alone, hopeless bool
}

// why says what is waited for, after "waiting".
func (l lack) why() string { return fmt.Sprintf("for %s: %s", l.of, l.says) }

// decide says whether there is room for a need beside the claims that are held.
// One thing runs always, however busy the processors are: somebody must be first.
func decide(m Reading, held []held, need Need, everyProcessor bool) lack {
	if l := memoryLack(m, held, need); l.of != nothing {
		return l
	}
	if l := diskLack(m, held, need); l.of != nothing {
		return l
	}
	taken := 0
	for _, h := range held {
		taken += h.Processors
	}
	// Half a processor of other work is no reason to leave a whole one idle.
	if busy := int(math.Round(m.Busy)); !everyProcessor && taken > 0 && taken+need.Processors+busy > m.Processors {
		return lack{of: processors, says: fmt.Sprintf("%d of %d are taken, and other programs keep %.1f busy", taken, m.Processors, m.Busy)}
	}
	return lack{}
}

func memoryLack(m Reading, held []held, need Need) lack {
	soon := promised(held)
	l := lack{of: memory, cure: fmt.Sprintf("end other programs, or use a machine (or a control group) with at least %s of memory", gib(need.MemoryMB+ReserveMB))}
	asks := fmt.Sprintf("needs %s and leaves %s to the rest", gib(need.MemoryMB), gib(ReserveMB))
	switch {
	case need.MemoryMB+ReserveMB > m.TotalMB:
		l.hopeless, l.says = true, fmt.Sprintf("%s, and there are only %s", asks, gib(m.TotalMB))
	case m.FreeMB-soon-ReserveMB >= need.MemoryMB:
		return lack{}
	case len(held) == 0:
		l.alone, l.says = true, fmt.Sprintf("%s, %s of %s are free and nothing of virtmatrix runs", asks, gib(m.FreeMB), gib(m.TotalMB))
	default:
		l.says = fmt.Sprintf("%s, %s are free, %s of it promised to %s", asks, gib(m.FreeMB), gib(soon), running(held))
	}
	return l
}

func diskLack(m Reading, held []held, need Need) lack {
	soon, writers := 0, 0
	for _, h := range held {
		if h.Disk == need.Disk && h.DiskMB > 0 {
			soon, writers = soon+h.DiskMB, writers+1
		}
	}
	if need.DiskMB == 0 || m.DiskMB-soon >= need.DiskMB {
		return lack{}
	}
	l := lack{of: space, says: fmt.Sprintf("needs %s in %s, %s are free", gib(need.DiskMB), need.Disk, gib(m.DiskMB))}
	if writers > 0 {
		l.says += fmt.Sprintf(", %s of it promised", gib(soon))
		return l
	}
	l.hopeless, l.cure = true, "make room, for example with `virtmatrix gc`"
	return l
}

// promised is what held claims will still take of the free memory, in MiB.
func promised(held []held) int {
	sum := 0
	for _, h := range held {
		sum += max(h.MemoryMB-h.usedMB, 0)
	}
	return sum
}

// running counts what runs, in words.
func running(held []held) string {
	if len(held) == 1 {
		return "1 that runs"
	}
	return fmt.Sprintf("%d that run", len(held))
}

func gib(mb int) string { return fmt.Sprintf("%.1f GiB", float64(mb)/1024) }
