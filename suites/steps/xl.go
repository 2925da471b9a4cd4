package steps

import (
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/console"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
)

// xlLimit bounds how long what xl was told may take to show, at scale 1.
const xlLimit = time.Minute

// Xl runs xl in L1, with arguments as its shell reads them. It must succeed, and what
// it printed on standard output is returned, trimmed.
func (t *T) Xl(args string) string {
	res := t.TryXl(args)
	if !res.OK() {
		t.Fail(t.Layer, "xl %s ended with status %d%s:\n%s", args, res.Code, signalWords(res.Signal), console.Tail([]byte(res.Text()), 20))
	}
	return strings.TrimSpace(string(res.Stdout))
}

// killedScript is what libxl says of a device's script that took longer than
// LIBXL_HOTPLUG_TIMEOUT: 40 s, by the clock.
var killedScript = regexp.MustCompile(`killing execution of \S+ .*because of timeout`)

// TryXl runs xl in L1 and returns how it ended. Scripts are shells that start dozens of
// programs: on an emulated host one that is killed for being slow is ours.
func (t *T) TryXl(args string) agent.Result {
	res := t.Run("xl " + args)
	if killed := killedScript.FindString(res.Text()); killed != "" && t.Accel != "kvm" {
		t.must(fault.Infraf("run xl "+args+" on an emulated host", "%s", killed), "")
	}
	return res
}

// XlGuest starts a guest with xl and returns it once it has spoken.
func (t *T) XlGuest(own domain.XL) *Guest {
	g := t.XlCreate(t.NewGuest(), own)
	g.WaitReady()
	return g
}

// XlCreate has xl create a guest, with options of that command, and does not wait for
// its word. When xl refuses, it is asked again verbosely: only then it tells why.
func (t *T) XlCreate(g domain.Guest, own domain.XL, options ...string) *Guest {
	guest := t.xlGuest(g)
	if res := t.TryCreate(g, own, options...); !res.OK() {
		again := t.TryXl("-vvv create " + t.xlConfig(g.Name))
		t.Fail(t.Layer, "xl create ended with status %d:\n%s\nand verbosely with status %d:\n%s", res.Code, res.Text(), again.Code, again.Text())
	}
	return guest
}

// xlGuest is a guest of xl, whose console is where xenstore says.
func (t *T) xlGuest(g domain.Guest) *Guest {
	guest := &Guest{t: t, Name: g.Name, Token: g.Token, log: domain.XenConsoleLog(g.Name)}
	guest.dial = func() (io.ReadWriteCloser, error) {
		var tty string
		t.Until(xlLimit, "the guest's console has a terminal", func() bool {
			res := t.Run("xenstore-read /local/domain/$(xl domid " + g.Name + ")/console/tty")
			tty = strings.TrimSpace(string(res.Stdout))
			return res.OK() && tty != ""
		})
		return t.Host().OpenTTY(tty)
	}
	t.guests = append(t.guests, guest)
	return guest
}

// XlSaved saves a guest and brings the image to a peer of its host.
func (g *Guest) XlSaved(peer *T) (image string) {
	image = g.t.Scratch(g.Name + ".save")
	g.t.Xl("save " + g.Name + " " + image)
	g.t.Expect(g.t.HasProcess(g.Name)).To(gomega.BeFalse(), "a saved guest is still a domain")
	g.t.send(image, peer)
	peer.RemoveAfter(image)
	return image
}

// XlRestore restores a guest of any host from its image, and returns it once it speaks, or
// what xl says if it refuses. It is gone when the check is over, and of a refused one nothing
// may be left.
func (t *T) XlRestore(image string, g *Guest) (restored *Guest, refusal string) {
	t.Cleanup(func() { t.Run("xl destroy " + g.Name + " 2>/dev/null") })
	if res := t.TryXl("restore " + image); !res.OK() {
		t.Expect(t.HasProcess(g.Name)).To(gomega.BeFalse(), "a domain is left of a guest whose image is refused")
		return nil, res.Text()
	}
	restored = t.xlGuest(domain.Guest{Name: g.Name, Token: g.Token})
	restored.WaitReady()
	return restored, ""
}

// send copies a file to the same place of a peer, by the Python that every toolstack needs.
func (t *T) send(file string, peer *T) {
	const port = 8117
	t.Sh(fmt.Sprintf("python3 -c 'import socket as s; c = s.create_server((\"\", %d)).accept()[0]; c.sendfile(open(\"%s\", \"rb\"))' >/dev/null 2>&1 &", port, file))
	fetch := fmt.Sprintf("python3 -c 'import socket as s, shutil; shutil.copyfileobj(s.create_connection((\"%s\", %d)).makefile(\"rb\"), open(\"%s\", \"wb\"))'", t.Host().Address().Name, port, file)
	listening := fmt.Sprintf("grep -q ':%X 00000000:0000 0A' /proc/net/tcp", port)
	t.Until(xlLimit, file+" is served", func() bool { return t.Run(listening).OK() })
	peer.Sh("mkdir -p " + path.Dir(file) + " && " + fetch) // once: the server serves once
	want, got := t.Sh("sha256sum <"+file), peer.Sh("sha256sum <"+file)
	if got != want {
		t.must(fault.Infraf("send "+file, "it came as %s, not %s", got, want), "")
	}
}

// TryCreate has xl create a guest and returns how that ended. The guest is gone when the
// check is over.
func (t *T) TryCreate(g domain.Guest, own domain.XL, options ...string) agent.Result {
	file := t.xlConfig(g.Name)
	t.Put(file, domain.XLConfig(g, own))
	t.Cleanup(func() { t.Run("xl destroy " + g.Name + " 2>/dev/null; rm -f " + file) })
	return t.TryXl(strings.Join(append([]string{"create", file}, options...), " "))
}

func (t *T) xlConfig(name string) string { return host.ScratchDir + "/" + name + ".cfg" }

// DomID is the number of the domain that is the guest now.
func (g *Guest) DomID() string { return g.t.Sh("xl domid " + g.Name) }

// XlGone waits until xl lists no domain of the guest's name.
func (t *T) XlGone(g *Guest, limit time.Duration) {
	t.Until(limit, "xl no longer lists "+g.Name, func() bool { return !t.Run("xl domid " + g.Name).OK() })
}

// WaitAnew waits until the guest that was domain id is another one, which has booted
// anew since the pulse: that is how Xen reboots.
func (g *Guest) WaitAnew(id string, before l2.Tick) {
	g.t.Until(xlLimit, g.Name+" is another domain than "+id, func() bool {
		now := g.t.Run("xl domid " + g.Name)
		return now.OK() && strings.TrimSpace(string(now.Stdout)) != id
	})
	g.t.Until(xlLimit, "the guest has booted anew", func() bool { return g.WaitReady().BootID != before.BootID })
}

// WaitDiskNamed waits until the guest has a disk of a name, or has none: disks of Xen
// have no serial numbers.
func (g *Guest) WaitDiskNamed(name string, there bool) {
	what := map[bool]string{true: "the guest sees disk " + name, false: "the guest no longer sees disk " + name}[there]
	g.t.Until(xlLimit, what, func() bool {
		return there == slices.ContainsFunc(guestSays(g, "list its disks", (*l2.Client).Disks), func(d l2.Disk) bool { return d.Name == name })
	})
}
