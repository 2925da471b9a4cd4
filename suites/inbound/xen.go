package inbound

import (
	"context"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/xenstore"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"libvirt.org/go/libvirt"
)

// xenChecks are the behaviours of hypervisor and toolstack.
var xenChecks = map[string]cell.Body{
	"IX-BOOT":  xenBoots,
	"IX-ABI":   toolstackAgrees,
	"IX-STORE": storeKeeps,
	"IX-PV":    pvGuestBoots,
	"IX-LIBXL": libvirtDrivesXen,
}

func xenBoots(ctx context.Context, t *cell.T) {
	t.Expect(t.Sh(ctx, "uname -r")).To(Equal(t.KernelRelease()))
	t.Expect(t.Sh(ctx, "cat /sys/hypervisor/type")).To(Equal("xen"))
	major := t.Sh(ctx, "cat /sys/hypervisor/version/major")
	minor := t.Sh(ctx, "cat /sys/hypervisor/version/minor")
	t.Expect(major+"."+minor).To(Equal(t.Version(matrix.XenHyp)), "the running hypervisor's version")
}

// toolstackAgrees: a toolstack whose domctl or sysctl number is not the
// hypervisor's is refused with EACCES, which xl tells only when verbose.
func toolstackAgrees(ctx context.Context, t *cell.T) {
	info := fields(t.Sh(ctx, "xl info"))
	t.Expect(info["xen_major"]+"."+info["xen_minor"]).To(Equal(t.Version(matrix.XenHyp)), "xl's own reading of the version")
	t.Expect(info["xen_caps"]).To(ContainSubstring("xen-3.0-x86_64"), "the guests that this hypervisor takes")
	list := t.Sh(ctx, "xl list")
	t.Expect(list).To(MatchRegexp(`(?m)^Domain-0\s+0\s`), "dom0 in xl's list")
	verbose := t.Run(ctx, "xl -vvv list; xl -vvv vcpu-list; xl -vvv info -n")
	t.Expect(verbose.Text()).NotTo(MatchRegexp(`(?i)permission denied|EACCES|interface version|ABI mismatch`), "what xl says when it is verbose")
	for _, key := range []string{"xen_version", "xen_changeset", "xen_caps", "xen_scheduler", "virt_caps", "xend_config_format"} {
		if v := info[key]; v != "" {
			t.Note("%s: %s", key, v)
		}
	}
}

var infoLine = regexp.MustCompile(`(?m)^(\w+)\s*: (.*)$`)

// fields reads the "key : value" lines of xl info.
func fields(text string) map[string]string {
	out := map[string]string{}
	for _, m := range infoLine.FindAllStringSubmatch(text, -1) {
		out[m[1]] = strings.TrimSpace(m[2])
	}
	return out
}

func storeKeeps(ctx context.Context, t *cell.T) {
	t.Expect(t.Sh(ctx, "xenstore-write /test/tool 1 && xenstore-read /test/tool && xenstore-ls /test")).To(Equal("1\ntool = \"1\""))
	s := t.Xenstore(ctx)
	const path = "/test/virtmatrix"
	defer func() { _ = s.Remove(ctx, 0, "/test") }()

	t.Expect(s.Write(ctx, 0, path, "before")).To(Succeed())
	t.Expect(s.Read(ctx, 0, path)).To(Equal("before"))
	t.Expect(s.List(ctx, 0, "/test")).To(ContainElement("virtmatrix"))

	t.Expect(s.Watch(ctx, path, "mine")).To(Succeed())
	t.Expect(fired(ctx, t, s)).To(Equal(xenstore.Event{Path: path, Token: "mine"}), "a watch fires once when it is set")
	t.Expect(s.Write(ctx, 0, path, "after")).To(Succeed())
	t.Expect(fired(ctx, t, s)).To(Equal(xenstore.Event{Path: path, Token: "mine"}), "a watch fires when its path changes")

	transactionsHold(ctx, t, s, path)
	t.Expect(s.Remove(ctx, 0, path)).To(Succeed())
	_, err := s.Read(ctx, 0, path)
	t.Expect(err).To(MatchError(xenstore.ErrNoEntry))
}

func fired(ctx context.Context, t *cell.T, s *xenstore.Conn) (e xenstore.Event) {
	t.Until(ctx, time.Minute, "the watch fires", func() bool {
		select {
		case e = <-s.Events():
			return true
		default:
			return false
		}
	})
	return e
}

// transactionsHold: what a transaction wrote shows only after its commit, an
// aborted one leaves nothing, and of two that touch one path one must go again.
func transactionsHold(ctx context.Context, t *cell.T, s *xenstore.Conn, path string) {
	begin := func() xenstore.Tx {
		tx, err := s.Begin(ctx)
		t.Expect(err).NotTo(HaveOccurred())
		return tx
	}
	tx := begin()
	t.Expect(s.Write(ctx, tx, path, "hidden")).To(Succeed())
	t.Expect(s.Read(ctx, 0, path)).To(Equal("after"), "seen from outside an open transaction")
	t.Expect(s.Commit(ctx, tx)).To(Succeed())
	t.Expect(s.Read(ctx, 0, path)).To(Equal("hidden"), "seen after the commit")

	tx = begin()
	t.Expect(s.Write(ctx, tx, path, "dropped")).To(Succeed())
	t.Expect(s.Abort(ctx, tx)).To(Succeed())
	t.Expect(s.Read(ctx, 0, path)).To(Equal("hidden"), "seen after an abort")

	tx = begin()
	_, err := s.Read(ctx, tx, path)
	t.Expect(err).NotTo(HaveOccurred())
	t.Expect(s.Write(ctx, tx, path, "loses")).To(Succeed())
	t.Expect(s.Write(ctx, 0, path, "wins")).To(Succeed())
	t.Expect(s.Commit(ctx, tx)).To(MatchError(xenstore.ErrConflict), "the commit of a transaction that read what changed meanwhile")
	t.Expect(s.Read(ctx, 0, path)).To(Equal("wins"))
}

func pvGuestBoots(ctx context.Context, t *cell.T) {
	g := t.XlGuest(ctx)
	facts := g.Meets(ctx)
	t.Expect(facts.Kernel).To(Equal(t.KernelRelease()))
	t.Expect(facts.Hypervisor).To(Equal("xen"))
	g.TickedOn(ctx, g.Tick(ctx))
	g.PowerOff(ctx)
	t.XlGone(ctx, g, 2*time.Minute)
}

func libvirtDrivesXen(ctx context.Context, t *cell.T) {
	d, g := t.Borrow(ctx)
	t.Expect(t.Sh(ctx, "xl list")).To(ContainSubstring(d.Name), "libvirt's domain in the toolstack's own list")
	g.Keep(ctx, d.Token)
	before := g.Tick(ctx)
	image := cell.SaveFile(d.Name)
	t.RemoveAfter(image)
	d.Do(ctx, "save domain", func(d *libvirt.Domain) error { return d.SaveFlags(image, "", 0) })
	d.Reaches(ctx, libvirt.DOMAIN_SHUTOFF)
	t.Expect(t.Sh(ctx, "xl list")).NotTo(ContainSubstring(d.Name), "a saved domain in the toolstack's list")
	conn := t.Connect(ctx)
	t.Do(ctx, "restore domain", func() error { return conn.DomainRestoreFlags(image, "", 0) })
	g.Meets(ctx)
	t.Expect(g.Kept(ctx)).To(Equal(d.Token), "the word that the guest kept over the restore")
	g.TickedOn(ctx, before)
}
