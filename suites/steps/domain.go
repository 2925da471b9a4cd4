package steps

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// stateLimit bounds how long a domain may take to reach a state that it was asked
// for, at scale 1.
const stateLimit = 2 * time.Minute

var beZero = gomega.BeZero()

// Domain is a libvirt domain of the cell.
type Domain struct {
	t *T
	// Raw is the binding's, for calls that are to be refused.
	Raw *libvirt.Domain
	// Name and Token identify the guest; XML is what it was made from.
	Name, Token, XML string
	// console names the files of its console; empty where that is its own name.
	console string
}

// NewGuest names a guest and gives it a token of its own.
func (t *T) NewGuest() domain.Guest {
	var raw [6]byte
	_, _ = rand.Read(raw[:])
	token := hex.EncodeToString(raw[:])
	// A host whose guests are to have UEFI was not composed without it.
	firmware, _ := t.s.Host.Layout().UEFI()
	return domain.Guest{
		Name: "l2-" + token[:6], Token: token, Firmware: firmware,
		Kernel: host.GuestKernel, Initrd: host.GuestInitrd, Faults: t.guestFaults,
	}
}

// Describe builds the smallest domain of the cell's kind, with the cell's settings.
func (t *T) Describe(g domain.Guest, opts ...domain.Option) *libvirtxml.Domain {
	if t.Kind() == matrix.Xen {
		return domain.NewPV(g, opts...)
	}
	return domain.New(g, t.Settings(), opts...)
}

// GuestMemoryKB is the memory of a guest that Describe describes, in KiB.
func (t *T) GuestMemoryKB() int64 { return int64(t.Describe(domain.Guest{}).Memory.Value) << 10 }

// Marshal is the XML text of what libvirt is to be given.
func (t *T) Marshal(d interface{ Marshal() (string, error) }) string {
	xml, err := d.Marshal()
	t.must(err, "write XML")
	return xml
}

// Parse reads XML that libvirt gave.
func (t *T) Parse(what, text string, into interface{ Unmarshal(string) error }) {
	if err := into.Unmarshal(text); err != nil {
		t.Fail(matrix.LayerManagement, "%s cannot be parsed: %v:\n%s", what, err, text)
	}
}

// Define defines the smallest domain of the cell's kind, shut off. It is gone when
// the check is over.
func (t *T) Define(opts ...domain.Option) *Domain {
	g := t.NewGuest()
	return t.DefineXML(g, t.Marshal(t.Describe(g, opts...)))
}

// DefineAs defines the smallest domain of the cell's kind under a name that users gave it, which
// no shell may read. It is gone when the check is over.
func (t *T) DefineAs(name string, opts ...domain.Option) *Domain {
	g := t.NewGuest()
	x := t.Describe(g, opts...)
	x.Name = name
	d := t.DefineXML(g, t.Marshal(x))
	d.Name = name
	uuid := d.UUID()
	t.Cleanup(func() {
		t.Virsh("'destroy " + uuid + "; undefine " + uuid + " --managed-save --snapshots-metadata' >/dev/null 2>&1")
	})
	return d
}

// DefineXML defines a guest's domain from its XML. It is gone when the check is over.
func (t *T) DefineXML(g domain.Guest, xml string) *Domain {
	return t.make("define domain", g, xml, func() (*libvirt.Domain, error) {
		return t.Connection().Raw.DomainDefineXMLFlags(xml, 0)
	})
}

// Create creates the smallest domain of the cell's kind as a transient one.
func (t *T) Create(opts ...domain.Option) *Domain {
	g := t.NewGuest()
	return t.CreateXML(g, t.Marshal(t.Describe(g, opts...)), 0)
}

// CreateXML creates a guest's domain from its XML as a transient one. It is gone when
// the check is over.
func (t *T) CreateXML(g domain.Guest, xml string, flags libvirt.DomainCreateFlags) *Domain {
	d := t.make("create domain", g, xml, func() (*libvirt.Domain, error) {
		return t.Connection().Raw.DomainCreateXML(xml, flags)
	})
	t.watchGuest(d)
	return d
}

func (t *T) make(op string, g domain.Guest, xml string, call func() (*libvirt.Domain, error)) *Domain {
	d := &Domain{t: t, Name: g.Name, Token: g.Token, XML: xml}
	t.Connection() // a call must not open it
	t.forget(g.Name)
	d.Raw = Get(t, op, call)
	return d
}

// Started defines and starts the smallest domain, and returns when its guest has
// spoken.
func (t *T) Started(opts ...domain.Option) (*Domain, *Guest) {
	d := t.Define(opts...)
	d.Start()
	return d, d.Guest()
}

// Start starts the domain.
func (d *Domain) Start() { d.StartWith(0) }

// StartWith starts the domain with flags.
func (d *Domain) StartWith(flags libvirt.DomainCreateFlags) {
	d.t.watchGuest(d)
	d.t.Do("start domain", func() error { return d.Raw.CreateWithFlags(flags) })
}

// ID is the number of the domain's run.
func (d *Domain) ID() uint { return Get(d.t, "ask for domain ID", d.Raw.GetID) }

// UUID is the domain's, in its usual form.
func (d *Domain) UUID() string { return Get(d.t, "ask for UUID", d.Raw.GetUUIDString) }

// Persistent says that the domain has a definition.
func (d *Domain) Persistent() bool {
	return Get(d.t, "ask whether domain persists", d.Raw.IsPersistent)
}

// Active says that the domain is not off.
func (d *Domain) Active() bool { return Get(d.t, "ask whether domain runs", d.Raw.IsActive) }

// State is the domain's state.
func (d *Domain) State() libvirt.DomainState {
	state, _ := d.StateReason()
	return state
}

// StateReason is the domain's state, and the number of its reason.
func (d *Domain) StateReason() (state libvirt.DomainState, reason int) {
	d.t.Do("ask for domain state", func() (err error) { state, reason, err = d.Raw.GetState(); return err })
	return state, reason
}

// Info is what libvirt says of the domain's memory and processor time.
func (d *Domain) Info() *libvirt.DomainInfo { return Get(d.t, "ask for domain info", d.Raw.GetInfo) }

// Suspend stops the guest's processors.
func (d *Domain) Suspend() { d.t.Do("suspend domain", d.Raw.Suspend) }

// Resume lets the guest's processors go on.
func (d *Domain) Resume() { d.t.Do("resume domain", d.Raw.Resume) }

// Reset resets the guest's machine, as its button would.
func (d *Domain) Reset() { d.t.Do("reset domain", func() error { return d.Raw.Reset(0) }) }

// Rename gives the domain, which is off, another name. It is gone when the check is over.
func (d *Domain) Rename(name string) {
	d.t.forget(name)
	d.t.Do("rename domain", func() error { return d.Raw.Rename(name, 0) })
	d.Name = name
}

// Shutdown asks the guest to shut down.
func (d *Domain) Shutdown(mode libvirt.DomainShutdownFlags) {
	d.t.Do("shut domain down", func() error { return d.Raw.ShutdownFlags(mode) })
}

// Destroy ends the guest at once.
func (d *Domain) Destroy() { d.t.Do("destroy domain", d.Raw.Destroy) }

// Save saves the guest to a file and ends it.
func (d *Domain) Save(file string) {
	d.t.Do("save domain", func() error { return d.Raw.SaveFlags(file, "", 0) })
}

// ManagedSave saves the guest for the domain's next start.
func (d *Domain) ManagedSave() {
	d.t.Do("save domain for its next start", func() error { return d.Raw.ManagedSave(0) })
}

// HasManagedSave says that the next start resumes what was saved.
func (d *Domain) HasManagedSave() bool {
	return Get(d.t, "ask for managed save", func() (bool, error) { return d.Raw.HasManagedSaveImage(0) })
}

// RemoveManagedSave makes the next start one from nothing.
func (d *Domain) RemoveManagedSave() {
	d.t.Do("remove managed save", func() error { return d.Raw.ManagedSaveRemove(0) })
}

// Undefine removes the definition, and with it what the guest's firmware keeps:
// libvirt refuses to do it without being told about that.
func (d *Domain) Undefine() {
	var flags libvirt.DomainUndefineFlagsValues
	if d.t.Kind() == matrix.KVM && d.t.Settings().NVRAM {
		flags |= libvirt.DOMAIN_UNDEFINE_NVRAM
	}
	d.t.Do("undefine domain", func() error { return d.Raw.UndefineFlags(flags) })
}

// Dump returns the domain's XML.
func (d *Domain) Dump(flags libvirt.DomainXMLFlags) string {
	return Get(d.t, "dump domain XML", func() (string, error) { return d.Raw.GetXMLDesc(flags) })
}

// WaitFor waits until the domain is in the state.
func (d *Domain) WaitFor(want libvirt.DomainState) {
	d.t.Until(stateLimit, fmt.Sprintf("domain is in state %d", want), func() bool { return d.State() == want })
}

// ExpectOff asserts that the domain is off for the reason, and that nothing of it
// runs below libvirt.
func (d *Domain) ExpectOff(want libvirt.DomainShutoffReason) {
	state, reason := d.StateReason()
	d.t.Expect(state).To(gomega.Equal(libvirt.DOMAIN_SHUTOFF), "state of the domain")
	d.t.Expect(libvirt.DomainShutoffReason(reason)).To(gomega.Equal(want), "reason for being off")
	d.t.Expect(d.t.HasProcess(d.Name)).To(gomega.BeFalse(), "the hypervisor still runs the guest")
}

// WaitGone waits until no domain of the name is there.
func (d *Domain) WaitGone() {
	conn := d.t.Connection().Raw
	d.t.Until(stateLimit, "domain "+d.Name+" is gone", func() bool {
		err := d.t.Try("look domain up", func() error {
			found, err := conn.LookupDomainByName(d.Name)
			if err == nil {
				_ = found.Free()
			}
			return err
		})
		if err != nil && Code(err) != libvirt.ERR_NO_DOMAIN {
			d.t.Fail(matrix.LayerManagement, "looking up a domain that is gone gives error %d: %s", Code(err), Text(err))
		}
		return err != nil
	})
}

// Confinement is the profile that a guest's emulator runs under, and how it is held
// to it, as the kernel says: "libvirt-UUID (enforce)". It is empty without. What
// Docker confines a whole container by, its init too, is not libvirt's doing and
// counts as none.
func (d *Domain) Confinement() string {
	said := d.t.profile("$(" + emulatorOf(d.Name) + ")")
	if said == "unconfined" || d.t.Contained() && said == d.t.profile("1") {
		return ""
	}
	return said
}

// profile is what the kernel says that a process of L1 runs under.
func (t *T) profile(pid string) string {
	// The file cannot be read when no security module is there to answer.
	return strings.Trim(t.Sh("cat /proc/"+pid+"/attr/current 2>/dev/null || true"), "\x00\n")
}

// Security is what libvirt confines emulators by: "none" or "apparmor".
func (t *T) Security() string {
	if v, ok := t.Cell.Value(host.Security); ok {
		return v
	}
	return "none"
}

// forget removes what a check may leave of a domain, with virsh in L1: it needs no
// connection of ours, which may be what broke.
func (t *T) forget(name string) {
	t.Cleanup(func() {
		// One virsh for all, because starting one takes a second where L1 is emulated.
		// It goes on after a command that fails, and its status is the last one's.
		batch := strings.Join([]string{
			"destroy " + name,
			"undefine " + name + " --managed-save --nvram --snapshots-metadata",
			"undefine " + name + " --managed-save --nvram --snapshots-metadata --checkpoints-metadata",
			"undefine " + name + " --managed-save", // for who does not know these flags
			"undefine " + name,
			"domstate " + name,
		}, "; ")
		res := t.Run("virsh -q -c " + t.URI() + " '" + batch + "' >/dev/null 2>&1; gone=$?; " +
			// A transient domain's variables stay: it may be created again.
			"rm -f " + domain.ConsoleLog(name) + " " + domain.ConsoleSocket(name) + " " + domain.NVRAM(name) + "; test $gone != 0")
		if !res.OK() {
			t.Fail(matrix.LayerManagement, "domain %s is still there after it was destroyed and undefined", name)
		}
	})
}
