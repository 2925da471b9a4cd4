package outbound

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/fixtures/l2"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
	"libvirt.org/go/libvirt"
)

func defines(ctx context.Context, t *cell.T) {
	conn := t.Connect(ctx)
	d := t.Define(ctx, domain.WithTitle("first"))
	var uuid string
	var persistent, active bool
	d.Do(ctx, "ask for UUID", func(d *libvirt.Domain) (err error) { uuid, err = d.GetUUIDString(); return err })
	d.Do(ctx, "ask whether domain persists", func(d *libvirt.Domain) (err error) { persistent, err = d.IsPersistent(); return err })
	d.Do(ctx, "ask whether domain runs", func(d *libvirt.Domain) (err error) { active, err = d.IsActive(); return err })
	t.Expect([]bool{persistent, active}).To(Equal([]bool{true, false}), "persistent, active")
	t.Expect(d.State(ctx)).To(Equal(libvirt.DOMAIN_SHUTOFF))
	t.Expect(names(ctx, t, conn)).To(ContainElement(d.Name))
	t.Expect(t.VirshSays(ctx, "domuuid "+d.Name)).To(Equal(uuid))

	xml := d.Dump(ctx, libvirt.DOMAIN_XML_INACTIVE)
	t.Expect(xml).To(ContainSubstring("<title>first</title>"))
	t.Do(ctx, "define domain again", func() error { return define(conn, strings.Replace(xml, "first", "second", 1)) })
	t.Expect(d.Dump(ctx, libvirt.DOMAIN_XML_INACTIVE)).To(ContainSubstring("<title>second</title>"))

	d.Undefine(ctx)
	t.Expect(names(ctx, t, conn)).NotTo(ContainElement(d.Name))
	t.Refuses(ctx, "look undefined domain up by name", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.LookupDomainByName(d.Name); return err })
	t.Refuses(ctx, "look undefined domain up by UUID", libvirt.ERR_NO_DOMAIN, func() error { _, err := conn.LookupDomainByUUIDString(uuid); return err })
	t.Refuses(ctx, "undefine domain twice", libvirt.ERR_NO_DOMAIN, func() error { return d.UndefineFlags(0) })
}

// define defines a domain of which nothing but the definition is wanted.
func define(conn *libvirt.Connect, xml string) error {
	d, err := conn.DomainDefineXMLFlags(xml, 0)
	if err == nil {
		_ = d.Free()
	}
	return err
}

// starts looks at what the guest sees: a setting that a stack took and did not
// carry out shows there, and nowhere else.
func starts(ctx context.Context, t *cell.T) {
	var opts []domain.Option
	var image string
	if t.Kind() == matrix.KVM {
		var disk domain.Option
		image, disk = t.DiskImage(ctx, "disk", mib)
		opts = append(opts, disk)
	}
	d, g := t.Started(ctx, opts...)
	t.Expect(d.State(ctx)).To(Equal(libvirt.DOMAIN_RUNNING))
	t.Expect(t.Underneath(ctx, d.Name)).To(BeTrue(), "the hypervisor runs the guest")
	said := g.Meets(ctx)
	t.Expect(said.Kernel).To(Equal(t.KernelRelease()))
	t.Expect(said.CPUs).To(Equal(1))
	t.Expect(said.MemoryKB).To(And(BeNumerically(">", t.GuestMemoryKB()/2), BeNumerically("<=", t.GuestMemoryKB())))
	if t.Kind() == matrix.Xen {
		t.Expect(said.Hypervisor).To(Equal("xen"))
	} else {
		seesSettings(t, said)
		holdsDisk(ctx, t, g, image)
		isConfined(ctx, t, d)
	}
	g.TickedOn(ctx, g.Tick(ctx))
	t.Refuses(ctx, "start domain twice", libvirt.ERR_OPERATION_INVALID, func() error { return d.CreateWithFlags(0) })
	t.Expect(t.VirshSays(ctx, "list --name")).To(ContainSubstring(d.Name))
}

// seesSettings asserts that the guest has what the cell's settings say.
func seesSettings(t *cell.T, said l2.Facts) {
	want := t.Settings().Seen
	t.Expect(said.Machine).To(Equal(want.Machine), "machine that the guest sees")
	t.Expect(said.Firmware).To(Equal(want.Firmware), "firmware that started the guest")
	t.Expect(said.Hypervisor).To(Equal(want.Hypervisor), "hypervisor that the guest sees")
	t.Expect(said.Disks).To(HaveLen(1), "disks that the guest sees")
	disk := said.Disks[0] // whose serial number and rotation are the emulator's choice
	t.Expect(l2.Disk{Name: disk.Name, Driver: disk.Driver, Bytes: disk.Bytes}).To(Equal(l2.Disk{Name: t.Settings().DiskName, Driver: want.DiskDriver, Bytes: mib}), "disk that the guest sees")
}

// holdsDisk asserts that what the guest writes to its disk is in the disk's image.
func holdsDisk(ctx context.Context, t *cell.T, g *cell.Guest, image string) {
	word := "written by " + g.Token
	g.Write(ctx, word)
	t.Expect(t.Sh(ctx, fmt.Sprintf("head -c %d %s", len(word), image))).To(Equal(word), "start of the image that the guest wrote to")
	t.Expect(g.Read(ctx)).To(Equal(word), "what the guest reads from its disk")
}

// isConfined asserts that the emulator runs under a profile made for its domain,
// and that the API says so; or that there is none.
func isConfined(ctx context.Context, t *cell.T, d *cell.Domain) {
	var uuid string
	var labels []libvirt.SecurityLabel
	d.Do(ctx, "ask for UUID", func(d *libvirt.Domain) (err error) { uuid, err = d.GetUUIDString(); return err })
	d.Do(ctx, "ask for security labels", func(d *libvirt.Domain) (err error) { labels, err = d.GetSecurityLabelList(); return err })
	profile := libvirt.SecurityLabel{Label: "libvirt-" + uuid, Enforcing: true}
	if t.Security() == "none" {
		t.Expect(t.Confinement(ctx, d.Name)).To(BeEmpty(), "profile of the emulator")
		t.Expect(labels).NotTo(ContainElement(profile))
		return
	}
	t.Expect(t.Confinement(ctx, d.Name)).To(Equal(profile.Label+" (enforce)"), "profile of the emulator")
	t.Expect(labels).To(ContainElement(profile))
}

func runsTransient(ctx context.Context, t *cell.T) {
	d := t.Create(ctx)
	var persistent bool
	d.Do(ctx, "ask whether domain persists", func(d *libvirt.Domain) (err error) { persistent, err = d.IsPersistent(); return err })
	t.Expect(persistent).To(BeFalse())
	t.Expect(d.State(ctx)).To(Equal(libvirt.DOMAIN_RUNNING))
	d.Guest(ctx)
	// What a transient domain lacks is a definition to go back to.
	t.Refuses(ctx, "undefine transient domain", libvirt.ERR_OPERATION_INVALID, func() error { return d.UndefineFlags(0) })
	t.Refuses(ctx, "save transient domain for its next start", libvirt.ERR_OPERATION_INVALID, func() error { return d.ManagedSave(0) })
	d.Do(ctx, "destroy domain", (*libvirt.Domain).Destroy)
	d.Gone(ctx)
	t.Expect(t.Underneath(ctx, d.Name)).To(BeFalse(), "the hypervisor still runs the guest")
	// Variables of its firmware are to stay: it may be created again.
	t.Expect(t.Sh(ctx, "find /etc/libvirt /run/libvirt /var/lib/libvirt/qemu /var/lib/libvirt/libxl -name '*"+d.Name+"*' -not -path "+domain.NVRAM(d.Name)+" 2>/dev/null || true")).To(BeEmpty(), "files left of the domain")
}

// destroys does without the guest's own voice: it is to be off whatever it is
// at.
func destroys(ctx context.Context, t *cell.T) {
	d := t.Define(ctx)
	d.Start(ctx)
	t.Expect(t.Underneath(ctx, d.Name)).To(BeTrue(), "the hypervisor runs the guest")
	graceful := func() error { return d.DestroyFlags(libvirt.DOMAIN_DESTROY_GRACEFUL) }
	if t.Kind() == matrix.Xen {
		// libxlDomainDestroyFlags takes no flags, and an unknown flag is an
		// invalid argument (virCheckFlags).
		t.Refuses(ctx, "destroy domain gracefully on Xen", libvirt.ERR_INVALID_ARG, graceful)
		t.Expect(d.State(ctx)).To(Equal(libvirt.DOMAIN_RUNNING))
	} else {
		t.Do(ctx, "destroy domain gracefully", graceful)
		isOff(ctx, t, d, libvirt.DOMAIN_SHUTOFF_DESTROYED)
		d.Start(ctx)
	}
	d.Do(ctx, "destroy domain", (*libvirt.Domain).Destroy)
	isOff(ctx, t, d, libvirt.DOMAIN_SHUTOFF_DESTROYED)
	t.Refuses(ctx, "destroy domain twice", libvirt.ERR_OPERATION_INVALID, d.Destroy)
}

// isOff asserts that a domain is off for the reason, and that nothing of it
// runs underneath.
func isOff(ctx context.Context, t *cell.T, d *cell.Domain, want libvirt.DomainShutoffReason) {
	var state libvirt.DomainState
	var reason int
	d.Do(ctx, "ask for domain state", func(d *libvirt.Domain) (err error) { state, reason, err = d.GetState(); return err })
	t.Expect(state).To(Equal(libvirt.DOMAIN_SHUTOFF))
	t.Expect(libvirt.DomainShutoffReason(reason)).To(Equal(want), "reason for being off")
	t.Expect(t.Underneath(ctx, d.Name)).To(BeFalse(), "the hypervisor still runs the guest")
}

func shutsDown(ctx context.Context, t *cell.T) {
	d, g := t.Borrow(ctx)
	// The button is the guest's own event, told by its init. A paravirtual guest
	// has no button: Xen asks its kernel, which says so as it halts.
	mode, sign := libvirt.DOMAIN_SHUTDOWN_ACPI_POWER_BTN, `"power-button"`
	if t.Kind() == matrix.Xen {
		mode, sign = libvirt.DOMAIN_SHUTDOWN_PARAVIRT, "System halted"
	}
	before := strings.Count(g.Console(ctx), sign)
	d.Do(ctx, "shut domain down", func(d *libvirt.Domain) error { return d.ShutdownFlags(mode) })
	d.Reaches(ctx, libvirt.DOMAIN_SHUTOFF)
	// libxl tells the state before it has taken the halted guest apart.
	t.Until(ctx, time.Minute, "the hypervisor has let the guest go", func() bool { return !t.Underneath(ctx, d.Name) })
	t.Expect(strings.Count(g.Console(ctx), sign)).To(Equal(before+1), "times that the guest's console says %s", sign)
	isOff(ctx, t, d, libvirt.DOMAIN_SHUTOFF_SHUTDOWN)
	t.Refuses(ctx, "shut down a domain that is off", libvirt.ERR_OPERATION_INVALID, func() error { return d.ShutdownFlags(mode) })
}

// How long a guest is watched running, and then kept suspended.
const (
	watch = 3 * time.Second
	pause = 5 * time.Second
)

// suspends compares the guest's pulse over a pause with its pulse before: what
// a tick takes on an emulated host is known only by watching it.
func suspends(ctx context.Context, t *cell.T) {
	d, g := t.Borrow(ctx)
	g.Keep(ctx, d.Token)
	first, start := g.Tick(ctx), time.Now()
	time.Sleep(watch) // guest time is what is measured
	before, stopping := g.Tick(ctx), time.Now()
	perSecond := float64(before.Count-first.Count) / stopping.Sub(start).Seconds()

	d.Do(ctx, "suspend domain", (*libvirt.Domain).Suspend)
	suspended := time.Now()
	t.Expect(d.State(ctx)).To(Equal(libvirt.DOMAIN_PAUSED))
	t.Expect(t.VirshSays(ctx, "domstate --reason "+d.Name)).To(Equal("paused (user)"))
	time.Sleep(pause - time.Since(suspended)) // the time that the guest must not see
	still := time.Since(suspended)
	d.Do(ctx, "resume domain", (*libvirt.Domain).Resume)
	t.Expect(d.State(ctx)).To(Equal(libvirt.DOMAIN_RUNNING))

	after := g.Tick(ctx)
	awake := time.Since(stopping) - still
	// Half of the pause allows for a pulse that is not even.
	most := awake + still/2
	t.Note("%.1f ticks a second before; %d ticks and %d ms of the guest's clock in %s awake and %s suspended", perSecond,
		after.Count-before.Count, after.UptimeMS-before.UptimeMS, awake.Round(time.Millisecond), still.Round(time.Millisecond))
	t.Expect(after.Count-before.Count).To(BeNumerically("<", perSecond*most.Seconds()+1), "ticks over the pause")
	if t.Kind() == matrix.KVM {
		// kvmclock stands still with the guest; Xen's system time goes on.
		t.Expect(after.UptimeMS-before.UptimeMS).To(BeNumerically("<", most.Milliseconds()), "milliseconds of the guest's clock over the pause")
	}
	g.TickedOn(ctx, before)
	t.Expect(g.Kept(ctx)).To(Equal(d.Token))
}
