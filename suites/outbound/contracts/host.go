package contracts

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirt"
)

func init() {
	vdsm("C-VDSM-CONF", "libvirt starts with the configuration that vdsm writes: the host has its UUID, the socket its mode, displays their ports, and a guest is saved through lzop",
		sabotage.WrapAddOn("lzop", "an lzop that only copies", "exec cat"), configured, matrix.Hosts{AddOns: []string{"lzop"}})
	vdsm("C-VDSM-SASL", "Who comes to the socket is asked by SASL for a name and a password, and let in by the right ones alone",
		sabotage.Wrap("virsh", "a virsh that always ends with 0", `$REAL "$@"; exit 0`), authenticated, matrix.Hosts{AddOns: []string{"libsasl2-modules", "libsasl2-modules-gssapi-mit", "sasl2-bin"}})
	vdsm("C-VDSM-LISTEN", "libvirt's daemon starts with --listen when its sockets were opened before it, and is reached by TCP",
		sabotage.Wrap("virsh", "a virsh that reaches nobody", "exit 1"), listens)
	vdsm("C-VDSM-LOST", "A call over a connection whose daemon has ended fails with one of the errors by which vdsm knows that it is to connect anew",
		sabotage.Lasting(), loses)
	vdsm("C-VDSM-EVENTS", "The ten kinds of events that vdsm listens for can be registered on one connection, and acts on a guest are told in their order",
		sabotage.DoubleEvents(), listensForEvents)
	vdsm("C-VDSM-GRAPHICS", "A client of a guest's display is told of when it comes and when it goes, by its address and port",
		sabotage.Wrap("timeout", "a client of the display that stays away", "exit 0"), displays)
}

const hostUUID = "6f0d4f5e-7f5c-4a3b-9b6e-2f9d1d3c5aff"

// configured leaves out what needs hardware or builds that are not here: TLS files,
// SPICE's, and sanlock.
func configured(t *steps.T) {
	t.Install()
	who, manager := t.Layout().Accounts, t.Manager()
	t.Configure(t.Layout().LibvirtConfig+"/qemu.conf", "dynamic_ownership = 0\nsave_image_format = \"lzop\"\nremote_display_port_min = 5910\nremote_display_port_max = 6923\n"+
		"max_core = \"unlimited\"\nauto_dump_path = \"/var/log/core\"\nsecurity_driver = \"none\"\nspice_tls = 1\n")
	t.Configure(manager.Config, fmt.Sprintf("unix_sock_group = %q\nunix_sock_rw_perms = \"0770\"\nkeepalive_interval = -1\n", who.EmulatorGroup))
	// The hosts here have an identity of their own in the same file, and the first counts.
	said := t.Sh(`sed -n 's/^host_uuid *= *"\(.*\)"/\1/p' ` + manager.Config + " | head -n 1 | grep .")
	t.Expect(capabilities(t).Host.UUID).To(Equal(said), "UUID of the host")
	t.Expect(t.Sh("stat -c '%a %G' "+manager.Socket)).To(Equal("770 "+who.EmulatorGroup), "mode and group of the socket")

	disk, image := t.DiskImage("disk", mib), t.Scratch("image")
	t.Sh("install -m 600 /dev/null " + image)
	emulatorOwns(t, disk+" "+image)
	d, g := t.Started(domain.WithDisk(disk, "raw"), domain.WithScreen, domain.WithVNC(""))
	t.Expect(d.Live().Devices.Graphics[0].VNC.Port).To(And(BeNumerically(">=", 5910), BeNumerically("<=", 6923)), "port of the display")
	t.Expect(t.Sh("stat -c %U "+disk)).To(Equal(who.EmulatorUser), "owner of the disk")
	mark := g.Mark()
	d.Save(image)
	t.Expect(t.Run("head -c 1M "+image+" | grep -aq LZO").OK()).To(BeTrue(), "the image was written by lzop")
	t.Connection().Restore(image)
	g.WaitReady()
	g.ExpectGoesOn(mark)
}

// The mechanism is scram-sha-1, which vdsm's passwords are for. Debian 11 has it among
// GSSAPI's modules.
func authenticated(t *steps.T) {
	t.Install()
	const user = "vdsm@ovirt"
	database, credentials := "/etc/libvirt/passwd.db", func(name, password string) string {
		file := t.Scratch("auth-" + name)
		t.Put(file, fmt.Sprintf("[credentials-v]\nauthname=%s\npassword=%s\n[auth-libvirt-localhost]\ncredentials=v\n", user, password))
		return file
	}
	t.Sh("mkdir -p /etc/sasl2 && { test ! -e /etc/sasl2/libvirt.conf || mv /etc/sasl2/libvirt.conf /etc/sasl2/libvirt.conf.aside; }")
	t.Cleanup(func() {
		t.Sh("rm -f /etc/sasl2/libvirt.conf " + database + "; test ! -e /etc/sasl2/libvirt.conf.aside || mv /etc/sasl2/libvirt.conf.aside /etc/sasl2/libvirt.conf")
	})
	t.Put("/etc/sasl2/libvirt.conf", "mech_list: scram-sha-1\nsasldb_path: "+database+"\n")
	t.Sh("echo right | saslpasswd2 -f " + database + " -p -a libvirt " + user)
	t.Restrict(t.Manager().Config, "auth_unix_rw = \"sasl\"\n")
	lists := func(file string) agent.Result {
		return t.Run("timeout 60 virsh -c '" + t.URI() + "?authfile=" + file + "' list --all </dev/null")
	}
	t.Expect(lists(credentials("wrong", "wrong")).OK()).To(BeFalse(), "who has the wrong password is let in")
	t.Expect(lists("/dev/null").OK()).To(BeFalse(), "who has no password is let in")
	right := lists(credentials("right", "right"))
	t.Expect(right.OK()).To(BeTrue(), "who has the right password is let in: %s", right.Text())
	t.Expect(t.Run("timeout 60 virsh -r -c "+t.URI()+" list --all").OK()).To(BeTrue(), "readers are let in as before")
}

// openedBefore starts a program as systemd does whose socket it has opened (sd_listen_fds(3)).
const openedBefore = `use Socket; use POSIX; unlink $ARGV[0]; socket(S, AF_UNIX, SOCK_STREAM, 0) && bind(S, pack_sockaddr_un(shift)) && listen(S, 50) or die;
if (fileno(S) == 3) { fcntl(S, F_SETFD, 0) } else { POSIX::dup2(fileno(S), 3) }
($n = $ARGV[0]) =~ s,.*/,,; $ENV{LISTEN_FDNAMES} = "$n.socket"; $ENV{LISTEN_FDS} = 1; $ENV{LISTEN_PID} = $$; exec @ARGV`

// vdsm 4.20 writes LIBVIRTD_ARGS=--listen, and systemd opens the socket of the daemon.
func listens(t *steps.T) {
	said := t.ListenActivated("listen_tls = 0\nlisten_tcp = 1\nlisten_addr = \"127.0.0.1\"\nauth_tcp = \"none\"\n", openedBefore)
	t.Expect(t.Run("timeout 60 virsh -c qemu+tcp://127.0.0.1/system list").OK()).To(BeTrue(), "the daemon with --listen whose socket was opened before it is reached by TCP; it said: %s", said)
}

// What vdsm takes for the end of its connection (libvirtconnection.py).
var (
	lostDomains = []libvirt.ErrorDomain{libvirt.FROM_REMOTE, libvirt.FROM_RPC}
	lostCodes   = []libvirt.ErrorNumber{libvirt.ERR_SYSTEM_ERROR, libvirt.ERR_INTERNAL_ERROR, libvirt.ERR_NO_CONNECT, libvirt.ERR_INVALID_CONN}
)

const lostLimit = 30 * time.Second

func loses(t *steps.T) {
	conn := t.NewConnection().Raw
	ping := func() error { _, err := conn.GetLibVersion(); return err }
	t.Do("ask for the library's version", ping)
	t.RestartManager(syscall.SIGTERM)
	for _, call := range []func() error{func() error { _, err := conn.LookupDomainByName("nosuch"); return err }, ping} {
		err := t.Begin("call over a connection whose daemon has ended", call).End(lostLimit)
		var e libvirt.Error
		t.Expect(err).To(BeAssignableToTypeOf(e), "error of a call over a connection whose daemon has ended")
		e = err.(libvirt.Error)
		t.Expect(slices.Contains(lostDomains, e.Domain) && slices.Contains(lostCodes, e.Code)).To(BeTrue(), "domain %d and code %d are those of a connection that was lost: %s", e.Domain, e.Code, steps.Text(err))
	}
}

func listensForEvents(t *steps.T) {
	c := t.NewConnection()
	for i, register := range []func() (int, error){
		func() (int, error) {
			return c.Raw.DomainEventLifecycleRegister(nil, func(*libvirt.Connect, *libvirt.Domain, *libvirt.DomainEventLifecycle) {})
		},
		func() (int, error) {
			return c.Raw.DomainEventRebootRegister(nil, func(*libvirt.Connect, *libvirt.Domain) {})
		},
		func() (int, error) {
			return c.Raw.DomainEventRTCChangeRegister(nil, func(*libvirt.Connect, *libvirt.Domain, *libvirt.DomainEventRTCChange) {})
		},
		func() (int, error) {
			return c.Raw.DomainEventIOErrorReasonRegister(nil, func(*libvirt.Connect, *libvirt.Domain, *libvirt.DomainEventIOErrorReason) {})
		},
		func() (int, error) {
			return c.Raw.DomainEventGraphicsRegister(nil, func(*libvirt.Connect, *libvirt.Domain, *libvirt.DomainEventGraphics) {})
		},
		func() (int, error) {
			return c.Raw.DomainEventBlockJobRegister(nil, func(*libvirt.Connect, *libvirt.Domain, *libvirt.DomainEventBlockJob) {})
		},
		func() (int, error) {
			return c.Raw.DomainEventWatchdogRegister(nil, func(*libvirt.Connect, *libvirt.Domain, *libvirt.DomainEventWatchdog) {})
		},
		func() (int, error) {
			return c.Raw.DomainEventJobCompletedRegister(nil, func(*libvirt.Connect, *libvirt.Domain, *libvirt.DomainEventJobCompleted) {})
		},
		func() (int, error) {
			return c.Raw.DomainEventDeviceRemovedRegister(nil, func(*libvirt.Connect, *libvirt.Domain, *libvirt.DomainEventDeviceRemoved) {})
		},
		func() (int, error) {
			return c.Raw.DomainEventBlockThresholdRegister(nil, func(*libvirt.Connect, *libvirt.Domain, *libvirt.DomainEventBlockThreshold) {})
		},
	} {
		id := steps.Get(t, fmt.Sprintf("register for the %d-th kind of events", i+1), register)
		t.Cleanup(func() { t.Do("deregister from events", func() error { return c.Raw.DomainEventDeregister(id) }) })
	}
	d, came := t.Guest().Domain, t.WatchEvents()
	d.Suspend()
	d.Resume()
	d.Destroy()
	stopped := steps.Event{Type: libvirt.DOMAIN_EVENT_STOPPED, Detail: int(libvirt.DOMAIN_EVENT_STOPPED_DESTROYED)}
	heeded := slices.DeleteFunc(came.Through(d, "its end", stopped), func(e steps.Event) bool { return e.Type == libvirt.DOMAIN_EVENT_SHUTDOWN })
	t.Expect(heeded).To(Equal([]steps.Event{
		{Type: libvirt.DOMAIN_EVENT_SUSPENDED, Detail: int(libvirt.DOMAIN_EVENT_SUSPENDED_PAUSED)},
		{Type: libvirt.DOMAIN_EVENT_RESUMED, Detail: int(libvirt.DOMAIN_EVENT_RESUMED_UNPAUSED)}, stopped,
	}), "events of the guest that vdsm heeds, in order")
}

// greets does with a VNC server what a client does up to the first picture (RFC 6143).
const greets = `exec 3<>/dev/tcp/127.0.0.1/%d; head -c 12 <&3; printf 'RFB 003.008\n' >&3; head -c 2 <&3; printf '\001' >&3; head -c 4 <&3; printf '\001' >&3; head -c 24 <&3; exec 3<&-`

func displays(t *steps.T) {
	t.Sh("ip link set lo up 2>/dev/null || true")
	d, _ := t.Started(domain.WithScreen, domain.WithVNC(""))
	told := d.WatchGraphics()
	said := t.Sh("timeout 60 bash -c " + host.Quote(fmt.Sprintf(greets, d.Live().Devices.Graphics[0].VNC.Port)) + " | wc -c")
	t.Expect(said).To(Equal("42"), "bytes that the display said to its client")
	for _, phase := range []libvirt.DomainEventGraphicsPhase{libvirt.DOMAIN_EVENT_GRAPHICS_INITIALIZE, libvirt.DOMAIN_EVENT_GRAPHICS_DISCONNECT} {
		told.Wait(fmt.Sprintf("a client of the display is in phase %d", phase), func(e libvirt.DomainEventGraphics) bool {
			return e.Phase == phase && e.Remote.Node == "127.0.0.1" && strings.Trim(e.Remote.Service, "0123456789") == "" && e.Remote.Service != ""
		})
	}
}
