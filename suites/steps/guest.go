package steps

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirtxml"
)

// How long a guest may take at scale 1: to its first word after a start, and to
// answer once it has spoken. One that L1 emulates, itself emulated, took 70 s with a
// BIOS where one under KVM took 10, and one that a container emulates takes 3.
const (
	guestBoot          = 4 * time.Minute
	emulatedGuestBoot  = 12 * time.Minute
	containedGuestBoot = time.Minute
	guestAnswer        = time.Minute
)

// Guest is an L2 that was started, watched until the check is over.
type Guest struct {
	t           *T
	Name, Token string
	// Domain is libvirt's view of it; nil when libvirt does not know it.
	Domain *Domain
	// log is the path in L1 of what its console printed.
	log string
	// dial opens its console.
	dial   func() (io.ReadWriteCloser, error)
	client *l2.Client
	// panics says that a panic on its console is what a check asked for.
	panics bool
	// boot is the ID of the boot that was last greeted.
	boot string
}

// watchGuest has the domain's console watched from now on.
func (t *T) watchGuest(d *Domain) *Guest {
	for _, g := range t.guests {
		if g.Name == d.Name && g.t.s == d.t.s {
			g.Domain = d // what was known before may be of a daemon that has ended
			return g
		}
	}
	g := &Guest{t: t, Name: d.Name, Token: d.Token, Domain: d}
	if t.Kind() == matrix.Xen {
		g.log = domain.XenConsoleLog(d.Name)
		g.dial = func() (io.ReadWriteCloser, error) { return g.Domain.dialPTY() }
	} else {
		console := cmp.Or(d.console, d.Name)
		g.log = domain.ConsoleLog(console)
		g.dial = func() (io.ReadWriteCloser, error) { return t.Host().Dial(domain.ConsoleSocket(console)) }
	}
	t.guests = append(t.guests, g)
	return g
}

// dialPTY opens the terminal that libvirt names in the live XML.
func (d *Domain) dialPTY() (io.ReadWriteCloser, error) {
	const op = "open the console of the started guest"
	var live libvirtxml.Domain
	d.t.Parse("the live XML", d.Dump(0), &live)
	if live.Devices != nil {
		for _, c := range live.Devices.Consoles {
			if c.TTY != "" {
				return d.t.Host().OpenTTY(c.TTY)
			}
			if c.Source != nil && c.Source.Pty != nil && c.Source.Pty.Path != "" {
				return d.t.Host().OpenTTY(c.Source.Pty.Path)
			}
		}
	}
	return nil, fault.Productf(matrix.LayerManagement, op, "the live XML names no terminal for it")
}

// Guest returns the domain's guest once it has spoken, and proves that it is the one
// that was started: it answers with its token.
func (d *Domain) Guest() *Guest {
	g := d.t.watchGuest(d)
	g.WaitReady()
	return g
}

// Booting returns the domain's guest, which need not have spoken.
func (d *Domain) Booting() *Guest { return d.t.watchGuest(d) }

// HasSpoken says whether the guest has told who it is, unasked. On a console that firmware or
// a boot loader reads before it, what is asked earlier is keys to them.
func (g *Guest) HasSpoken() bool {
	return g.t.Run("grep -qaF '\"token\":\"" + g.Token + "\"' " + host.Quote(g.log)).OK()
}

// WaitReady waits for the guest's answer, on a fresh connection to its console, and
// checks its token. Its own words are kept for the journal.
func (g *Guest) WaitReady() (facts l2.Facts) {
	g.attach()
	limit := guestBoot
	switch {
	case g.t.Contained():
		limit = containedGuestBoot
	case g.t.guestAccel() == "tcg":
		limit = emulatedGuestBoot
	}
	g.ask(limit, "say hello", func(ctx context.Context, c *l2.Client) (err error) {
		facts, err = c.Hello(ctx)
		return err
	})
	if facts.Token != g.Token {
		g.t.Fail(matrix.LayerL2, "the guest says its token is %q, but %q was started", facts.Token, g.Token)
	}
	g.boot = facts.BootID
	if b, err := json.Marshal(facts); err == nil {
		g.t.said = append(g.t.said, string(b))
	}
	return facts
}

// attach connects to the console anew: a restored guest has a new one.
func (g *Guest) attach() {
	if g.client != nil {
		_ = g.client.Close()
		g.client = nil
	}
	const op = "open the console of the started guest"
	rw, err := g.dial()
	if agent.Refused(err) {
		// A refusal is the product's answer, and silence is none.
		err = &fault.Product{Layer: matrix.LayerManagement, Op: op, Err: err}
	}
	g.t.must(err, op)
	g.client = l2.NewClient(rw)
	client := g.client
	g.t.Cleanup(func() { _ = client.Close() }) // its end is no concern of the next check
}

// ask puts a question to the guest. It is waited for as long as the host has too
// little of a processor; a guest that had one and stays silent is hung.
func (g *Guest) ask(limit time.Duration, what string, question func(context.Context, *l2.Client) error) {
	last := func() string {
		text, _ := g.consoleText(g.t.ctx)
		return " of its console" + tail(text)
	}
	client := g.client
	p := patience{op: "ask guest to " + what, limit: limit, layer: matrix.LayerL2, who: "the guest", last: last, trouble: g.trouble}
	err := g.t.await(p, func(ctx context.Context) error { return question(ctx, client) })
	var refused *l2.RefusedError
	switch {
	case errors.As(err, &refused):
		// What a reset took from the guest it cannot do: it has no address any more.
		if g.t.mayBeEmulator() && g.isAnotherBoot() {
			g.t.must(fault.Infraf("tell a guest's reset from the emulator's", "%v, and the guest booted anew; %w", err, ErrEmulator), "")
		}
		g.t.Fail(matrix.LayerL2, "%v", err)
	case err != nil:
		g.t.must(g.t.s.Host.Alive(), "ask guest to "+what)
		g.t.Fail(matrix.LayerL2, "ask guest to %s: %v%s", what, err, last())
	}
}

// isAnotherBoot says whether the guest is another boot than the one that was greeted.
func (g *Guest) isAnotherBoot() bool {
	ctx, cancel := context.WithTimeout(g.t.ctx, g.t.Limit(guestAnswer))
	defer cancel()
	facts, err := g.client.Hello(ctx)
	return err == nil && g.boot != "" && facts.BootID != g.boot
}

// guestSays puts a question that is answered in moments and returns the answer.
func guestSays[V any](g *Guest, what string, question func(*l2.Client, context.Context) (V, error)) (v V) {
	g.ask(guestAnswer, what, func(ctx context.Context, c *l2.Client) (err error) {
		v, err = question(c, ctx)
		return err
	})
	return v
}

// Tick returns the guest's pulse.
func (g *Guest) Tick() l2.Tick { return guestSays(g, "tick", (*l2.Client).Tick) }

// PutMemory gives the guest a word to keep in memory.
func (g *Guest) PutMemory(word string) {
	g.ask(guestAnswer, "keep a word", func(ctx context.Context, c *l2.Client) error { return c.Keep(ctx, word) })
}

// Memory returns the word that the guest keeps.
func (g *Guest) Memory() string { return guestSays(g, "tell its word", (*l2.Client).Kept) }

// PowerOff makes the guest power off by itself.
func (g *Guest) PowerOff() {
	g.ask(guestAnswer, "power off", func(ctx context.Context, c *l2.Client) error { return c.PowerOff(ctx) })
}

// Mark is what a guest was at before something was done to it.
type Mark struct {
	// Word is in the guest's memory.
	Word string
	l2.Tick
}

// Mark gives the guest a word to keep and notes its pulse.
func (g *Guest) Mark() Mark {
	word := "kept by " + g.Token
	g.PutMemory(word)
	return Mark{word, g.Tick()}
}

// ExpectGoesOn asserts that the guest went on from its mark: the same boot, its pulse
// from where it stood, the word still in its memory. It returns its pulse.
func (g *Guest) ExpectGoesOn(m Mark) l2.Tick {
	after := g.ExpectSameBoot(m.Tick)
	if got := g.Memory(); got != m.Word {
		g.t.Fail(matrix.LayerL2, "the guest kept %q in its memory, and now has %q there", m.Word, got)
	}
	return after
}

// ExpectSameBoot asserts that the guest is the same boot that was seen before and
// ticks on from there. A guest of an emulated host that booted anew may owe that to
// L1's emulator: seen once, it is ours.
func (g *Guest) ExpectSameBoot(before l2.Tick) l2.Tick {
	after := g.Tick()
	if after.BootID != before.BootID {
		if g.t.mayBeEmulator() {
			g.t.must(fault.Infraf("tell a guest's reset from the emulator's", "the guest booted anew, and %w", ErrEmulator), "")
		}
		g.t.Fail(matrix.LayerL2, "the guest booted anew: its boot ID was %s and is %s", before.BootID, after.BootID)
	}
	if after.Count < before.Count {
		g.t.Fail(matrix.LayerL2, "the guest went back in time: tick %d came before, and now %d", before.Count, after.Count)
	}
	g.ExpectTicks(after)
	return after
}

// ExpectTicks asserts that the guest's pulse goes on.
func (g *Guest) ExpectTicks(from l2.Tick) {
	since := g.t.now()
	for g.Tick().Count <= from.Count {
		if time.Since(since.at) > g.t.Limit(guestAnswer) {
			g.t.late(matrix.LayerL2, since, "wait until the guest ticks on: not so after "+time.Since(since.at).Round(time.Second).String())
		}
	}
}

// Console is what the guest's console printed, over all its starts and at most 1 MiB
// of its end.
func (g *Guest) Console() string {
	text, err := g.consoleText(g.t.ctx)
	g.t.must(err, "read console of guest")
	return string(text)
}

func (g *Guest) consoleText(ctx context.Context) ([]byte, error) {
	res, err := g.t.s.Host.Exec(ctx, "tail -c 1048576 "+host.Quote(g.log)+" 2>/dev/null || true")
	return res.Stdout, err
}

// Reboot makes the guest reboot by itself.
func (g *Guest) Reboot() {
	before := g.Tick().BootID
	g.ask(guestAnswer, "reboot", func(ctx context.Context, c *l2.Client) error { return c.Reboot(ctx, before) })
}

// Panic has the guest's kernel panic, which is not held against it.
func (g *Guest) Panic() {
	g.panics = true
	g.ask(guestAnswer, "panic", func(ctx context.Context, c *l2.Client) error { return c.Panic(ctx) })
}
