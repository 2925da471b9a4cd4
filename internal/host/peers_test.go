package host

import (
	"slices"
	"strings"
	"testing"

	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
)

func TestPeersAreNoTwins(t *testing.T) {
	o := fakeOptions(t)
	seen := map[string]int{}
	for _, p := range []Peers{{}, {Count: 2}, {Role: 1, Count: 2}} {
		o.settings.Peers = p
		of, err := o.subject()
		check(t, err)
		seen[of.Key()]++
	}
	if len(seen) != 3 {
		t.Errorf("%d snapshots for a host alone and each of two", len(seen))
	}
	first, second := Peers{Role: 0, Count: 2}, Peers{Role: 1, Count: 2}
	for what, of := range map[string]func(Peers) string{
		"host UUID": Peers.hostUUID, "machine-id": Peers.machineID, "MAC": Peers.mac,
		"name": func(p Peers) string { return p.Name(p.Role) }, "address": func(p Peers) string { return p.ip(p.Role) },
	} {
		if a, b := of(first), of(second); a == b {
			t.Errorf("both have the %s %s", what, a)
		}
	}
}

func TestAHostAloneHasNoNetworkCard(t *testing.T) {
	c := compositions()["native"]
	argv, err := commandLine(c.parts, c.settings, emulator, places{}, false)
	check(t, err)
	if line := strings.Join(argv, " "); strings.Contains(line, "net") {
		t.Errorf("command line: %s", line)
	}
	if a := (&VM{settings: c.settings}).Address(); a != (Address{}) {
		t.Errorf("peers that it has not reach it at %+v", a)
	}
}

func TestTheNetworkOfMachinesJoinsTwo(t *testing.T) {
	c := compositions()["peer"]
	c.settings.Peers.Count = 3
	if _, err := commandLine(c.parts, c.settings, emulator, places{}, false); err == nil || !strings.Contains(err.Error(), "cannot connect 3 machines") {
		t.Errorf("three machines: %v", err)
	}
}

func TestOneDaemonOfAMachineTakesItsPeersConnections(t *testing.T) {
	for name, tc := range map[string]struct {
		daemons          []string
		kind             matrix.Kind
		manages, listens string
	}{
		"monolithic":     {[]string{"virtlogd", "libvirtd"}, matrix.KVM, "libvirtd", "libvirtd"},
		"monolithic Xen": {[]string{"virtlogd", "libvirtd"}, matrix.Xen, "libvirtd", "libvirtd"},
		"modular":        {[]string{"virtlogd", "libvirtd", "virtqemud", "virtproxyd"}, matrix.KVM, "virtqemud", "virtproxyd"},
		"modular Xen":    {[]string{"virtlogd", "virtxend", "virtproxyd"}, matrix.Xen, "virtxend", "virtproxyd"},
	} {
		c := compositions()["peer"]
		c.settings.Kind, c.parts.Layout.Daemons = tc.kind, nil
		for _, d := range tc.daemons {
			c.parts.Layout.Daemons = append(c.parts.Layout.Daemons, layout.Daemon{Name: d, Path: "/usr/sbin/" + d, Socket: "/run/" + d, Config: d + ".conf"})
		}
		spec, _, err := compose(c.parts, c.settings)
		check(t, err)
		for _, s := range spec.Services {
			if got := slices.Contains(s.Argv, "--listen"); got != (s.Name == "libvirtd" && s.Name == tc.listens) {
				t.Errorf("%s: %s listens: %v", name, s.Name, got)
			}
		}
		told := map[string]string{}
		for _, f := range spec.Files {
			told[f.Path] += f.Content
		}
		if conf := told[tc.listens+".conf"]; !strings.Contains(conf, "listen_tcp = 1") {
			t.Errorf("%s: %s is told %q", name, tc.listens, conf)
		}
		if conf := told[tc.manages+".conf"]; !strings.Contains(conf, "host_uuid") {
			t.Errorf("%s: %s is told %q", name, tc.manages, conf)
		}
	}
	c := compositions()["peer"]
	c.parts.Layout.Daemons[0].Name = "virtqemud"
	if _, _, err := compose(c.parts, c.settings); err == nil || !strings.Contains(err.Error(), "has no daemon virtproxyd") {
		t.Errorf("a machine that cannot listen: %v", err)
	}
}

func TestHowPeersReachAMachine(t *testing.T) {
	for kind, driver := range map[matrix.Kind]string{matrix.KVM: "qemu", matrix.Xen: "xen"} {
		vm := &VM{settings: Settings{Kind: kind, Peers: Peers{Role: 1, Count: 2}}}
		if got, want := vm.Address(), (Address{Name: "l1-2", Libvirt: driver + "+tcp://10.9.0.2/system", Migrate: "tcp://10.9.0.2"}); got != want {
			t.Errorf("%s: %+v, want %+v", kind, got, want)
		}
	}
}
