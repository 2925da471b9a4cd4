package consumers

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/fixtures/domain"
	"github.com/virtmatrix/virtmatrix/internal/host"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
	"libvirt.org/go/libvirtxml"
)

// sinceFlags is the version of the collection from which on undefine takes flags.
const sinceFlags = "1.3.0"

func init() {
	ansible("C-ANS-UNDEF", "A guest with a managed save, a snapshot or variables of its firmware is undefined by a playbook that says so, and kept by one that does not",
		binding("virDomainUndefineFlags"), undefined)
	ansible("C-ANS-FORCE", "A playbook that undefines by force takes what libvirt keeps of a guest, and leaves its disk; a collection without the word refuses it",
		sabotage.WrapAddOn("ansible-playbook", "an Ansible that takes guests' disks along", "rm -f "+host.ScratchDir+`/*/disk; exec $REAL "$@"`), forced)
}

// undefining is the task that undefines a guest, with more arguments.
func undefining(a *steps.Ansible, d *steps.Domain, more steps.Args) steps.Task {
	args := steps.Args{"command": "undefine", "name": d.Name}
	for name, value := range more {
		args[name] = value
	}
	return a.Virt("undefine", args)
}

func undefined(t *steps.T, a *steps.Ansible) {
	for flag, guest := range map[string]func() *steps.Domain{
		"managed_save":       func() *steps.Domain { return saved(t) },
		"snapshots_metadata": func() *steps.Domain { return snapshotted(t) },
		"nvram":              func() *steps.Domain { return withVariables(t) },
	} {
		d := guest()
		said := a.Play(undefining(a, d, nil)).ExpectFailed("undefine")
		t.Expect(d.Again().Active()).To(BeFalse(), "the guest runs")
		t.Note("without %s: %s", flag, said)
		played := a.Play(undefining(a, d, steps.Args{"flags": flag}))
		if matrix.Compare(a.Collection, sinceFlags) < 0 {
			t.Expect(played.ExpectFailed("undefine")).To(ContainSubstring("Unsupported parameters"), "what the user of flags is told")
			d.Again()
			continue
		}
		played.ExpectOK()
		d.WaitGone()
	}
}

// saved is a guest that was saved for its next start.
func saved(t *steps.T) *steps.Domain {
	d, _ := t.Started()
	d.ManagedSave()
	return d
}

// snapshotted is a guest of which libvirt keeps what a snapshot was.
func snapshotted(t *steps.T) *steps.Domain {
	d := t.Define(domain.WithDisk(t.QCOW2("disk", word), "qcow2", domain.Serial(serial)))
	d.Snapshot("before", 0)
	return d
}

// withVariables is a guest whose firmware has written its variables.
func withVariables(t *steps.T) *steps.Domain {
	file := t.DiskImage("variables", mib)
	return t.Define(domain.WithUEFI(t.UEFI()), func(d *libvirtxml.Domain) { d.OS.NVRam.NVRam = file })
}

func forced(t *steps.T, a *steps.Ansible) {
	p := t.DefinePool()
	p.Build()
	p.Start()
	disk := p.Create("disk", "qcow2", mib, nil)
	d := t.Define(domain.WithDisk(disk.Path, "qcow2", domain.Serial(serial)))
	d.Snapshot("before", 0)
	played := a.Play(undefining(a, d, steps.Args{"force": true}))
	t.Expect(t.Exists(disk.Path)).To(BeTrue(), "the guest's disk is there once it was undefined by force")
	if matrix.Compare(a.Collection, sinceFlags) < 0 {
		t.Expect(played.ExpectFailed("undefine")).To(ContainSubstring("Unsupported parameters"), "what the user is told")
		return
	}
	played.ExpectOK()
	d.WaitGone()
}
