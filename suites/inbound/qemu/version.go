// Package qemu holds the checks of the cell's emulator, run without libvirt.
package qemu

import (
	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

var _ = check.Register("IQ-VER", check.Spec{
	Asserts:  "The emulator states the version that its package has",
	Requires: []matrix.Requirement{matrix.KVMStack},
	Depends:  check.On(matrix.QEMU),
	Control:  sabotage.Filter(layout.QEMUImg, "a qemu-img of another build", "s/(Debian [^)]*)/(Debian 1:0.9+dfsg-1)/"),
}, func(t *steps.T) {
	for _, program := range []string{layout.Emulator, layout.QEMUImg} {
		text := t.Sh(t.Program(program) + " --version")
		version, vendor, ok := steps.ReadVersion(text)
		t.Expect(ok).To(BeTrue(), "%s tells its version: %s", program, text)
		isTheCells(t, version, vendor)
		t.Note("%s: %s (%s), package %s", program, version, vendor, t.Package(matrix.QEMU))
	}
})

// isTheCells asserts that a version and the vendor's words about the package are those
// of the cell: by the axis, by the package's upstream part (a vendor may add micro
// releases to it as patches), and by the package itself.
func isTheCells(t *steps.T, version, vendor string) {
	pkg := t.Package(matrix.QEMU)
	t.Expect(steps.InSeries(version, t.Version(matrix.QEMU))).To(BeTrue(), "%s is of the series %s", version, t.Version(matrix.QEMU))
	t.Expect(steps.InSeries(version, steps.UpstreamVersion(pkg))).To(BeTrue(), "%s is of the upstream release of package %s", version, pkg)
	t.Expect(steps.NamesPackage(vendor, pkg)).To(BeTrue(), "%q names the package %s", vendor, pkg)
}
