package cell

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirtxml"
)

// How long a guest may take at scale 1: to its first word after a start, and
// to answer once it has spoken. One that L1 emulates, itself emulated, took 70 s
// with a BIOS where one under KVM took 10.
const (
	guestBoot         = 4 * time.Minute
	emulatedGuestBoot = 12 * time.Minute
	guestAnswer       = time.Minute
)

// Guest is an L2 that was started, watched until the check is over.
type Guest struct {
	t           *T
	Name, Token string
	// log is the path in L1 of what its console printed.
	log string
	// bare says that libvirt does not know it.
	bare bool
	// dial opens its console.
	dial   func(ctx context.Context) (io.ReadWriteCloser, error)
	client *l2.Client
}

// watchGuest has the domain's console watched from now on.
func (t *T) watchGuest(d *Domain) *Guest {
	for _, g := range t.guests {
		if g.Name == d.Name {
			return g
		}
	}
	g := &Guest{t: t, Name: d.Name, Token: d.Token}
	if t.Kind() == matrix.Xen {
		g.log, g.dial = domain.XenConsoleLog(d.Name), d.dialPTY
	} else {
		g.log = domain.ConsoleLog(d.Name)
		g.dial = func(ctx context.Context) (io.ReadWriteCloser, error) {
			return t.Host(ctx).Dial(domain.ConsoleSocket(d.Name))
		}
	}
	t.guests = append(t.guests, g)
	return g
}

// dialPTY opens the terminal that libvirt names in the live XML.
func (d *Domain) dialPTY(ctx context.Context) (io.ReadWriteCloser, error) {
	const op = "open the console of the started guest"
	var live libvirtxml.Domain
	if err := live.Unmarshal(d.Dump(ctx, 0)); err != nil {
		return nil, fault.Productf(matrix.LayerManagement, op, "the live XML cannot be read: %w", err)
	}
	if live.Devices != nil {
		for _, c := range live.Devices.Consoles {
			if c.TTY != "" {
				return d.t.Host(ctx).OpenTTY(c.TTY)
			}
			if c.Source != nil && c.Source.Pty != nil && c.Source.Pty.Path != "" {
				return d.t.Host(ctx).OpenTTY(c.Source.Pty.Path)
			}
		}
	}
	return nil, fault.Productf(matrix.LayerManagement, op, "the live XML names no terminal for it")
}

// Guest returns the domain's guest once it has spoken, and proves that it is
// the one that was started: it answers with its token.
func (d *Domain) Guest(ctx context.Context) *Guest {
	g := d.t.watchGuest(d)
	g.Meets(ctx)
	return g
}

// Meets waits for the guest's answer, on a fresh connection to its console,
// and checks its token. Its own words are kept for the journal.
func (g *Guest) Meets(ctx context.Context) l2.Facts {
	var facts l2.Facts
	g.attach(ctx)
	limit := guestBoot
	if g.t.cell.guestAccel() == "tcg" && !g.t.cell.contained() {
		limit = emulatedGuestBoot
	}
	g.ask(ctx, limit, "say hello", func(ctx context.Context, c *l2.Client) (err error) {
		facts, err = c.Hello(ctx)
		return err
	})
	if facts.Token != g.Token {
		g.t.Fail(matrix.LayerL2, "the guest says its token is %q, but %q was started", facts.Token, g.Token)
	}
	if b, err := json.Marshal(facts); err == nil {
		g.t.said = append(g.t.said, string(b))
	}
	return facts
}

// attach connects to the console anew: a restored guest has a new one.
func (g *Guest) attach(ctx context.Context) {
	if g.client != nil {
		_ = g.client.Close()
		g.client = nil
	}
	rw, err := g.dial(ctx)
	if err != nil {
		g.t.refused(err, matrix.LayerManagement, "open the console of the started guest")
	}
	g.client = l2.NewClient(rw)
	client := g.client
	g.t.Cleanup(func(context.Context) error {
		_ = client.Close() // its end is no concern of the next check
		return nil
	})
}

// ask puts a question to the guest. What it costs is waited for as long as the
// guest has a processor; a guest that had one and stays silent is hung.
func (g *Guest) ask(ctx context.Context, limit time.Duration, what string, question func(context.Context, *l2.Client) error) {
	vm := g.t.Host(ctx)
	since, start := vm.Sched(), time.Now()
	patience := g.t.cell.limit(limit)
	err := g.put(ctx, patience, question)
	if errors.Is(err, l2.ErrSilent) && ctx.Err() == nil {
		if lost := g.t.lost(since, patience); lost > 0 {
			err = g.put(ctx, lost, question)
		}
	}
	g.t.cell.spent(time.Since(start))
	var refused *l2.RefusedError
	switch {
	case err == nil:
		return
	case errors.As(err, &refused):
		g.t.Fail(matrix.LayerL2, "%v", err)
	case ctx.Err() != nil:
		g.t.must(context.Cause(ctx), "ask guest to "+what)
	}
	if dead := vm.Alive(); dead != nil {
		g.t.must(dead, "ask guest to "+what)
	}
	text, _ := g.consoleText(ctx)
	g.t.layer = matrix.LayerL2
	g.t.late(since, fmt.Sprintf("ask guest to %s: %v; its console ends with:\n%s\n", what, err, console.Tail(text, 10)))
}

// put asks the guest for as long as the limit.
func (g *Guest) put(ctx context.Context, limit time.Duration, question func(context.Context, *l2.Client) error) error {
	asking, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return question(asking, g.client)
}

// Tick returns the guest's pulse.
func (g *Guest) Tick(ctx context.Context) (tick l2.Tick) {
	g.ask(ctx, guestAnswer, "tick", func(ctx context.Context, c *l2.Client) (err error) {
		tick, err = c.Tick(ctx)
		return err
	})
	return tick
}

// Keep gives the guest a word to keep in memory.
func (g *Guest) Keep(ctx context.Context, word string) {
	g.ask(ctx, guestAnswer, "keep a word", func(ctx context.Context, c *l2.Client) error { return c.Keep(ctx, word) })
}

// Kept returns the word that the guest keeps.
func (g *Guest) Kept(ctx context.Context) (word string) {
	g.ask(ctx, guestAnswer, "tell its word", func(ctx context.Context, c *l2.Client) (err error) {
		word, err = c.Kept(ctx)
		return err
	})
	return word
}

// disk is the name of the guest's first disk.
func (g *Guest) disk() string {
	if g.t.Kind() == matrix.Xen {
		return "xvda"
	}
	return g.t.Settings().DiskName
}

// Write puts a text on the guest's first disk, with a zero behind it.
func (g *Guest) Write(ctx context.Context, text string) {
	g.ask(ctx, guestAnswer, "write to its disk", func(ctx context.Context, c *l2.Client) error {
		return c.WriteDisk(ctx, g.disk(), 0, append([]byte(text), 0))
	})
}

// Read returns the text that the guest's first disk starts with.
func (g *Guest) Read(ctx context.Context) string {
	var sector []byte
	g.ask(ctx, guestAnswer, "read from its disk", func(ctx context.Context, c *l2.Client) (err error) {
		sector, err = c.ReadDisk(ctx, g.disk(), 0, 512)
		return err
	})
	text, _, _ := bytes.Cut(sector, []byte{0})
	return string(text)
}

// PowerOff makes the guest power off by itself.
func (g *Guest) PowerOff(ctx context.Context) {
	g.ask(ctx, guestAnswer, "power off", func(ctx context.Context, c *l2.Client) error { return c.PowerOff(ctx) })
}

// TickedOn asserts that the guest is the same boot that was seen before and
// went on from there.
func (g *Guest) TickedOn(ctx context.Context, before l2.Tick) l2.Tick {
	after := g.Tick(ctx)
	if after.BootID != before.BootID {
		g.t.Fail(matrix.LayerL2, "the guest booted anew: its boot ID was %s and is %s", before.BootID, after.BootID)
	}
	if after.Count < before.Count {
		g.t.Fail(matrix.LayerL2, "the guest went back in time: tick %d came before, and now %d", before.Count, after.Count)
	}
	g.t.Until(ctx, guestAnswer, "the guest ticks on", func() bool { return g.Tick(ctx).Count > after.Count })
	return after
}

// Console is what the guest's console printed, over all its starts and at most
// 1 MiB of its end.
func (g *Guest) Console(ctx context.Context) string {
	text, err := g.consoleText(ctx)
	g.t.must(err, "read console of guest")
	return string(text)
}

// consoleText is what the guest's console printed, at most 1 MiB of its end.
func (g *Guest) consoleText(ctx context.Context) ([]byte, error) {
	res, err := g.t.vm.Exec(ctx, "tail -c 1048576 "+host.Quote(g.log)+" 2>/dev/null || true")
	return res.Stdout, err
}
