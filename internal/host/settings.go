package host

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/agent"
	"github.com/virtmatrix/virtmatrix/internal/layout"
	"github.com/virtmatrix/virtmatrix/matrix"
)

// Security is the axis of libvirt's security driver.
const Security = "security"

// appliers is the one place that says what a value of an axis does to a kvm
// host, whose spec is complete but for that.
var appliers = map[string]map[string]func(*agent.Spec, Parts) error{
	// Without profiles in the kernel libvirt finds no AppArmor to use.
	Security:         {"none": asItIs, "apparmor": confine},
	matrix.MediaAxis: {Direct: asItIs, ISOBIOS: fromISO, ISOUEFI: fromISO, OSTree: fromOSTree},
}

func asItIs(*agent.Spec, Parts) error { return nil }

// Axes lists the axes that are applied to hosts.
func Axes() []string { return slices.Sorted(maps.Keys(appliers)) }

// Applies says why a value of an axis cannot be applied to hosts, nil when it
// can.
func Applies(axis, value string) error {
	_, err := applierOf(axis, value)
	return err
}

func applierOf(axis, value string) (func(*agent.Spec, Parts) error, error) {
	values, ok := appliers[axis]
	if !ok {
		return nil, matrix.Unknown("axis of hosts", axis, Axes())
	}
	apply, ok := values[value]
	if !ok {
		return nil, matrix.Unknown("value of "+axis, value, slices.Sorted(maps.Keys(values)))
	}
	return apply, nil
}

// applySettings applies those of a cell's settings that are the host's.
func applySettings(spec *agent.Spec, p Parts, all []matrix.Setting) error {
	for _, s := range all {
		if _, ours := appliers[s.Axis]; !ours {
			continue
		}
		apply, err := applierOf(s.Axis, s.Value)
		if err == nil {
			err = apply(spec, p)
		}
		if err != nil {
			return fmt.Errorf("cannot apply %s=%s: %w", s.Axis, s.Value, err)
		}
	}
	return nil
}

// loadProfiles has the kernel take the profiles that the packages ship for
// libvirt, as the distribution's boot does with all that it has.
const loadProfiles = `grep -q Y /sys/module/apparmor/parameters/enabled || { echo 'the kernel has AppArmor off' >&2; exit 1; }
exec `

// confine has libvirt confine each emulator by AppArmor, as it does by itself
// where the distribution's init loaded the profiles. That they hold is said
// here, so that a libvirt that cannot use them does not start.
func confine(spec *agent.Spec, p Parts) error {
	if p.QEMU != "" {
		return errors.New("libvirt's profiles refuse an emulator that the release did not install; use native cells")
	}
	profiles, err := p.Layout.AppArmor()
	if err != nil {
		return err
	}
	parser, err := p.Layout.Program(layout.AppArmorParser)
	if err != nil {
		return err
	}
	spec.Files = append(spec.Files, agent.File{Path: qemuConf(p.Layout), Mode: 0o600, Content: "security_driver = \"apparmor\"\n"})
	spec.Services = slices.Concat([]agent.Service{
		ownStep("securityfs", "mount -t securityfs securityfs /sys/kernel/security"),
		shell("apparmor", loadProfiles+parser+" --replace "+strings.Join(profiles, " ")),
	}, spec.Services)
	return nil
}
