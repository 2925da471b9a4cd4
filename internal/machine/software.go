package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/virtmatrix/virtmatrix/internal/source/tool"
)

// setup is the fix for everything that a package brings.
const setup = "ci/setup installs it"

// tools reports the programs that are not there, with their packages.
func tools(needed []tool.Tool) Finding {
	f := Finding{Subject: "tools", Grade: Good}
	missing := tool.Missing(needed)
	if len(missing) == 0 {
		f.Text = fmt.Sprintf("all %d programs are there", len(needed))
		return f
	}
	var names []string
	for _, t := range missing {
		names = append(names, fmt.Sprintf("%s (package %s)", t.Name, t.Package))
		f.Packages = append(f.Packages, t.Package)
	}
	f.Grade, f.Text, f.Fix = Missing, "not there: "+strings.Join(names, ", "), setup
	return f
}

func golang(ctx context.Context) Finding {
	out, _, err := tool.Run(ctx, tool.Command{Argv: []string{"go", "version"}})
	if err != nil {
		return Finding{Subject: "go", Grade: Missing, Text: err.Error(), Fix: "install Go (https://go.dev/dl) and put it in PATH"}
	}
	return Finding{Subject: "go", Grade: Good, Text: strings.TrimSpace(string(out))}
}

// compiler looks for what cgo needs to build the libvirt bindings.
func compiler(context.Context) Finding {
	return tools([]tool.Tool{
		{Name: "gcc", Package: "gcc"}, {Name: "/usr/include/stdio.h", Package: "libc6-dev"},
		// For a plain `ginkgo run ./suites`; our own calls do without.
		{Name: "pkg-config", Package: "pkg-config"}, {Name: "/usr/include/libvirt/libvirt.h", Package: "libvirt-dev"},
	}).about("C compiler", "gcc and the headers of libc and libvirt are there")
}

// libvirtLibrary is what the libvirt bindings open when they are first used.
const libvirtLibrary = "libvirt.so.0"

func libvirt(ctx context.Context) Finding {
	out, _, err := tool.Run(ctx, tool.Command{Argv: []string{"ldconfig", "-p"}})
	if err == nil && !strings.Contains(string(out), libvirtLibrary+" ") {
		err = errors.New(libvirtLibrary + " is not there")
	}
	if err != nil {
		return Finding{Subject: "libvirt client", Grade: Missing, Text: err.Error(), Fix: setup, Packages: []string{"libvirt0"}}
	}
	return Finding{Subject: "libvirt client", Grade: Good, Text: libvirtLibrary + " is there"}
}

func loops(context.Context) Finding {
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return Finding{Subject: "loop devices", Grade: Missing, Text: err.Error(),
			Fix: "modprobe loop; a container needs /dev/loop-control and the loop devices passed in"}
	}
	return Finding{Subject: "loop devices", Grade: Good, Text: "/dev/loop-control is there"}
}

func namespaces(ctx context.Context) Finding {
	_, _, err := tool.Run(ctx, tool.Command{Argv: []string{"true"}, Isolated: true})
	if err != nil {
		return Finding{Subject: "namespaces", Grade: Missing, Text: err.Error(),
			Fix: "run as root, and in a container with CAP_SYS_ADMIN: mount and PID namespaces keep builds apart"}
	}
	return Finding{Subject: "namespaces", Grade: Good, Text: "mount and PID namespaces can be made"}
}

func (n Needs) mirror(ctx context.Context) Finding {
	const subject = "package mirror"
	address, err := n.Mirror(ctx)
	var missing *tool.MissingError
	switch {
	case errors.As(err, &missing):
		return Finding{Subject: subject, Grade: Missing, Text: "cannot be looked for without its tools", Fix: setup}
	case err != nil:
		return Finding{Subject: subject, Grade: Missing, Text: err.Error(), Fix: "give one with --mirror or add one to the machine's apt sources"}
	}
	return Finding{Subject: subject, Grade: Good, Text: address}
}

// engine is what a machine needs to run containers. What starts it is ci/setup.
var engine = []tool.Tool{{Name: "dockerd", Package: "docker.io"}, {Name: "iptables", Package: "iptables"}}

// containers looks for Docker. Runs do without: their container cells are machines
// then, which take several times as long.
func (n Needs) containers(ctx context.Context) Finding {
	const subject = "containers"
	version, err := n.Containers(ctx)
	if err == nil {
		return Finding{Subject: subject, Grade: Good, Text: version}
	}
	f := Finding{Subject: subject, Grade: Poor, Text: err.Error() + "; container cells are planned as machines", Fix: "ci/setup installs and starts Docker"}
	for _, t := range tool.Missing(engine) {
		f.Packages = append(f.Packages, t.Package)
	}
	return f
}

func (n Needs) accelerator(ctx context.Context) Finding {
	const subject = "accelerator"
	text, err := n.Accelerator(ctx)
	if err != nil {
		return Finding{Subject: subject, Grade: Missing, Text: err.Error(), Fix: "see what the boot printed; no run works before a kernel boots here"}
	}
	return Finding{Subject: subject, Grade: Good, Text: text}
}

// about gives a finding about tools another subject, and words of its own when
// nothing is missing.
func (f Finding) about(subject, good string) Finding {
	f.Subject = subject
	if f.Grade == Good {
		f.Text = good
	}
	return f
}
