package qemu

import (
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
	"github.com/virtmatrix/virtmatrix/suites/check"
	"github.com/virtmatrix/virtmatrix/suites/sabotage"
	"github.com/virtmatrix/virtmatrix/suites/steps"
)

// modelInfo is a CpuDefinitionInfo of query-cpu-definitions
// (qapi/machine-target.json).
type modelInfo struct {
	Name string `json:"name"`
	// Unavailable is nil when the emulator cannot tell.
	Unavailable *[]string `json:"unavailable-features"`
}

// wellKnown are models that every release since 2.8 has, of both vendors.
var wellKnown = []string{
	"qemu64", "kvm64", "max", "host", "Nehalem", "Westmere", "SandyBridge", "Haswell", "Broadwell",
	"Skylake-Client", "Skylake-Server", "Opteron_G5", "EPYC",
}

// KVM is asked, which has the last word on what L1's processor can give to a guest.
var _ = check.Register("IQ-CPU", check.Spec{
	Asserts:  "The emulator lists its CPU models, and tells for each what the host lacks for it",
	Requires: []matrix.Requirement{matrix.HostKVM},
	Depends:  check.On(matrix.Linux, matrix.QEMU),
	Control:  sabotage.Wrap(layout.Emulator, "a model that -cpu help lacks", `case "$*" in *"-cpu help"*) $REAL "$@" | grep -v EPYC;; *) exec $REAL "$@";; esac`),
}, func(t *steps.T) {
	q := t.StartQEMU("-machine", "none,accel=kvm")
	var models []modelInfo
	q.Do("query-cpu-definitions", nil, &models)
	q.Quit()
	var names, runnable []string
	lacks := map[string][]string{}
	for _, m := range models {
		names = append(names, m.Name)
		if m.Unavailable == nil {
			continue
		}
		lacks[m.Name] = *m.Unavailable
		if len(*m.Unavailable) == 0 {
			runnable = append(runnable, m.Name)
		}
	}
	t.Expect(names).To(ContainElements(wellKnown), "the models of query-cpu-definitions")
	for _, model := range []string{"host", "max"} {
		t.Expect(lacks).To(HaveKeyWithValue(model, BeEmpty()), "what the host lacks for %q, which is all that it has", model)
	}
	for _, model := range names {
		t.Expect(lacks).To(HaveKey(model), "unavailable-features of %s", model)
	}
	t.Expect(modelNames(t.Sh(t.Program(layout.Emulator)+" -accel kvm -cpu help"))).To(ContainElements(names), "the models of -cpu help, which has those of query-cpu-definitions")
	slices.Sort(runnable)
	t.Note("models: %d, of which the host can run %d: %s", len(names), len(runnable), strings.Join(runnable, " "))
	for _, unhelped := range []string{"qemu64", "EPYC", "Nehalem"} {
		t.Note("for %s the host lacks: %s", unhelped, strings.Join(lacks[unhelped], " "))
	}
})

// modelNames reads -cpu help: a line for each model, up to the first empty
// line. Before 8.2 each line starts with the architecture.
func modelNames(help string) []string {
	list, _, _ := strings.Cut(help, "\n\n")
	var names []string
	for _, line := range strings.Split(list, "\n")[1:] {
		words := strings.Fields(line)
		if len(words) > 1 && words[0] == "x86" {
			words = words[1:]
		}
		if len(words) > 0 {
			names = append(names, words[0])
		}
	}
	return names
}
