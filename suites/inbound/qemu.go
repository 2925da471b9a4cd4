package inbound

import (
	"context"

	"github.com/digitalocean/go-qemu/qemu"
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/cell"
)

// qemuChecks are the behaviours of the cell's emulator, run without libvirt.
var qemuChecks = map[string]cell.Body{
	"IQ-VER":      emulatorTellsVersion,
	"IQ-QMP":      qmpNegotiates,
	"IQ-MACH":     machinesStart,
	"IQ-CPU":      modelsAreListed,
	"IQ-MIG-FILE": guestSurvivesFile,
}

// isTheCells asserts that a version and the vendor's words about the package
// are those of the cell: by the axis, by the package's upstream part (a vendor
// may add micro releases to it as patches), and by the package itself.
func isTheCells(t *cell.T, version, vendor string) {
	pkg := t.Package(matrix.QEMU)
	t.Expect(series(version, t.Version(matrix.QEMU))).To(BeTrue(), "%s is of the series %s", version, t.Version(matrix.QEMU))
	t.Expect(series(version, upstream(pkg))).To(BeTrue(), "%s is of the upstream release of package %s", version, pkg)
	t.Expect(samePackage(vendor, pkg)).To(BeTrue(), "%q names the package %s", vendor, pkg)
}

func emulatorTellsVersion(ctx context.Context, t *cell.T) {
	for _, program := range []string{cell.Emulator, "qemu-img"} {
		text := t.Sh(ctx, program+" --version")
		version, vendor, ok := readVersion(text)
		t.Expect(ok).To(BeTrue(), "%s tells its version: %s", program, text)
		isTheCells(t, version, vendor)
		t.Note("%s: %s (%s), package %s", program, version, vendor, t.Package(matrix.QEMU))
	}
}

// qmpNegotiates goes through a session: greeting, a domain of go-qemu on it, a
// reply of more than 64 KiB, a refusal, and the end.
func qmpNegotiates(ctx context.Context, t *cell.T) {
	q := t.StartQEMU(ctx, "-machine", t.Machine())
	greeting := q.Greeting()
	isTheCells(t, greeting.String(), greeting.Package)

	d := q.Domain(ctx)
	var status qemu.Status
	var version string
	q.Ask(ctx, "ask go-qemu for status and version", func() (err error) {
		if status, err = d.Status(); err == nil {
			version, err = d.Version()
		}
		return err
	})
	t.Expect(status).To(Equal(qemu.StatusPreLaunch), "the status of an emulator whose processors never ran")
	t.Expect(version).To(Equal(greeting.String()), "query-version, and the greeting")

	var entries []schemaEntry
	q.Do(ctx, "query-qmp-schema", nil, &entries)
	s := readSchema(entries)
	t.Expect(s.commands).To(ContainElements("qmp_capabilities", "query-status", "quit", "device_add", "migrate"), "the commands of the schema")
	t.Expect(s.events).To(ContainElements("SHUTDOWN", "RESUME", "DEVICE_DELETED"), "the events of the schema")
	t.Expect(s.dangling).To(BeEmpty(), "types that the schema refers to and does not have")
	t.Note("schema: %d entries, %d commands, %d events", len(entries), len(s.commands), len(s.events))

	refusal := q.Try(ctx, "virtmatrix-no-such-command", nil, nil)
	t.Expect(refusal).NotTo(BeNil(), "an unknown command is refused")
	t.Expect(refusal.Class).To(Equal("CommandNotFound"), "the class of the refusal: %v", refusal)
	q.Quit(ctx)
}
