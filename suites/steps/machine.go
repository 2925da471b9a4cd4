package steps

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/virtmatrix/virtmatrix/fixtures"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/fault"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/internal/nocloud"
	"github.com/virtmatrix/virtmatrix/matrix"
	"libvirt.org/go/libvirt"
)

// How long a machine may say nothing while it boots, and how long it may take from
// cloud-init's end to its report; both at scale 1.
const (
	machineQuiet  = 2 * time.Minute
	machineReport = time.Minute
)

// Machine is a disk that guests boot whole, one after another: an overlay of the image that
// the check's host sees.
type Machine struct {
	t     *T
	disk  string
	boots int
}

// Boot is how a boot of a machine went.
type Boot struct {
	nocloud.Report
	// Version and Source are of the line by which cloud-init says that it is through; empty
	// where it did not run.
	Version, Source string
	// Console is what the machine printed.
	Console string
}

// NewMachine makes the disk of a machine, which is larger than its image.
func (t *T) NewMachine(bytes int64) *Machine {
	m := &Machine{t: t, disk: t.Scratch("machine.qcow2")}
	t.Sh(fmt.Sprintf("%s create -q -f qcow2 -F raw -b %s/%s %s %d", t.QEMUImg(), host.MachineDir, fixtures.CloudDisk, m.disk, bytes))
	return m
}

// Seeded boots the machine with a seed, until it has reported and is off, or does not report.
func (m *Machine) Seeded(s nocloud.Seed, format nocloud.Format) Boot {
	var card []domain.Option
	if s.MAC != "" {
		card = append(card, domain.WithNIC(domain.NIC{MAC: s.MAC}))
	}
	return m.SeededBy(s.Nonce, format, s.Files(), card...)
}

// SeededBy boots the machine with a seed of these files.
func (m *Machine) SeededBy(nonce string, format nocloud.Format, files map[string]string, opts ...domain.Option) Boot {
	dir, err := os.MkdirTemp("", "virtmatrix-seed-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = nocloud.Write(filepath.Join(dir, "seed"), format, files)
	}
	var volume []byte
	if err == nil {
		volume, err = os.ReadFile(filepath.Join(dir, "seed"))
	}
	if err != nil {
		m.t.must(fault.Infraf("make seed", "%w", err), "")
	}
	path := m.t.Scratch(fmt.Sprintf("seed-%d", m.boots+1))
	m.t.Put(path, string(volume))
	m.t.spoilPackages()
	return m.boot(nonce, path, "", opts...)
}

// Unseeded boots the machine without a seed, and with further arguments of its kernel.
func (m *Machine) Unseeded(args string) Boot { return m.boot("", "", args) }

// boot starts the machine, and waits as long as it goes on, until nothing more is to come.
func (m *Machine) boot(nonce, seed, args string, opts ...domain.Option) (b Boot) {
	t := m.t
	m.boots++
	whole := domain.WithMachine(host.MachineDir+"/"+fixtures.CloudKernel, host.MachineDir+"/"+fixtures.CloudInitrd, args, m.disk, seed)
	d := t.Define(append([]domain.Option{whole}, opts...)...)
	g := t.watchGuest(d)
	d.Start()
	began := time.Now()
	for over := false; !over; {
		before := len(b.Console)
		t.Until(machineQuiet, "the machine goes on with its boot", func() bool {
			t.Sh("sleep 1") // asking is work, too
			b.Console = g.Console()
			b.Report = nocloud.Read([]byte(b.Console), nonce)
			b.Version, b.Source, _ = nocloud.Finished([]byte(b.Console))
			over = b.Whole || b.through() && !b.Begun || !d.Active()
			return over || len(b.Console) > before
		})
	}
	t.KeepText(fmt.Sprintf("machine-%d.txt", m.boots), b.Console)
	t.Note("boot %d took %s: %s", m.boots, time.Since(began).Round(time.Second), b)
	m.end(d, b)
	return b
}

// end waits until the machine that reported is off, and ends another.
func (m *Machine) end(d *Domain, b Boot) {
	switch {
	case b.Begun && !b.Whole:
		m.t.Fail(matrix.LayerL2, "the machine is off, and its report lacks %s", strings.Join(b.Lacks(), ", "))
	case b.Whole:
		m.t.Until(machineReport, "the machine is off after its report", func() bool { return !d.Active() })
	case d.State() == libvirt.DOMAIN_RUNNING:
		d.Destroy()
	}
	d.Undefine()
}

// through says that the machine asks for a login and no cloud-init is at work: its stages
// before say so before there is a login.
func (b Boot) through() bool {
	return b.Version != "" || strings.Contains(b.Console, " login: ") && !strings.Contains(b.Console, "Cloud-init v. ")
}

// String tells what became of the boot.
func (b Boot) String() string {
	said := "cloud-init did not run"
	if b.Version != "" {
		said = fmt.Sprintf("cloud-init %s finished with %s", b.Version, b.Source)
	}
	if b.Whole {
		said += fmt.Sprintf(", after %s s of the machine's own", b.Fact("uptime"))
	}
	return said
}
