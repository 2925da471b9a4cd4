package xen

import (
	"regexp"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// A toolstack whose domctl or sysctl number is not the hypervisor's is refused with
// EACCES, which xl tells only when verbose.
var _ = check.Register("IX-ABI", check.Spec{
	Asserts:  "The toolstack and the hypervisor agree on their interface numbers",
	Requires: []matrix.Requirement{matrix.XenStack},
	Depends:  check.On(matrix.Linux, matrix.XenHyp),
	Control:  sabotage.Wrap("xl", "a toolstack that is refused", `$REAL "$@"; r=$?; case "$1" in -vvv) echo "xc: error: sysctl operation failed: Permission denied" >&2;; esac; exit $r`),
}, func(t *steps.T) {
	info := fields(t.Sh("xl info"))
	t.Expect(info["xen_major"]+"."+info["xen_minor"]).To(Equal(t.Version(matrix.XenHyp)), "xl's own reading of the version")
	t.Expect(info["xen_caps"]).To(ContainSubstring("xen-3.0-x86_64"), "the guests that this hypervisor takes")
	t.Expect(t.Sh("xl list")).To(MatchRegexp(`(?m)^Domain-0\s+0\s`), "dom0 in xl's list")
	verbose := t.Run("xl -vvv list; xl -vvv vcpu-list; xl -vvv info -n")
	t.Expect(verbose.Text()).NotTo(MatchRegexp(`(?i)permission denied|EACCES|interface version|ABI mismatch`), "what xl says when it is verbose")
	for _, key := range []string{"xen_version", "xen_changeset", "xen_caps", "xen_scheduler", "virt_caps", "xend_config_format"} {
		if v := info[key]; v != "" {
			t.Note("%s: %s", key, v)
		}
	}
})

var infoLine = regexp.MustCompile(`(?m)^(\w+)\s*: (.*)$`)

// fields reads the "key : value" lines of xl info.
func fields(text string) map[string]string {
	out := map[string]string{}
	for _, m := range infoLine.FindAllStringSubmatch(text, -1) {
		out[m[1]] = strings.TrimSpace(m[2])
	}
	return out
}
