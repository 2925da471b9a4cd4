package cell

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// stateLimit bounds how long a domain may take to reach a state that it was
// asked for, at scale 1.
const stateLimit = 2 * time.Minute

// Domain is a libvirt domain of the cell.
type Domain struct {
	t *T
	*libvirt.Domain
	// Name and Token identify the guest; XML is what it was made from.
	Name, Token, XML string
}

// NewGuest names a guest and gives it a token of its own.
func (t *T) NewGuest() domain.Guest {
	var raw [6]byte
	_, _ = rand.Read(raw[:])
	token := hex.EncodeToString(raw[:])
	// A host whose guests are to have UEFI was not composed without it.
	firmware, _ := t.vm.Layout().UEFI()
	return domain.Guest{
		Name: "l2-" + token[:6], Token: token,
		Kernel: host.GuestKernel, Initrd: host.GuestInitrd, Firmware: firmware,
	}
}

// Describe builds the smallest domain of the cell's kind, with the cell's
// settings.
func (t *T) Describe(g domain.Guest, opts ...domain.Option) *libvirtxml.Domain {
	if t.Kind() == matrix.Xen {
		return domain.NewPV(g, opts...)
	}
	return domain.New(g, t.Settings(), opts...)
}

// Marshal is the XML text of a domain.
func (t *T) Marshal(d *libvirtxml.Domain) string {
	xml, err := d.Marshal()
	t.must(err, "write domain XML")
	return xml
}

// Define defines the smallest domain of the cell's kind, shut off. It is gone
// when the check is over.
func (t *T) Define(ctx context.Context, opts ...domain.Option) *Domain {
	return t.make(ctx, "define domain", opts, func(conn *libvirt.Connect, xml string) (*libvirt.Domain, error) {
		return conn.DomainDefineXMLFlags(xml, 0)
	})
}

// Create creates the smallest domain of the cell's kind as a transient one.
func (t *T) Create(ctx context.Context, opts ...domain.Option) *Domain {
	d := t.make(ctx, "create domain", opts, func(conn *libvirt.Connect, xml string) (*libvirt.Domain, error) {
		return conn.DomainCreateXML(xml, 0)
	})
	t.watchGuest(d)
	return d
}

func (t *T) make(ctx context.Context, op string, opts []domain.Option, call func(*libvirt.Connect, string) (*libvirt.Domain, error)) *Domain {
	g := t.NewGuest()
	d := &Domain{t: t, Name: g.Name, Token: g.Token, XML: t.Marshal(t.Describe(g, opts...))}
	conn := t.Connect(ctx)
	t.forget(g.Name)
	t.Do(ctx, op, func() (err error) {
		d.Domain, err = call(conn, d.XML)
		return err
	})
	return d
}

// Started defines and starts the smallest domain, and returns when its guest
// has spoken.
func (t *T) Started(ctx context.Context, opts ...domain.Option) (*Domain, *Guest) {
	d := t.Define(ctx, opts...)
	d.Start(ctx)
	return d, d.Guest(ctx)
}

// Start starts the domain.
func (d *Domain) Start(ctx context.Context) {
	d.t.watchGuest(d)
	d.t.Do(ctx, "start domain", func() error { return d.CreateWithFlags(0) })
}

// Do makes a libvirt call on the domain that must succeed.
func (d *Domain) Do(ctx context.Context, op string, call func(*libvirt.Domain) error) {
	d.t.Do(ctx, op, func() error { return call(d.Domain) })
}

// Undefine removes the definition, and with it what the guest's firmware keeps:
// libvirt refuses to do it without being told about that.
func (d *Domain) Undefine(ctx context.Context) {
	var flags libvirt.DomainUndefineFlagsValues
	if d.t.Kind() == matrix.KVM && d.t.Settings().NVRAM {
		flags |= libvirt.DOMAIN_UNDEFINE_NVRAM
	}
	d.t.Do(ctx, "undefine domain", func() error { return d.UndefineFlags(flags) })
}

// State returns the domain's state.
func (d *Domain) State(ctx context.Context) libvirt.DomainState {
	var state libvirt.DomainState
	d.t.Do(ctx, "ask for domain state", func() (err error) {
		state, _, err = d.GetState()
		return err
	})
	return state
}

// Reaches waits until the domain is in the state.
func (d *Domain) Reaches(ctx context.Context, want libvirt.DomainState) {
	var last libvirt.DomainState
	d.t.Until(ctx, stateLimit, fmt.Sprintf("domain is in state %d", want), func() bool {
		last = d.State(ctx)
		return last == want
	})
}

// Gone waits until no domain of the name is there.
func (d *Domain) Gone(ctx context.Context) {
	conn := d.t.Connect(ctx)
	d.t.Until(ctx, stateLimit, "domain "+d.Name+" is gone", func() bool {
		err := d.t.Try(ctx, "look domain up", func() error {
			found, err := conn.LookupDomainByName(d.Name)
			if err == nil {
				_ = found.Free()
			}
			return err
		})
		if err != nil && Code(err) != libvirt.ERR_NO_DOMAIN {
			d.t.Fail(matrix.LayerManagement, "looking up a domain that is gone gives error %d: %v", Code(err), err)
		}
		return err != nil
	})
}

// Dump returns the domain's XML.
func (d *Domain) Dump(ctx context.Context, flags libvirt.DomainXMLFlags) string {
	var xml string
	d.t.Do(ctx, "dump domain XML", func() (err error) {
		xml, err = d.GetXMLDesc(flags)
		return err
	})
	return xml
}

// forget removes what a check may leave of a domain, with virsh in L1: it needs
// no connection of ours, which may be what broke.
func (t *T) forget(name string) {
	t.Cleanup(func(ctx context.Context) error {
		ctx, cancel := t.Within(ctx, time.Minute)
		defer cancel()
		// One virsh for all, because starting one takes a second where L1 is emulated.
		// It goes on after a command that fails, and its status is the last one's.
		batch := strings.Join([]string{
			"destroy " + name,
			"undefine " + name + " --managed-save --nvram --snapshots-metadata",
			"undefine " + name, // for who does not know these flags
			"domstate " + name,
		}, "; ")
		script := "virsh -q -c " + t.URI() + " '" + batch + "' >/dev/null 2>&1; gone=$?; " +
			// A transient domain's variables stay: it may be created again.
			"rm -f " + domain.ConsoleLog(name) + " " + domain.ConsoleSocket(name) + " " + domain.NVRAM(name) + "; test $gone != 0"
		res, err := t.vm.Exec(ctx, script)
		if err == nil && !res.OK() {
			err = fmt.Errorf("domain %s is still there: %s", name, res.Text())
		}
		return err
	})
}
